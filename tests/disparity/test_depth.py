"""Depth networks: tiny ones of every architecture, from a local folder, through the code that runs the real ones."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import load_file, save_file

from tiny_depth import ARCHITECTURES, channels_last, save_tiny, save_tiny_onnx, tiny_onnx
from wideopen import networks
from wideopen.disparity import hub
from wideopen.disparity.hub import DEFAULT, ROWS
from wideopen.disparity.predict import (
    INPUTS,
    Input,
    Prepared,
    cut_border,
    input_of,
    meaning,
    network_size,
    predict_depth,
    prepare,
)
from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError

RNG = np.random.default_rng(2)
PHOTO = RNG.integers(0, 256, (90, 140, 3), np.uint8)
KINDS = {
    "depth_anything": "relative_disparity",
    "depth_pro": "disparity",
    "dpt": "relative_disparity",
    "zoedepth": "depth_m",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """For networks this small the threads of torch cost more than they bring, most of all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    for architecture in ARCHITECTURES:
        save_tiny(folder / architecture, architecture)
    return folder


@pytest.fixture
def broken(tiny, tmp_path):
    """A copy of the tiny DPT, to be broken."""
    return shutil.copytree(tiny / "dpt", tmp_path / "dpt")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_predicts_from_a_folder(tiny, architecture, capfd):
    depth = predict_depth(PHOTO, model=tiny / architecture, device="cpu")
    assert (depth.kind, depth.name) == (KINDS[architecture], architecture)
    assert depth.values.ndim == 2
    assert np.isfinite(depth.values).all()
    assert depth.values.std() > 1e-3
    again = predict_depth(PHOTO, model=str(tiny / architecture), device="cpu")
    assert_allclose(again.values, depth.values, rtol=0, atol=0)
    other = predict_depth(255 - PHOTO, model=tiny / architecture, device="cpu")
    assert np.abs(other.values - depth.values).max() > 1e-3  # it looks at the photo
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""  # neither bars nor warnings


def graded(size=(90, 140)):
    """A photo that gets brighter to the right."""
    return np.broadcast_to(np.linspace(0, 255, size[1]).astype(np.uint8)[None, :, None], (*size, 3)).copy()


def test_a_folder_with_an_onnx_file_needs_no_torch(tmp_path):
    depth = predict_depth(graded(), model=save_tiny_onnx(tmp_path / "tiny"))
    assert (depth.kind, depth.name, depth.values.shape) == ("relative_disparity", "tiny", (56, 84))
    assert depth.values.dtype == np.float32
    mean, std = (np.mean(values[:2]) for values in (INPUTS["depth_anything"].mean, INPUTS["depth_anything"].std))
    assert_allclose(depth.values[:, [0, -1]].mean(0), [(0 - mean) / std, (1 - mean) / std], rtol=0, atol=0.05)
    assert (np.diff(depth.values, axis=1) >= 0).all()


@pytest.mark.parametrize(("model_type", "kind"), KINDS.items())
def test_the_meaning_of_an_export_is_read_from_its_configuration(tmp_path, model_type, kind):
    depth = predict_depth(graded(), model=save_tiny_onnx(tmp_path / "tiny", model_type))
    assert depth.kind == ("depth_m" if model_type == "depth_pro" else kind)  # its export divides by its output


def test_an_onnx_file_is_run_as_it_describes_itself(tmp_path):
    file = tmp_path / "mine.onnx"
    file.write_bytes(tiny_onnx((28, 42), channels=3, output=(1, 1, 28, 42)))
    depth = predict_depth(graded(), model=file)
    assert (depth.kind, depth.name, depth.values.shape) == ("relative_disparity", "mine.onnx", (28, 42))
    config = {"size": 64, "ensure_multiple_of": 32, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}
    file.write_bytes(tiny_onnx(depth_kind="depth_m", preprocessor_config=json.dumps(config)))
    depth = predict_depth(graded((90, 90)), model=file)
    assert (depth.kind, depth.values.shape) == ("depth_m", (64, 64))
    assert_allclose([depth.values.min(), depth.values.max()], [0, 1], rtol=0, atol=0.01)


def test_the_json_beside_an_onnx_file_comes_before_its_metadata(tmp_path):
    file, beside = tmp_path / "mine.onnx", tmp_path / "mine.json"
    metadata = {"size": 56, "ensure_multiple_of": 28, "image_mean": [1, 1, 1]}
    file.write_bytes(tiny_onnx(depth_kind="depth_m", preprocessor_config=json.dumps(metadata)))
    assert predict_depth(graded((90, 90)), model=file).values.max() < 1
    for factor, kind in ((1 / 255, "relative_disparity"), (1, "disparity")):
        config = {"image_mean": [0, 0, 0], "image_std": [1, 1, 1], "rescale_factor": factor, "depth_kind": kind}
        beside.write_text(json.dumps(config), encoding="utf-8")
        depth = predict_depth(graded((90, 90)), model=file)
        assert (depth.kind, depth.values.shape) == (kind, (56, 56))  # the rest is the metadata's
        assert_allclose(depth.values.max(), 255 * factor, rtol=0.02, atol=0)


def test_an_onnx_file_may_have_its_channels_last_and_several_outputs(tmp_path):
    file = tmp_path / "mine.onnx"
    file.write_bytes(channels_last((28, 42)))
    config = {"image_mean": [0, 0, 0], "image_std": [1, 1, 1], "depth_kind": "depth_m", "depth_output": "metres"}
    (tmp_path / "mine.json").write_text(json.dumps(config), encoding="utf-8")
    depth = predict_depth(graded(), model=file)
    assert (depth.kind, depth.values.shape) == ("depth_m", (28, 42))
    assert (np.diff(depth.values, axis=1) > 0).all()


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (10, 2000)])
def test_an_onnx_file_takes_photos_of_any_size(tmp_path, size):
    rows, columns = predict_depth(graded(size), model=save_tiny_onnx(tmp_path / "tiny")).values.shape
    assert max(rows, columns) <= 3 * 56


def test_a_model_has_the_form_that_its_device_runs(tmp_path):
    assert hub.resolve(DEFAULT).download.in_onnx
    assert hub.resolve(DEFAULT, "cuda").download == ROWS[DEFAULT].torch
    assert hub.resolve("zoedepth").download == ROWS["zoedepth"].torch
    with pytest.raises(WeightsError, match="expected one of depth_anything"):  # as .safetensors, which it has not
        predict_depth(PHOTO, model=save_tiny_onnx(tmp_path / "tiny", "other"), device="cuda")


@pytest.mark.parametrize("architecture", ["depth_anything", "zoedepth"])
@pytest.mark.parametrize("size", [(90, 140), (140, 90), (40, 400), (1, 1), (1, 60)])
def test_the_aspect_is_kept_where_the_network_allows(tiny, architecture, size):
    photo = np.resize(PHOTO, (*size, 3))
    rows, columns = predict_depth(photo, model=tiny / architecture, device="cpu").values.shape
    if max(size) < 3 * min(size):
        assert columns / rows == pytest.approx(size[1] / size[0], rel=0.2)  # multiples of 14 and 32 of some 60
    assert max(rows, columns) <= 3 * 64


@pytest.mark.parametrize("size", [(3000, 4000), (4000, 3000), (480, 640), (100, 100), (1080, 1920), (333, 1000)])
def test_sizes_are_those_of_transformers(size):
    from transformers.models.dpt.image_processing_pil_dpt import get_resize_output_image_size as of_dpt
    from transformers.models.zoedepth.image_processing_pil_zoedepth import get_resize_output_image_size as of_zoe

    image = np.zeros((3, *size), np.uint8)
    want = of_dpt(image, (518, 518), keep_aspect_ratio=True, multiple=14)
    if max(want.height, want.width) <= 3 * 518:
        assert network_size(*size, INPUTS["depth_anything"]) == (want.height, want.width)
    theirs = of_zoe(image, (384, 512), keep_aspect_ratio=True, multiple=32, input_data_format="channels_first")
    if max(theirs) <= 3 * 512:
        assert network_size(*size, INPUTS["zoedepth"]) == tuple(map(int, theirs))
    assert network_size(*size, INPUTS["dpt"]) == (384, 384)
    assert network_size(*size, INPUTS["depth_pro"]) == (1536, 1536)


def test_a_panorama_stays_within_bounds():
    rows, columns = network_size(1000, 8000, INPUTS["depth_anything"])
    assert columns <= 3 * 518
    assert columns / rows == pytest.approx(8, rel=0.1)


@pytest.mark.parametrize("architecture", ["depth_anything", "dpt"])
def test_pixels_are_those_of_transformers(architecture):
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    y, x = np.mgrid[0:300, 0:400]
    photo = np.stack([x * 255 / 399, y * 255 / 299, 127 + 100 * np.sin(x / 40)], axis=-1).astype(np.uint8)
    wanted = INPUTS[architecture]
    theirs = DPTImageProcessorPil(
        size={"height": wanted.size[0], "width": wanted.size[1]},
        keep_aspect_ratio=wanted.keep_aspect,
        ensure_multiple_of=wanted.multiple,
        image_mean=wanted.mean,
        image_std=wanted.std,
    )(photo, return_tensors="np")["pixel_values"][0]
    ours = prepare(photo, wanted).pixels
    assert_allclose(ours, theirs, rtol=0, atol=0.06)  # worst seen: 0.036; a code is 0.017 at this deviation


def test_fine_patterns_are_averaged_not_sampled():
    photo = np.zeros((1200, 1600, 3), np.uint8)
    photo[::2, ::2] = photo[1::2, 1::2] = 255
    for wanted in INPUTS.values():
        if max(wanted.size) < 1000:
            assert_allclose(prepare(photo, wanted).pixels.std(axis=(1, 2)), 0, rtol=0, atol=0.25)  # 0.5 grey


def test_zoedepths_border_is_cut_off_where_it_was_put():
    photo = np.zeros((300, 400, 3), np.uint8)
    photo[60:120, 100:300] = 255
    prepared = prepare(photo, INPUTS["zoedepth"])
    theirs = [3 * np.sqrt(side / 2) / side for side in (300, 400)]  # border over photo
    inner = np.array(prepared.pixels.shape[1:]) - 2 * np.array(prepared.border)
    assert_allclose(np.array(prepared.border) / inner, theirs, rtol=0.05, atol=0)
    shown = cut_border(prepared.pixels[0], prepared) > 0
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    found = [rows[0] / len(shown), (rows[-1] + 1) / len(shown)]
    found += [columns[0] / shown.shape[1], (columns[-1] + 1) / shown.shape[1]]
    assert_allclose(found, [0.2, 0.4, 0.25, 0.75], rtol=0, atol=0.005)
    half = cut_border(prepared.pixels[0, ::2, ::2], prepared)  # as networks do that answer at half the size
    assert_allclose(half.shape, np.array(shown.shape) / 2, rtol=0, atol=1)


def test_a_folders_input_format_is_used(tiny, tmp_path):
    small = shutil.copytree(tiny / "depth_anything", tmp_path / "small")
    config = {"size": {"height": 28, "width": 28}, "keep_aspect_ratio": False, "image_mean": [0, 0, 0], "do_pad": False}
    (small / "preprocessor_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert predict_depth(PHOTO, model=small, device="cpu").values.shape == (28, 28)
    wanted = input_of("depth_anything", {**config, "size": 42, "ensure_multiple_of": 7}, "x")
    assert (wanted.size, wanted.multiple, wanted.mean) == ((42, 42), 7, (0, 0, 0))
    assert not input_of("zoedepth", {"do_pad": False}, "x").padded
    (small / "preprocessor_config.json").unlink()
    assert input_of("dpt", {}, "x") == INPUTS["dpt"]


@pytest.mark.parametrize(
    "preprocessor",
    [{"size": {"shortest_edge": 3}}, {"size": "large"}, {"image_mean": [1]}, {"image_std": [0, 1, 1]}, {"size": -4}],
)
def test_an_invalid_preprocessor_is_refused(preprocessor):
    with pytest.raises(WeightsError, match=r"depth model odd: preprocessor_config\.json"):
        input_of("dpt", preprocessor, "odd")


def test_meaning_follows_from_the_configuration():
    kinds = {"depth_anything": "relative_disparity", "dpt": "relative_disparity"}
    kinds |= {"depth_pro": "disparity", "zoedepth": "depth_m"}
    assert set(kinds) == set(INPUTS)
    for architecture, kind in kinds.items():
        assert meaning({"model_type": architecture}) == kind
    assert meaning({"model_type": "depth_anything", "depth_estimation_type": "metric"}) == "depth_m"
    assert meaning({"model_type": "dpt", "backbone_config": {"model_type": "dinov2"}}) == "depth_m"
    assert meaning({"model_type": "dpt", "backbone_config": None}) == "relative_disparity"


def test_rows_are_pinned_to_a_commit_and_the_default_is_free():
    for name, row in ROWS.items():
        assert row.name == name
        assert ("needs wideopen[torch]" in row.remark) == (row.onnx is None)
        for form in filter(None, (row.onnx, row.torch)):
            assert re.fullmatch(r"[0-9a-f]{40}", form.revision) or form.repo == "Xenova/dpt-large"
            assert form.megabytes > 0
    assert ROWS[DEFAULT].licence == "Apache-2.0"


def test_the_documented_table_is_that_of_the_rows():
    page = (Path(__file__).parents[2] / "docs" / "depth.md").read_text(encoding="utf-8").replace("*", "")
    for row in ROWS.values():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{row.name}`")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1] == row.form().repo
        assert cells[2].split()[0] == row.licence
        assert cells[3] == f"{row.form().megabytes} MB"
        assert ("default" in cells[0]) == (row.name == DEFAULT)


class TestRefusals:
    """Each in one line that names the model."""

    def refused(self, model):
        with pytest.raises(WeightsError) as caught:
            predict_depth(PHOTO, model=model, device="cpu")
        message = str(caught.value)
        assert message.startswith("depth model ")
        assert "\n" not in message
        return message

    def test_an_empty_folder_is_refused(self, tmp_path):
        assert "expected config.json" in self.refused(tmp_path)

    @pytest.mark.parametrize("text", ["{", "[]", '"dpt"', "\x00", "[" * 100_000])
    def test_an_invalid_configuration_is_refused(self, broken, text):
        (broken / "config.json").write_text(text, encoding="utf-8")
        assert "config.json" in self.refused(broken)

    @pytest.mark.parametrize("kind", ["bert", None, 7])
    def test_a_model_for_another_task_is_refused(self, broken, kind):
        config = json.loads((broken / "config.json").read_text(encoding="utf-8"))
        (broken / "config.json").write_text(json.dumps({**config, "model_type": kind}), encoding="utf-8")
        assert f"found model_type {kind!r}" in self.refused(broken)

    def test_weights_in_a_pickle_are_not_opened(self, broken):
        (broken / "model.safetensors").unlink()
        torch.save({}, broken / "pytorch_model.bin")
        message = self.refused(broken)
        assert "expected weights as .safetensors" in message
        assert "pytorch_model.bin" in message

    def test_a_folder_without_weights_is_refused(self, broken):
        (broken / "model.safetensors").unlink()
        assert "found no weights" in self.refused(broken)

    @pytest.mark.parametrize("keep", [0, 7, 100])
    def test_a_damaged_onnx_file_is_refused(self, tmp_path, keep):
        file = tmp_path / "cut.onnx"
        file.write_bytes(tiny_onnx()[:keep])
        assert "depth model cut.onnx: damaged, cut short or no ONNX file" in self.refused(file)

    @pytest.mark.parametrize("signature", [{"channels": 1}, {"sides": ("height",)}, {"channels": 4}])
    def test_an_onnx_file_of_another_signature_is_refused(self, tmp_path, signature):
        file = tmp_path / "odd.onnx"
        file.write_bytes(tiny_onnx(**signature))
        message = self.refused(file)
        assert (
            "expected one input (1, 3, height, width) or (1, height, width, 3) and a map" in message
            or "damaged" in message
        )

    def test_invalid_metadata_are_refused(self, tmp_path):
        file = tmp_path / "odd.onnx"
        file.write_bytes(tiny_onnx(depth_kind="feet"))
        assert "expected depth_kind disparity, depth_m, relative_disparity, found 'feet'" in self.refused(file)
        file.write_bytes(tiny_onnx(preprocessor_config="{"))
        assert "its metadata preprocessor_config cannot be read" in self.refused(file)

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("{", "mine.json cannot be read"),
            ('{"mean": 0}', "mine.json: expected size, keep_aspect_ratio"),
            ('{"image_mean": 0}', "mine.json is not understood"),
            ('{"rescale_factor": 0}', "mine.json: expected a size from 1"),
            ('{"depth_kind": "feet"}', "found 'feet'"),
            ('{"depth_output": "normals"}', "expected depth_output predicted_depth, found 'normals'"),
            ('{"depth_output": ["normals"]}', "expected depth_output predicted_depth, found ['normals']"),
        ],
    )
    def test_an_invalid_json_beside_an_onnx_file_is_refused(self, tmp_path, text, found):
        (tmp_path / "mine.onnx").write_bytes(tiny_onnx())
        (tmp_path / "mine.json").write_text(text, encoding="utf-8")
        assert found in self.refused(tmp_path / "mine.onnx")

    def test_models_that_need_torch_are_refused_without_it(self, tiny, monkeypatch):
        monkeypatch.setattr(networks, "find_spec", lambda name: None if name == "torch" else name)
        how = r"depth model dpt: torch is not installed \(pip install 'wideopen\[torch\]'\)"
        with pytest.raises(BackendUnavailable, match=how):
            predict_depth(255 - PHOTO, model=shutil.copytree(tiny / "dpt", tiny / "other" / "dpt"))

    @pytest.mark.parametrize("keep", [0, 4, 1000, 100_000])
    def test_truncated_weights_are_refused(self, broken, keep):
        file = broken / "model.safetensors"
        file.write_bytes(file.read_bytes()[:keep])
        assert "damaged or cut short" in self.refused(broken)

    def test_weights_of_random_bytes_are_refused(self, broken):
        (broken / "model.safetensors").write_bytes(RNG.bytes(5000))
        assert "damaged or cut short" in self.refused(broken)

    def test_weights_that_lack_a_layer_are_refused(self, broken):
        """Transformers would start that layer from random numbers and go on."""
        state = load_file(broken / "model.safetensors")
        save_file({k: v for k, v in state.items() if "head" not in k}, broken / "model.safetensors", {"format": "pt"})
        assert "missing" in self.refused(broken)

    def test_weights_of_another_width_are_refused(self, broken):
        config = json.loads((broken / "config.json").read_text(encoding="utf-8"))
        (broken / "config.json").write_text(json.dumps({**config, "fusion_hidden_size": 12}), encoding="utf-8")
        self.refused(broken)

    def test_an_external_backbone_is_refused(self, broken):
        config = json.loads((broken / "config.json").read_text(encoding="utf-8"))
        (broken / "config.json").write_text(json.dumps({**config, "use_timm_backbone": True}), encoding="utf-8")
        assert "found a backbone elsewhere" in self.refused(broken)

    def test_models_not_on_disk_are_refused_with_size_and_licence(self):
        message = self.refused("dpt")
        assert "not on disk" in message
        assert "1370 MB, licence Apache-2.0" in message
        assert "not on disk" in self.refused("someone/some-model")

    @pytest.mark.parametrize(
        "word", ["", "nothing", "no/such.onnx", "a/b/c", "/no/such/folder", "../no-such-folder", "a b/c", "http://x/y"]
    )
    def test_unknown_words_are_refused(self, word):
        with pytest.raises(
            InvalidInput,
            match=r"depth: expected auto, embedded, small, planar, depth-anything-v2-small, .* or a hub id",
        ):
            hub.resolve(word)

    def test_arrays_that_are_not_photos_are_refused(self, tiny):
        with pytest.raises(InvalidInput, match=r"srgb_u8: expected \(H, W, 3\) uint8"):
            predict_depth(PHOTO.astype(np.float32), model=tiny / "dpt")


def test_code_that_comes_with_a_model_is_not_run(broken, tmp_path):
    trap = tmp_path / "sprung"
    (broken / "modeling.py").write_text(f"open({str(trap)!r}, 'w')\n", encoding="utf-8")
    config = json.loads((broken / "config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoConfig": "modeling.Config", "AutoModelForDepthEstimation": "modeling.Model"}
    (broken / "config.json").write_text(json.dumps(config), encoding="utf-8")
    predict_depth(PHOTO, model=broken, device="cpu")
    assert not trap.exists()


def test_a_layer_that_is_never_run_may_be_missing(tiny, broken):
    """DPT's weights on the hub lack it."""
    state = load_file(broken / "model.safetensors")
    unused = [key for key in state if key.startswith("neck.fusion_stage.layers.0.residual_layer1.")]
    assert unused
    save_file({k: v for k, v in state.items() if k not in unused}, broken / "model.safetensors", {"format": "pt"})
    got, want = (predict_depth(PHOTO, model=folder, device="cpu").values for folder in (broken, tiny / "dpt"))
    assert_allclose(got, want, rtol=0, atol=0)


def test_weights_replaced_on_disk_are_noticed(tiny, broken):
    first = predict_depth(PHOTO, model=broken, device="cpu").values
    state = load_file(broken / "model.safetensors")
    save_file({k: 0.5 * v for k, v in state.items()}, broken / "model.safetensors", {"format": "pt"})
    assert np.abs(predict_depth(PHOTO, model=broken, device="cpu").values - first).max() > 1e-3


def test_cutting_no_border_changes_nothing():
    values = RNG.random((8, 12), np.float32)
    whole = Prepared(np.zeros((3, 8, 12), np.float32), (0, 0))
    assert_allclose(cut_border(values, whole), values, rtol=0, atol=0)
    assert isinstance(INPUTS["dpt"], Input)
