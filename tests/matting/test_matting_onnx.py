"""The network in onnxruntime: the same mattes as in torch, and refusals in one line."""

import builtins

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.matting.engine import pick_engine
from wideopen.matting.find_matte import predict_matte
from wideopen.matting.inference import MattingSettings
from wideopen.matting.net.variants import PRESETS

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The shipped network as an ONNX file of two stages."""
    from wideopen.matting.engine import to_onnx

    path = tmp_path_factory.mktemp("onnx") / "mobile.onnx"
    path.write_bytes(to_onnx("mobile", 2))
    return path


def test_the_matte_of_a_portrait_is_that_of_torch(exported):
    from skimage import data

    photo = data.astronaut()[:, 40:440]  # not square
    want = predict_matte(photo, MattingSettings(device="cpu", matting_backend="torch"))
    got = predict_matte(photo, MattingSettings(matting=exported, device="cpu"))
    assert 0.2 < want.mean() < 0.8
    # Eq. (1) takes an arg-max: where two labels tie, rounding decides. 0 pixels beyond 1e-3 seen.
    assert_allclose(got, want, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("size", "stages"), [((33, 70), 1), ((75, 50), 2), ((64, 32), 3)])
def test_any_size_and_number_of_stages_from_any_matte(exported, size, stages):
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    ours, theirs = pick_engine("mobile", device="cpu"), pick_engine(exported)
    for previous in (None, rng.random(size, np.float32)):
        want, got = ours(photo, stages, previous), theirs(photo, stages, previous)
        assert got.shape == size
        # Three stages of a file of two are two runs. 8e-7 seen; the arg-max may tie: a pixel in a thousand
        assert (np.abs(got - want) > 1e-3).mean() <= 1e-3


def test_the_previous_matte_is_an_input_of_the_file(exported):
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    assert [(i.name, len(i.shape)) for i in session.get_inputs()] == [("image", 4), ("previous", 4)]
    assert [o.name for o in session.get_outputs()] == ["alpha_1", "alpha_2"]
    fixed = [dim for i in session.get_inputs() for dim in i.shape[2:] if isinstance(dim, int)]
    assert fixed == []


def test_weights_are_converted_when_onnx_is_asked_for(exported, monkeypatch):
    from wideopen.matting import engine

    asked = []
    monkeypatch.setattr(engine, "to_onnx", lambda weights: asked.append(weights) or exported.read_bytes())
    engine = pick_engine("mobile", "onnx")
    assert (asked, type(engine).__name__) == (["mobile"], "OnnxEngine")
    assert engine.config == PRESETS["mobile"]


def refused(error, match, *arguments):
    with pytest.raises(error, match=match) as caught:
        pick_engine(*arguments)
    assert "\n" not in str(caught.value)


def test_unusable_onnx_files_and_devices_are_refused_in_one_line(tmp_path, exported):
    refused(InvalidInput, "expected one of auto, torch, onnx, found 'tpu'", "mobile", "tpu")
    refused(BackendUnavailable, "backend torch: expected weights in .safetensors", exported, "torch")
    refused(BackendUnavailable, "expected device cpu, found cuda", exported, "auto", "cuda")
    refused(WeightsError, "found none", tmp_path / "none.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(exported.read_bytes()[:-5000])
    refused(WeightsError, "damaged, cut short or no ONNX file", cut)
    for length in (0, 7, 1000):
        cut.write_bytes(exported.read_bytes()[:length])
        refused(WeightsError, "matting weights .*cut.onnx", cut)
    cut.write_text("Dear diary")
    refused(WeightsError, "damaged, cut short or no ONNX file", cut)
    with pytest.raises(InvalidInput, match="matting_stages: expected at least 1, found 0"):
        MattingSettings(matting_stages=0)


def test_an_onnx_file_of_something_else_is_refused(tmp_path, exported):
    import onnx

    model = onnx.load(str(exported))
    onnx.helper.set_model_props(model, {"preset": "huge", "config": "{}", "stages": "1"})
    onnx.save(model, tmp_path / "huge.onnx")
    refused(WeightsError, "metadata preset paper, mobile", tmp_path / "huge.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    refused(WeightsError, "expected a file of `wideopen export matting`", tmp_path / "other.onnx")


def test_a_missing_package_is_named_with_how_to_install_it(exported, monkeypatch):
    from wideopen.matting.engine import _onnx_engine, to_onnx

    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] in ("onnx", "onnxruntime"):
            raise ImportError(name)
        return real(name, *rest)

    _onnx_engine.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    refused(BackendUnavailable, r"onnxruntime is not installed \(pip install 'wideopen\[onnx\]'\)", exported)
    with pytest.raises(BackendUnavailable, match=r"package onnx is not installed"):
        to_onnx("mobile")
