"""The network in ONNX Runtime: the same mattes as in torch, files that also serve torch, and refusals in one line."""

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose

from wideopen import networks
from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.matting.engine import OnnxEngine, pick_engine
from wideopen.matting.find_matte import predict_matte
from wideopen.matting.inference import PRESETS, SHIPPED, MattingSettings, ablated
from wideopen.matting.net.export import to_onnx
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.state import load_net, save_weights
from wideopen.matting.weights import FOLDER


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The shipped network as an ONNX file of two stages, its convolutions in float16."""
    path = tmp_path_factory.mktemp("onnx") / "mobile.onnx"
    path.write_bytes(to_onnx("mobile", 2, half=True))
    return path


def test_the_matte_of_a_portrait_is_that_of_torch():
    from skimage import data

    photo = data.astronaut()[:, 40:440]  # not square
    want = predict_matte(photo, MattingSettings(device="cpu", matting_backend="torch"))
    got = predict_matte(photo)
    assert 0.2 < want.mean() < 0.8
    # Eq. (1) takes an arg-max: where two labels tie, rounding decides. 0 pixels beyond 1e-3 seen.
    assert_allclose(got, want, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("size", "stages"), [((33, 70), 1), ((75, 50), 2), ((64, 32), 3)])
def test_onnx_equals_torch_at_any_size_and_number_of_stages(exported, size, stages):
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    ours, theirs = pick_engine("mobile", "torch", device="cpu"), pick_engine(exported)
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


@pytest.mark.parametrize("preset", ["mobile", ablated("mobile", "agm"), ablated("mobile", "high-resolution")])
def test_an_exported_file_holds_the_parameters_of_the_network(preset, tmp_path):
    """With batch norms apart, and parameters of equal value too: all biases of a fresh network are 0."""
    torch.manual_seed(0)
    trained, file = tmp_path / "w.safetensors", tmp_path / "w.onnx"
    save_weights(trained, MattingNet(PRESETS[preset]).state_dict(), preset, {"commit": "abc"})
    file.write_bytes(to_onnx(trained, 1))
    want, got = load_net(trained), load_net(file)
    assert got.config == want.config
    for key, value in want.state_dict().items():
        torch.testing.assert_close(got.state_dict()[key], value, rtol=0, atol=0)
    assert {one.key: one.value for one in onnx.load(file).metadata_props}["commit"] == "abc"


def test_sessions_use_the_threads_that_a_worker_has():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        session = networks.Session(FOLDER / "mobile.onnx", "mobile")
    finally:
        cv2.setNumThreads(before)
    assert session._session.get_session_options().intra_op_num_threads == 1


def test_half_precision_takes_half_the_space_of_convolutions(exported):
    assert exported.stat().st_size < 0.6 * len(to_onnx("mobile", 2))
    want = load_net("mobile").state_dict()
    for key, value in load_net(exported).state_dict().items():
        torch.testing.assert_close(value, want[key], rtol=0, atol=0)  # the shipped ones are rounded already


def test_shipped_weights_and_onnx_files_run_in_onnx_runtime_and_others_in_torch(exported, tmp_path):
    trained = tmp_path / "w.safetensors"
    save_weights(trained, load_net("mobile").state_dict(), "mobile", {})
    assert isinstance(pick_engine("mobile"), OnnxEngine)
    assert isinstance(pick_engine(exported), OnnxEngine)
    assert type(pick_engine(trained)).__name__ == "TorchEngine"
    assert type(pick_engine(exported, "torch", "cpu")).__name__ == "TorchEngine"
    assert pick_engine("mobile").config == pick_engine(trained).config == PRESETS["mobile"]


def refused(error, match, *arguments):
    with pytest.raises(error, match=match) as caught:
        pick_engine(*arguments)
    assert "\n" not in str(caught.value)


def test_unusable_onnx_files_and_devices_are_refused_in_one_line(tmp_path, exported):
    refused(InvalidInput, "expected one of auto, torch, onnx, found 'tpu'", "mobile", "tpu")
    refused(BackendUnavailable, "expected device cpu, found cuda", exported, "onnx", "cuda")
    refused(BackendUnavailable, r"expected a \.onnx file, found a\.safetensors", "a.safetensors", "onnx")
    refused(WeightsError, "found none", tmp_path / "none.onnx")
    cut = tmp_path / "cut.onnx"
    for length in (0, 7, 1000, exported.stat().st_size - 5000):
        cut.write_bytes(exported.read_bytes()[:length])
        refused(WeightsError, "matting weights .*cut.onnx", cut)
        refused(WeightsError, "matting weights .*cut.onnx", cut, "torch", "cpu")
    cut.write_text("Dear diary")
    refused(WeightsError, "damaged, cut short or no ONNX file", cut)
    with pytest.raises(InvalidInput, match="matting_stages: expected at least 1, found 0"):
        MattingSettings(matting_stages=0)


def test_an_onnx_file_of_something_else_is_refused(tmp_path, exported):
    model = onnx.load(str(exported))
    onnx.helper.set_model_props(model, {"preset": "huge", "config": "{}", "stages": "1"})
    onnx.save(model, tmp_path / "huge.onnx")
    refused(WeightsError, "metadata preset paper, mobile", tmp_path / "huge.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    refused(WeightsError, "expected a file of `wideopen export matting`", tmp_path / "other.onnx")
    image, alpha = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("x", "y"))
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "other", [image], [alpha])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    onnx.helper.set_model_props(model, {"preset": "mobile", "config": "{}", "stages": "1"})
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(WeightsError, match="cannot be run"):
        predict_matte(np.zeros((40, 40, 3), np.uint8), MattingSettings(matting=tmp_path / "other.onnx"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_that_was_changed_is_refused(name, monkeypatch, tmp_path):
    monkeypatch.setattr("wideopen.matting.weights.FOLDER", tmp_path)
    refused(WeightsError, f"expected a file .*{name}.onnx, found none", name)
    (tmp_path / f"{name}.onnx").write_bytes(b"other")
    refused(WeightsError, "expected SHA-256 [0-9a-f]{64}, found d9298a10", name)


def test_without_torch_the_extra_is_named(exported, monkeypatch):
    monkeypatch.setattr(networks, "find_spec", lambda name: None if name == "torch" else name)
    how = r"torch is not installed \(pip install 'wideopen\[torch\]'\)"
    for arguments in (("a.safetensors",), ("mobile", "torch"), ("mobile", "auto", "cuda")):
        refused(BackendUnavailable, how, *arguments)
    assert pick_engine(exported) is not None
