"""How good settings are on some pairs: photos are understood once, rendered for each trial.

    score = sum over measures of weight * mean over pairs,   PSNR and edge PSNR in dB, SSIM in [0, 1]
By default 0.6 PSNR + 0.4 edge + 20 SSIM: 0.05 of SSIM weigh as much as 1 dB.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.evals.judge import Picture, lens_of, open_pair, true_picture
from wideopen.evals.measures import Mask, edge_band, measure
from wideopen.evals.pairs import Pair
from wideopen.pipeline import render
from wideopen.session.depth_source import Depths
from wideopen.session.open_photo import Opened
from wideopen.session.settings import LensSettings, MapSettings

MEASURES = ("psnr", "edge", "ssim")
WEIGHTS = {"psnr": 0.6, "edge": 0.4, "ssim": 20.0}
MOST_DB = 99.0  # of equal pictures, whose PSNR is infinite


def parse_weights(text: str) -> dict[str, float]:
    """`psnr=1,ssim=20`: weights of the measures, those not named 0.

    >>> parse_weights("psnr=1,ssim=20")
    {'psnr': 1.0, 'ssim': 20.0}
    """
    weights = {}
    for part in text.split(","):
        match = re.fullmatch(r"(\w+)=(\d+(?:\.\d*)?|\.\d+)", part.strip())
        if match is None or match[1] not in MEASURES or match[1] in weights:
            raise InvalidInput(f"--weights: expected NAME=WEIGHT with {', '.join(MEASURES)}, found {text!r}")
        weights[match[1]] = float(match[2])
    require(any(weights.values()), f"--weights: expected one above 0, found {text!r}")
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One pair ready to be rendered again and again."""

    pair: Pair
    opened: Opened
    truth: F32  # (H, W, 3) display-encoded
    band: Mask


def prepare(pair: Pair, maps: MapSettings, depths: Depths | None = None) -> Prepared:
    """Read and understand one pair. Slow, once. Raises InvalidInput, WeightsError."""
    opened = open_pair(pair, maps, depths=depths)
    truth = true_picture(pair).shown()
    require(
        truth.shape == opened.scene.rgb.shape, f"{pair.bokeh}: expected the size of {pair.sharp}, found another one"
    )
    return Prepared(pair, opened, truth, edge_band(opened.scene.matte))


def score_of(prepared: Prepared, settings: LensSettings, weights: Mapping[str, float]) -> float:
    """The score of one pair."""
    opened = prepared.opened
    image = render(opened.scene, lens_of(prepared.pair, settings, opened))
    seen = Picture(rgb=image, encoding=opened.photo.encoding).shown()
    figures = measure(seen, prepared.truth, prepared.band)
    whole = figures.psnr_db
    edge = whole if figures.edge_psnr_db is None else figures.edge_psnr_db
    values = {"psnr": min(whole, MOST_DB), "edge": min(edge, MOST_DB), "ssim": figures.ssim}
    return sum(weight * values[name] for name, weight in weights.items())


def score(
    pairs: list[Prepared],
    settings: LensSettings,
    weights: Mapping[str, float],
    on_pair: Callable[[int, float], None] = lambda _, __: None,
) -> float:
    """The mean score; `on_pair` is told the number of pairs done and the mean so far, and may end it by raising."""
    total = 0.0
    for done, prepared in enumerate(pairs, start=1):
        total += score_of(prepared, settings, weights)
        on_pair(done, total / done)
    return total / len(pairs)
