"""Mattes of others: any function, rembg's sessions; each refused in one line."""

import builtins

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen import analyze
from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.matting.find_matte import _rembg_session, matte_by_rembg, pick_matter
from wideopen.matting.inference import MattingSettings

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (60, 90, 3)).astype(np.uint8)


def step():
    alpha = np.zeros((60, 90), np.float32)
    alpha[:, 45:] = 1
    return alpha


def refused(error, match, call, *arguments):
    with pytest.raises(error, match=match) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)


# Any function


def test_a_function_is_given_the_photo_and_its_matte_is_used():
    def right_half(photo):
        assert photo.dtype == np.uint8
        assert photo.shape == (60, 90, 3)
        return step()

    scene = analyze(RNG.random((60, 90, 3), np.float32), backend="reference", matte=right_half)
    assert_allclose(scene.matte, step(), rtol=0, atol=0)
    assert scene.maps.matte_source == "given by right_half"


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        (np.zeros((9, 9), np.float32), r"matte of f: expected \(H, W\) \(60, 90\), found \(9, 9\)"),
        (np.full((60, 90), 255.0), r"matte of f: expected values in \[0, 1\]"),
        (None, "matte of f: expected a NumPy array"),
    ],
)
def test_a_function_that_returns_no_matte_is_refused(returned, match):
    def f(photo):
        return returned

    refused(InvalidInput, match, pick_matter(MattingSettings(), f)[0], PHOTO)


# rembg


def test_rembg_that_is_not_installed_is_refused(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "rembg":
            raise ImportError(name)
        return real(name, *rest)

    _rembg_session.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    refused(BackendUnavailable, r"pip install 'wideopen\[rembg\]'", matte_by_rembg, "u2netp", PHOTO)


@pytest.fixture
def rembg_home(tmp_path, monkeypatch):
    pytest.importorskip("rembg")
    _rembg_session.cache_clear()
    monkeypatch.setenv("REMBG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")
    monkeypatch.delenv("U2NET_HOME", raising=False)
    yield tmp_path
    _rembg_session.cache_clear()


def test_rembg_sessions_are_named_and_have_to_be_local_and_on_disk(rembg_home):
    refused(
        InvalidInput, "expected one of its local sessions, .*u2net.*, found 'large'", matte_by_rembg, "large", PHOTO
    )
    refused(WeightsError, "rembg d u2netp", matte_by_rembg, "u2netp", PHOTO)


def test_a_rembg_session_gives_a_matte(rembg_home):
    onnx = pytest.importorskip("onnx")
    f32 = onnx.TensorProto.FLOAT
    nodes = [onnx.helper.make_node("ReduceMax", ["x"], ["y"], axes=[1], keepdims=1)]  # bright = subject
    ends = [onnx.helper.make_tensor_value_info(n, f32, [1, c, 320, 320]) for n, c in (("x", 3), ("y", 1))]
    graph = onnx.helper.make_graph(nodes, "tiny", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    folder = rembg_home / "models" / "u2netp"
    folder.mkdir(parents=True)
    onnx.save(model, folder / "u2netp.onnx")
    photo = np.full((40, 60, 3), 20, np.uint8)
    photo[10:30, 20:40] = 230
    matter, source = pick_matter(MattingSettings(matting="rembg:u2netp"))
    alpha = matter(photo)
    assert source == "predicted by rembg:u2netp"
    assert alpha.shape == (40, 60)
    assert alpha[12:28, 22:38].min() > 0.8  # it stretches the overshoot of its resizing to 1; 0.87 seen
    assert alpha[:7].max() < 0.1
    started, source = pick_matter(MattingSettings(matting_start="rembg:u2netp", matting_size=64, matting_edges=False))
    assert source == "predicted by mobile, started by rembg:u2netp"
    assert started(photo)[14:26, 24:36].min() > 0.8
