"""The ComfyUI nodes: loaded from their folder as ComfyUI does, with wideopen's options, and run as a small graph."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from wideopen import InvalidInput, analyze, render
from wideopen.arrays.transfer import decode
from wideopen.color import SRGB
from wideopen.options import options_of
from wideopen.settings import LensSettings

torch = pytest.importorskip("torch")
PACK = Path(__file__).parents[1] / "integrations" / "comfyui"
SIZE = (40, 48)


@pytest.fixture(scope="module")
def nodes():
    """The node classes by name; ComfyUI imports each folder of custom_nodes like this."""
    spec = importlib.util.spec_from_file_location("custom_nodes_wideopen", PACK / "__init__.py")
    pack = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = pack
    spec.loader.exec_module(pack)
    return pack.NODE_CLASS_MAPPINGS


def run(node, **links):
    """Run a node as ComfyUI does: linked inputs, and the defaults of the others. Checks types of what comes out."""
    inputs = node.INPUT_TYPES()["required"]
    given = {name: shape[1]["default"] for name, shape in inputs.items() if name not in links and len(shape) > 1}
    assert set(given) | set(links) == set(inputs)
    results = getattr(node(), node.FUNCTION)(**given, **links)
    assert len(results) == len(node.RETURN_TYPES)
    for result, kind in zip(results, node.RETURN_TYPES, strict=True):
        if kind in ("IMAGE", "MASK"):
            assert result.dtype == torch.float32
            assert result.ndim == (4 if kind == "IMAGE" else 3)
            assert 0 <= result.min() <= result.max() <= 1
    return results[0]


@pytest.fixture(scope="module")
def codes():
    """Two pictures (2, H, W, 3) uint8."""
    return np.random.default_rng(3).integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def maps():
    matte, slope = np.zeros(SIZE, np.float32), np.linspace(0, 0.5, SIZE[1], dtype=np.float32)
    matte[10:, 15:35] = 1
    noise = np.random.default_rng(4).uniform(-0.1, 0.1, SIZE).astype(np.float32)  # the filter would smooth it
    return matte, np.clip(np.where(matte > 0, np.float32(0.8), slope) + noise, 0, 1)


def test_a_graph_of_all_nodes_renders_a_batch(nodes, codes):
    image = torch.from_numpy(codes.astype(np.float32) / 255)
    matte = run(nodes["WideopenMatte"], image=image)
    disparity = run(nodes["WideopenDepth"], image=image, matte=matte, depth="small")
    lens = run(nodes["WideopenLens"], blur="5%", aperture="polygon:6")
    result = run(nodes["WideopenBokeh"], image=image, matte=matte, disparity=disparity, lens=lens)
    assert matte.shape == disparity.shape == (2, *SIZE)
    assert result.shape == image.shape
    assert (result - image).abs().max() > 0.1


def test_bokeh_node_gives_the_pictures_of_the_library(nodes, codes, maps):
    image, (matte, disparity) = torch.from_numpy(codes.astype(np.float32) / 255), maps
    lens = run(nodes["WideopenLens"], blur="6%", grain="off")
    masks = {"matte": torch.from_numpy(matte)[None], "disparity": torch.from_numpy(disparity)[None]}
    result = run(nodes["WideopenBokeh"], image=image, lens=lens, **masks)
    scene = analyze(
        decode(codes[1], SRGB, bit_depth=8), matte=matte, disparity=disparity, filter_disparity=False, exact_matte=False
    )
    want = render(scene, LensSettings(blur="6%", grain=0.0).lens(scene))
    got = decode(np.rint(result[1].numpy() * 65535).astype(np.uint16), SRGB, bit_depth=16)
    np.testing.assert_allclose(got, want.clip(0, 1), rtol=0, atol=5e-4)


def test_no_blur_gives_the_image_back(nodes, codes, maps):
    image, (matte, disparity) = torch.from_numpy(codes.astype(np.float32) / 255), maps
    lens = run(nodes["WideopenLens"], blur="0%")
    masks = {"matte": torch.from_numpy(matte)[None], "disparity": torch.from_numpy(disparity)[None]}
    result = run(nodes["WideopenBokeh"], image=image, lens=lens, **masks)
    assert (result - image).abs().max() < 1 / 512


def test_lens_node_has_every_option_of_the_lens_and_its_defaults(nodes):
    shown = nodes["WideopenLens"].INPUT_TYPES()["required"]
    assert set(shown) == {one.name for one in options_of(LensSettings) if one.flag}
    assert shown["cat_eye"][1] | {"tooltip": ""} == {"default": 0.0, "min": 0, "max": 1, "step": 0.05, "tooltip": ""}
    assert shown["look"][0] == ["thin-lens", "paper"]
    assert run(nodes["WideopenLens"]) == LensSettings()
    assert run(nodes["WideopenLens"], focus_range="0.2").focus_range == 0.2


def test_mask_of_another_size_is_refused(nodes, codes, maps):
    image, lens = torch.zeros(1, *SIZE, 3), run(nodes["WideopenLens"])
    masks = {"matte": torch.zeros(1, 7, 9), "disparity": torch.from_numpy(maps[1])[None]}
    with pytest.raises(InvalidInput, match=r"matte: expected a mask \(1, 40, 48\), found \(1, 7, 9\)"):
        run(nodes["WideopenBokeh"], image=image, lens=lens, **masks)
    with pytest.raises(InvalidInput, match="blur: expected a radius"):
        run(nodes["WideopenLens"], blur="wide")
