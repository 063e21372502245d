"""What may vary, and how a trial's numbers become settings of the lens.

paper: sigma (as `radius_scale`), delta, a1, b1, a2, b2, alpha1, alpha2 of Eqs. (3) and (4). Most of the look is one
    exponent and one radius; what undoes them after the blur is searched for as a ratio or difference near 1 or 0, since
    (a1, b1, alpha1) and (a2, b2, alpha2) apart would mostly change the brightness.
thin-lens: highlights; and the blur, of pairs whose meta does not say it: what is known of a lens is not tuned.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wideopen.checks import require
from wideopen.lens import LOOKS, PaperLook

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
"""Tried first: the defaults, and the exponent that makes Eq. (4) blur linear light."""


def require_look(look: str) -> None:
    """Refuse a look that has no constants to tune."""
    require(look in LOOKS, f"--look: expected {' or '.join(LOOKS)}, found {look!r}")


def starts(look: str, *, with_blur: bool) -> list[dict[str, float]]:
    """The first trials' numbers."""
    return [{**start, **({"blur_percent": 2.4} if with_blur else {})} for start in STARTS[look]]


def suggested(look: str, suggest: Suggest, *, with_blur: bool) -> dict[str, float]:
    """Numbers of one trial, by name."""
    ranges = {**RANGES[look], **({"blur_percent": BLUR_PERCENT} if with_blur else {})}
    return {name: suggest(name, *limits) for name, limits in ranges.items()}


def lens_values(look: str, numbers: Mapping[str, float]) -> dict[str, Any]:
    """Fields of `LensSettings` that a trial's numbers stand for."""
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
