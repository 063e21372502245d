"""Comparison of pictures with the truth: pairs on disk, measures, alignment, reports.

Everything here measures; nothing changes how photos are rendered. Measured pictures are display-encoded sRGB, (H, W, 3)
float32 clipped to [0, 1], as a viewer sees them.
"""

import re
from dataclasses import dataclass
from typing import Literal

from wideopen.errors import InvalidInput, require
from wideopen.lens import Look
from wideopen.options import Settings, option

_MEASURES = ("psnr", "edge", "ssim")


def parse_weights(text: str) -> dict[str, float]:
    """Parse `psnr=1,ssim=20` into weights of the measures; a measure that is not named gets 0.

    >>> parse_weights("psnr=1,ssim=20")
    {'psnr': 1.0, 'ssim': 20.0}
    """
    weights = {}
    for part in text.split(","):
        match = re.fullmatch(r"(\w+)=(\d+(?:\.\d*)?|\.\d+)", part.strip())
        if match is None or match[1] not in _MEASURES or match[1] in weights:
            raise InvalidInput(f"weights: expected NAME=WEIGHT with {', '.join(_MEASURES)}, found {text!r}")
        weights[match[1]] = float(match[2])
    require(any(weights.values()), f"weights: expected one above 0, found {text!r}")
    return weights


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings(Settings):
    """How the constants of a look are searched for: flags of `wideopen tune`."""

    look: Look = option("paper", help="Renderer to tune: paper or thin-lens.")
    trials: int = option(
        200, least=1, most=100_000, help="Number of settings to try, including those of a resumed study."
    )
    sampler: Literal["tpe", "cmaes"] = option("tpe", help="Optuna sampler: tpe or cmaes.")
    weights: str = option(
        "psnr=0.6,edge=0.4,ssim=20",
        help="Weights of the measures in the score: psnr and edge in dB, ssim in [0, 1].",
        check=parse_weights,
    )
    workers: int = option(
        1, least=1, most=64, help="Number of processes that share the study; each holds all pairs in memory."
    )
    seed: int = option(0, help="Random seed of the sampler.")
    planes: int = option(32, least=2, most=256, help="Number of depth planes.")
