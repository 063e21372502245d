"""The search space: what a search varies, how a trial's numbers become lens settings, and how settings are scored.

paper: sigma (as `radius_scale`), delta, a1, b1, a2, b2, alpha1, alpha2 of Eqs. (3) and (4). One exponent and one radius
    determine most of the look. The parameters that undo them after the blur are searched for as a ratio near 1 or a
    difference near 0: varying (a1, b1, alpha1) and (a2, b2, alpha2) separately would mostly change the brightness.
thin-lens: highlights, and the blur of pairs whose meta does not give it. Known lens parameters are not tuned.

Photos are prepared once and rendered for each trial.

    score = sum over measures of weight * mean over pairs,   PSNR and edge PSNR in dB, SSIM in [0, 1]
By default 0.6 PSNR + 0.4 edge + 20 SSIM: 0.05 of SSIM weighs as much as 1 dB.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.evals.judge import Picture, lens_of, open_pair, true_picture
from wideopen.evals.measures import Mask, edge_band, measure
from wideopen.evals.pairs import Pair
from wideopen.lens import LOOKS, PaperLook
from wideopen.pipeline import render
from wideopen.session.open_photo import Opened
from wideopen.settings import LensSettings, MapSettings

Suggest = Callable[[str, float, float, bool], float]  # (name, low, high, logarithmic) -> value
RANGES: Mapping[str, Mapping[str, tuple[float, float, bool]]] = {
    "paper": {
        "radius_scale": (0.2, 8.0, True),
        "delta": (-6.0, 2.0, False),
        "alpha1": (0.5, 10.0, True),
        "alpha_ratio": (0.85, 1.18, True),  # alpha2 / alpha1
        "a1": (0.7, 1.4, True),
        "a_ratio": (0.85, 1.18, True),  # a2 / a1
        "b1": (-0.15, 0.15, False),
        "b_sum": (-0.05, 0.05, False),  # b2 + b1 / a1: 0 undoes b1
    },
    "thin-lens": {"highlights": (0.0, 4.0, False)},
}
BLUR_PERCENT = (0.2, 8.0, True)
STARTS: Mapping[str, tuple[Mapping[str, float], ...]] = {
    "paper": tuple(
        {
            "radius_scale": scale,
            "delta": 0.0,
            "alpha1": alpha,
            "alpha_ratio": 1.0,
            "a1": 1.0,
            "a_ratio": 1.0,
            "b1": 0.0,
            "b_sum": 0.0,
        }
        for scale, alpha in ((1.0, 4.0), (1.0, 1.0), (2.5, 2.2), (5.0, 2.2))
    ),
    "thin-lens": ({"highlights": 1.0}, {"highlights": 0.0}),
}
"""The first trials: the defaults, and the exponent with which Eq. (4) blurs linear light."""


def require_look(look: str) -> None:
    """Refuse a look without constants to tune."""
    require(look in LOOKS, f"--look: expected {' or '.join(LOOKS)}, found {look!r}")


def starts(look: str, *, with_blur: bool) -> list[dict[str, float]]:
    """The numbers of the first trials."""
    return [{**start, **({"blur_percent": 2.4} if with_blur else {})} for start in STARTS[look]]


def suggested(look: str, suggest: Suggest, *, with_blur: bool) -> dict[str, float]:
    """The numbers of one trial, by name."""
    ranges = {**RANGES[look], **({"blur_percent": BLUR_PERCENT} if with_blur else {})}
    return {name: suggest(name, *limits) for name, limits in ranges.items()}


def lens_values(look: str, numbers: Mapping[str, float]) -> dict[str, Any]:
    """Convert a trial's numbers to fields of `LensSettings`."""
    values: dict[str, Any] = {"look": look}
    if "blur_percent" in numbers:
        values["blur"] = f"{numbers['blur_percent']:.4f}%"
    if look != "paper":
        return values | {"highlights": round(numbers["highlights"], 4)}
    a1, alpha1 = numbers["a1"], numbers["alpha1"]
    constants = {
        "radius_scale": numbers["radius_scale"],
        "delta": numbers["delta"],
        "a1": a1,
        "b1": numbers["b1"],
        "a2": a1 * numbers["a_ratio"],
        "b2": numbers["b_sum"] - numbers["b1"] / a1,
        "alpha1": alpha1,
        "alpha2": alpha1 * numbers["alpha_ratio"],
    }
    constants = {name: round(value, 5) for name, value in constants.items()}
    PaperLook(**constants)
    return values | {"paper": constants}


MEASURES = ("psnr", "edge", "ssim")
WEIGHTS = {"psnr": 0.6, "edge": 0.4, "ssim": 20.0}
MOST_DB = 99.0  # used for equal pictures, whose PSNR is infinite


def parse_weights(text: str) -> dict[str, float]:
    """Parse `psnr=1,ssim=20` into weights of the measures; a measure that is not named gets 0.

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
    """One pair, prepared for repeated rendering."""

    pair: Pair
    opened: Opened
    truth: F32  # (H, W, 3) display-encoded
    band: Mask


def prepare(pair: Pair, maps: MapSettings) -> Prepared:
    """Read one pair and prepare its maps. Slow; done once per pair. Raises InvalidInput, WeightsError."""
    opened = open_pair(pair, maps)
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
    """The mean score; `on_pair` gets the number of finished pairs and the mean so far, and may raise to stop."""
    total = 0.0
    for done, prepared in enumerate(pairs, start=1):
        total += score_of(prepared, settings, weights)
        on_pair(done, total / done)
    return total / len(pairs)
