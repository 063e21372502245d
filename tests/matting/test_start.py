"""A segmentation network as the start of the matte: its signature read, its download, and refusals in one line."""

import hashlib
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose

from wideopen import networks
from wideopen.errors import InvalidInput, WeightsError
from wideopen.matting import start
from wideopen.matting.find_matte import pick_matter
from wideopen.matting.inference import PRESETS, MattingSettings
from wideopen.matting.predict import matte_by
from wideopen.timing import Steps

PHOTO = np.zeros((60, 90, 3), np.uint8)
PHOTO[:, 45:] = 255


def tiny_isnet(side=1024, *, inputs=("input",), gain=1.0, **metadata):
    """A network with IS-Net's signature: `input` squeezed to a square, several maps; the first is the mean colour."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.numpy_helper.from_array(np.full((1, 3, 1, 1), gain / 3, np.float32), "weights")
    half = onnx.numpy_helper.from_array(np.array(0.5 * gain, np.float32), "half")
    nodes = [
        helper.make_node("Conv", [inputs[0], "weights"], ["mean"]),
        helper.make_node("Add", ["mean", "half"], ["output"]),
        helper.make_node("Neg", ["output"], ["1890"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, number, [1, 3, side, side]) for name in inputs],
        [helper.make_tensor_value_info(name, number, [1, 1, side, side]) for name in ("output", "1890")],
        [weights, half],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, metadata)
    return model.SerializeToString()


def saved(path, data):
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("side", [1024, 96, "side"])
def test_photo_is_squeezed_to_the_networks_square_and_normalised_as_isnets(tmp_path, side):
    found = start.segment_by(saved(tmp_path / "net.onnx", tiny_isnet(side)), PHOTO)
    assert found.shape == (1024 if side == "side" else side,) * 2
    assert_allclose(found[:, [0, -1]], [[0, 1]] * len(found), rtol=0, atol=1e-6)


def test_mean_and_deviation_are_read_from_the_file(tmp_path):
    config = json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [2, 2, 2]})
    found = start.segment_by(saved(tmp_path / "net.onnx", tiny_isnet(64, preprocessor_config=config)), PHOTO)
    assert_allclose(found[0, [0, -1]], [0.25, 0.75], rtol=0, atol=1e-6)


def test_mean_and_deviation_are_read_from_beside_the_file(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text('{"image_std": [2, 2, 2]}')
    found = start.segment_by(saved(tmp_path / "net.onnx", tiny_isnet(64)), PHOTO)
    assert_allclose(found[0, [0, -1]], [0.25, 0.75], rtol=0, atol=1e-6)


def test_values_outside_0_and_1_are_logits(tmp_path):
    found = start.segment_by(saved(tmp_path / "net.onnx", tiny_isnet(64, gain=8.0)), PHOTO)
    assert_allclose(found[0, [0, -1]], [0.5, 1 / (1 + np.exp(-8))], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"no network", "damaged, cut short or no ONNX file"),
        (tiny_isnet(64, inputs=("input", "previous")), r"expected one input \(1, 3, H, W\) and a map as output"),
        (tiny_isnet(64, gain=float("nan")), "expected a finite map"),
        (tiny_isnet(64, preprocessor_config='{"image_std": 0}'), "preprocessor_config is not understood"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, data, line):
    with pytest.raises(WeightsError, match=line) as refused:
        start.segment_by(saved(tmp_path / "net.onnx", data), PHOTO)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="expected a file, found none"):
        start.segment_by(str(tmp_path / "none.onnx"), PHOTO)
    with pytest.raises(WeightsError, match="--matting-start isnet` downloads it, found none"):
        start.segment_by("isnet", PHOTO)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"matting_start": "u2net"}, "matting_start: expected auto, none, isnet, rembg:NAME or a .onnx file"),
        ({"matting_start": "isnet", "matting": "rembg:u2net"}, "takes no start"),
    ],
)
def test_unknown_starts_are_refused(settings, line):
    with pytest.raises(InvalidInput, match=line):
        MattingSettings(**settings)


def test_auto_is_isnet_only_for_mobile_and_only_if_it_is_on_disk(tmp_path, monkeypatch):
    file = tmp_path / "isnet.onnx"
    monkeypatch.setattr(start, "isnet_file", lambda: file)
    assert start.chosen_start(MattingSettings()) is None
    assert "not on disk" in start.describe()
    saved(file, tiny_isnet(64))
    assert start.chosen_start(MattingSettings()) == "isnet"
    assert start.chosen_start(MattingSettings(matting="paper")) is None
    assert start.chosen_start(MattingSettings(matting_start="none")) is None
    assert pick_matter(MattingSettings())[1] == "predicted by mobile, started by isnet"
    assert "on disk; mobile starts from it" in start.describe()


def test_areas_the_start_is_sure_of_are_in_the_matte(tmp_path):
    photo = np.full((128, 192, 3), 20, np.uint8)
    photo[32:96, 96:160] = 255  # no person: alone, the network finds little
    settings = {"matting_size": 192, "matting_edges": False}
    alone = pick_matter(MattingSettings(**settings))[0](photo)
    net = saved(tmp_path / "net.onnx", tiny_isnet(256))
    matte = pick_matter(MattingSettings(**settings, matting_start=net))[0](photo)
    assert alone[40:88, 104:152].mean() < 0.5
    assert matte[40:88, 104:152].min() > 0.9
    assert matte[:, :80].max() < 0.1


# The download


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server here in place of rembg's, with an empty folder for what is downloaded."""
    data = tiny_isnet(64)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    monkeypatch.setattr(networks, "assets_folder", lambda: tmp_path / "assets")
    monkeypatch.setattr(start, "assets_folder", lambda: tmp_path / "assets")
    monkeypatch.setattr(start, "is_offline", lambda asked: asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        monkeypatch.setattr(start, "ISNET_URL", f"http://127.0.0.1:{http.server_port}/isnet-general-use.onnx")
        monkeypatch.setattr(start, "ISNET_SHA256", hashlib.sha256(data).hexdigest())
        yield len(data)
        http.shutdown()


def fetch(*, offline=False):
    step, begun, seen = Steps(), [], []
    step.note, step.download = lambda _: begun.append(1), lambda *now: seen.append(now)
    start.fetch_isnet(step, offline=offline)
    return begun, seen


def test_isnet_is_downloaded_once_with_progress(server):
    begun, seen = fetch()
    assert (begun, seen[-1]) == ([1], (server, server))
    assert_allclose(start.segment_by("isnet", PHOTO)[0, [0, -1]], [0, 1], rtol=0, atol=1e-6)
    assert fetch() == ([], [])


def test_offline_downloads_nothing(server):
    with pytest.raises(WeightsError, match="not on disk, and offline: nothing was downloaded"):
        fetch(offline=True)
    assert not start.isnet_file().exists()


def test_another_file_than_expected_is_not_kept(server, monkeypatch):
    monkeypatch.setattr(start, "ISNET_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match="expected SHA-256 0000"):
        fetch()
    assert not list(start.isnet_file().parent.iterdir())


def test_the_start_and_our_network_run_at_the_same_time():
    both = threading.Barrier(2, timeout=20)  # breaks if one waits for the other to finish
    passed = []

    class Engine:
        config = replace(PRESETS["mobile"], size=96, first_size=None)

        def __call__(self, srgb_u8, stages, previous):  # noqa: ARG002
            if previous is None:
                passed.append(both.wait())
            return np.ones(srgb_u8.shape[:2], np.float32)

    def segment(photo_u8):
        passed.append(both.wait())
        return np.ones(photo_u8.shape[:2], np.float32)

    matte_by(Engine(), MattingSettings(matting_edges=False), PHOTO, start=segment)
    assert sorted(passed) == [0, 1]
