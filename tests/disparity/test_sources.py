"""Sources of disparity: a named source is used or refused; "auto" chooses and reports its choice."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tiny_depth import save_tiny_onnx
from wideopen import InvalidInput, WeightsError, analyze
from wideopen.disparity import hub
from wideopen.disparity.planar import planar
from wideopen.pipeline import understand
from wideopen.settings import MapSettings

RNG = np.random.default_rng(12)


@dataclass(frozen=True)
class Embedded:
    """What a reader of files would give."""

    values: object
    kind: str = "disparity"
    name: str = "HEIC auxiliary disparity"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny_onnx(tmp_path_factory.mktemp("model"))


@pytest.fixture
def portrait():
    """A photo with a bright disk on grey, and its matte."""
    y, x = np.mgrid[0:72, 0:96].astype(np.float32)
    matte = np.clip((20 - np.hypot(x - 48, y - 36)) / 2 + 0.5, 0, 1)
    photo = np.where(matte[..., None] > 0.5, np.float32(0.6), np.float32(0.1)) + 0.02 * RNG.random((72, 96, 3))
    return photo.astype(np.float32), matte


def phone_depth(size=(18, 24)):
    """A disparity as a phone's: the disk near, a floor behind, a corner unknown."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / size[0]
    d = np.where(np.hypot(x - 2 / 3, y - 0.5) < 20 / 72, 2.0, 0.2 + 0.5 * y).astype(np.float32)
    d[:3, :3] = np.nan
    return d


def test_planar_is_the_matte_alone_and_needs_neither_torch_nor_hub(portrait):
    photo, matte = portrait
    maps = understand(photo, MapSettings(depth="planar"), matte=matte)
    assert (maps.disparity_source, maps.disparity_filtered) == ("planar", False)
    assert_allclose(maps.disparity, planar(matte), rtol=0, atol=0)
    script = """
import sys, numpy as np
from wideopen import analyze
analyze(np.full((8, 8, 3), 0.5, np.float32), matte=np.eye(8, dtype=np.float32), depth="planar", backend="reference")
print(*{"torch", "transformers", "huggingface_hub"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_embedded_depth_is_used_at_the_photos_size(portrait):
    photo, matte = portrait
    maps = understand(photo, MapSettings(depth="embedded"), matte=matte, embedded=Embedded(phone_depth()))
    assert (maps.disparity_source, maps.disparity_filtered) == ("embedded: HEIC auxiliary disparity", True)
    assert maps.disparity.shape == matte.shape
    assert maps.disparity[matte == 1].min() > 0.9
    assert maps.disparity[matte == 0].max() < 0.4
    assert np.abs(maps.disparity[:10, :10]).max() < 0.2  # the unknown corner continues what is beside it
    metres = understand(
        photo, MapSettings(depth="embedded"), matte=matte, embedded=Embedded(1 / phone_depth(), "depth_m")
    )
    assert_allclose(metres.disparity, maps.disparity, rtol=0, atol=1e-4)


def test_a_model_is_named_by_its_folder(portrait, tiny):
    photo, matte = portrait
    scene = analyze(photo, MapSettings(depth=tiny, device="cpu"), matte=matte)
    assert scene.maps.disparity_source == f"predicted by {tiny.name}"
    assert scene.maps.disparity_filtered
    assert scene.disparity.shape == matte.shape
    assert 0 <= scene.disparity.min() < scene.disparity.max() <= 1
    assert not [note for note in scene.maps.notes if "made from the matte" in note]
    unfiltered = understand(photo, MapSettings(depth=str(tiny), device="cpu", filter_disparity=False), matte=matte)
    assert not unfiltered.disparity_filtered


class TestAuto:
    def test_embedded_depth_comes_first(self, portrait, tiny, monkeypatch):
        monkeypatch.setattr(hub, "on_disk", lambda *_: tiny)
        maps = understand(portrait[0], MapSettings(depth="auto"), matte=portrait[1], embedded=Embedded(phone_depth()))
        assert maps.disparity_source.startswith("embedded: ")

    def test_then_the_default_model_if_it_is_on_disk(self, portrait, tiny, monkeypatch):
        monkeypatch.setattr(hub, "on_disk", lambda *_: tiny)
        monkeypatch.setattr("wideopen.disparity.predict.on_disk", lambda *_: tiny)
        maps = understand(portrait[0], MapSettings(depth="auto", device="cpu"), matte=portrait[1])
        assert maps.disparity_source == "predicted by depth-anything-v2-small"
        assert maps.notes == ()

    def test_auto_falls_back_to_small_without_a_note(self, portrait):
        maps = understand(portrait[0], MapSettings(depth="auto"), matte=portrait[1])
        assert (maps.disparity_source, maps.disparity_filtered, maps.notes) == ("predicted by small", False, ())
        named = understand(portrait[0], MapSettings(depth="small"), matte=portrait[1])
        assert_allclose(named.disparity, maps.disparity, rtol=0, atol=0)

    @pytest.mark.parametrize("bad", [phone_depth((24, 24)), np.full((18, 24), np.nan, np.float32)])
    def test_unusable_embedded_depth_is_skipped_with_a_note(self, portrait, bad):
        maps = understand(portrait[0], MapSettings(depth="auto"), matte=portrait[1], embedded=Embedded(bad))
        assert maps.disparity_source == "predicted by small"
        assert "the depth inside the photo cannot be used (HEIC auxiliary disparity: expected" in maps.notes[0]


class TestNamed:
    """Used or refused, never replaced."""

    def test_embedded_is_refused_without_a_map(self, portrait):
        with pytest.raises(InvalidInput, match="expected depth inside the photo's file, found none"):
            understand(portrait[0], MapSettings(depth="embedded"), matte=portrait[1])

    def test_an_embedded_map_of_another_aspect_is_refused(self, portrait):
        with pytest.raises(InvalidInput, match=r"HEIC.*expected the aspect of the photo, 96 x 72, found 24 x 24"):
            understand(
                portrait[0], MapSettings(depth="embedded"), matte=portrait[1], embedded=Embedded(phone_depth((24, 24)))
            )

    def test_a_model_not_on_disk_is_refused(self, portrait):
        with pytest.raises(WeightsError, match=r"depth model dpt .*: not on disk"):
            understand(portrait[0], MapSettings(depth="dpt"), matte=portrait[1])

    def test_an_unknown_word_is_refused_even_with_a_disparity(self, portrait):
        photo, matte = portrait
        with pytest.raises(InvalidInput, match="depth: expected auto, embedded, small, planar"):
            understand(photo, MapSettings(depth="magic"), matte=matte)

    def test_a_map_and_a_source_together_are_refused(self, portrait):
        photo, matte = portrait
        with pytest.raises(InvalidInput, match="expected one of them, found a disparity map and depth='embedded'"):
            understand(photo, MapSettings(depth="embedded"), matte=matte, disparity=matte)

    def test_planar_ignores_depth_in_the_file(self, portrait):
        maps = understand(portrait[0], MapSettings(depth="planar"), matte=portrait[1], embedded=Embedded(phone_depth()))
        assert maps.disparity_source == "planar"
