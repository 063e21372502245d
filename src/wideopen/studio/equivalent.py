"""What the page's settings are called elsewhere: on the command line, in a preset, and on a lens."""

import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from wideopen.session.results import map_names
from wideopen.session.settings import LensSettings

__all__ = ["command_line", "f_number", "f_number_text"]

_UNSAID = ("paper",)  # the command line has no options for these
FOCAL_MM, SUBJECT_M, SENSOR_MM = 85.0, 2.0, 36.0
"""The lens that f-numbers are given for: what portraits are taken with, on a full-frame camera, sensor's long side."""


def f_number(radius: float) -> float:
    """The f-number whose blur of a far background has this radius, a fraction of the long side; inf for no blur.

    Thin lens of focal length f focused at s: a point at infinity becomes a disk of diameter f^2 / (N (s - f)).
    """
    if radius <= 0:
        return float("inf")
    subject_mm = 1000 * SUBJECT_M
    return FOCAL_MM**2 / ((subject_mm - FOCAL_MM) * 2 * radius * SENSOR_MM)


def f_number_text(radius: float) -> str:
    """As photographers write it.

    >>> f_number_text(0.024), f_number_text(0.004), f_number_text(0)
    ('f/2.2', 'f/13', 'no blur')
    """
    number = f_number(radius)
    if number == float("inf"):
        return "no blur"
    return f"f/{number:.0f}" if number >= 9.95 else f"f/{number:.1f}"


def command_line(photo: str, lens: LensSettings, *, out: str, options: Mapping[str, Any], edited: bool) -> str:
    """The `wideopen render` that makes the page's download of `photo`; what is a default is left out.

    options: further options with their values; `edited`: maps were painted or uploaded, so the downloaded ones are
    named. The command is for a POSIX shell.
    """
    words = ["wideopen", "render", photo]
    defaults = LensSettings().to_dict()
    for name, value in lens.to_dict().items():
        if name in _UNSAID or value == defaults[name]:
            continue
        words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    if edited:
        matte, disparity = map_names(PurePath(photo))
        words += ["--matte", matte, "--disparity", disparity, "--no-filter-disparity"]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return shlex.join([*words, "-o", out])
