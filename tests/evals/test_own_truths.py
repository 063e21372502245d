"""Our own truths as benchmarks: what the scripts write is read completely and judged with its own settings."""

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
pytest.importorskip("pymatting")
pytest.importorskip("OpenImageIO")

import composites
from lens import export
from wideopen.evals.benchmarks import BENCHMARKS
from wideopen.evals.judge import Judging, by_us, true_picture
from wideopen.files import read
from wideopen.settings import LensSettings, MapSettings

RNG = np.random.default_rng(2)


class FakeRenders:
    """A scene of noise, twice as bright as white in a corner, in place of half an hour of rays."""

    def __init__(self, *_, **__):
        self.light = RNG.random((24, 32, 3), np.float32)
        self.light[:6, :6] = 2

    def view(self, _):
        matte = np.zeros((24, 32), np.float32)
        matte[8:, 10:22] = 1
        clipped = np.minimum(self.light, 1)
        return SimpleNamespace(
            photo=clipped,
            clamped=clipped,
            true=self.light,
            matte=matte,
            disparity=matte,
            lens=SimpleNamespace(focus_disparity=1.0),
            full_radius_px=3.0,
        )

    def radiance(self):
        return self.light


@pytest.mark.parametrize("truth", ["clamped", "true", "hdr"])
def test_the_ray_traced_shots(tmp_path, monkeypatch, truth):
    monkeypatch.setattr(export, "Renders", FakeRenders)
    shots = [(scene, shot) for scene in export.SCENES.values() for shot in scene.shots]
    export.export(tmp_path, shots, truth, None, tmp_path)
    found = BENCHMARKS[f"lens-{truth}"].complete(tmp_path)
    assert len(found.pairs) == 20
    pair = found.pairs[0]
    assert (pair.meta.focus, pair.meta.blur) == ("d=1.000000", "3.0000px")
    assert read(pair.sharp).rgb.max() == pytest.approx(2 if truth == "hdr" else 1, rel=1e-3)
    assert true_picture(pair).rgb.max() == pytest.approx(2 if truth == "hdr" else 1, rel=1e-3)


@pytest.mark.parametrize("hdr", [False, True])
def test_composites_are_exported_as_pairs(tmp_path, hdr):
    for kind in ("photos/rgb", "photos/alpha", "backgrounds"):
        (tmp_path / kind).mkdir(parents=True)
    alpha = np.zeros((120, 160), np.uint8)
    alpha[40:, 50:110] = 255
    for number in range(2):
        Image.fromarray(alpha).save(tmp_path / f"photos/alpha/{number}.png")
        for folder in ("photos/rgb", "backgrounds"):
            noise = RNG.integers(40, 200, (120, 160, 3)).astype(np.uint8)
            Image.fromarray(noise).save(tmp_path / folder / f"{number}.png")
    made = composites.scenes(tmp_path / "photos", tmp_path / "backgrounds", 2, busy=False, hdr=hdr)
    composites.export(tmp_path / "out", made, hdr)
    found = BENCHMARKS["composites-hdr" if hdr else "composites"].complete(tmp_path / "out")
    assert [pair.name for pair in found.pairs] == ["00-background", "00-subject", "01-background", "01-subject"]
    method = partial(by_us, LensSettings(highlights=0.0, grain=0.0), MapSettings())
    line = Judging(method=method).begun()(found.pairs[1])
    assert line["psnr_db"] > 30  # the subject in focus, the background 20 pixels blurred, as asked
    assert found.pairs[1].bokeh.suffix == (".exr" if hdr else ".png")
    assert (read(found.pairs[1].sharp).rgb.max() > 1.2) == hdr  # codes up to 200 are 0.58 of white
