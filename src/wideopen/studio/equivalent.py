"""The page's settings as an f-number and as options of the command line."""

import shlex
from pathlib import PurePath

from wideopen.options import Settings, options_of
from wideopen.session.results import map_names
from wideopen.settings import LensSettings, MapSettings, OutputSettings

__all__ = ["command_line", "f_number", "f_number_text"]

FOCAL_MM, SUBJECT_M, SENSOR_MM = 85.0, 2.0, 36.0
"""The lens for f-numbers: a typical portrait lens and distance, and the long side of a full-frame sensor."""


def f_number(radius: float) -> float:
    """The f-number whose blur of a far background has this radius, a fraction of the long side; inf for no blur.

    Thin lens of focal length f focused at s: a point at infinity becomes a disk of diameter f^2 / (N (s - f)).
    """
    if radius <= 0:
        return float("inf")
    subject_mm = 1000 * SUBJECT_M
    return FOCAL_MM**2 / ((subject_mm - FOCAL_MM) * 2 * radius * SENSOR_MM)


def f_number_text(radius: float) -> str:
    """The f-number as photographers write it.

    >>> f_number_text(0.024), f_number_text(0.004), f_number_text(0)
    ('f/2.2', 'f/13', 'no blur')
    """
    number = f_number(radius)
    if number == float("inf"):
        return "no blur"
    return f"f/{number:.0f}" if number >= 9.95 else f"f/{number:.1f}"


def command_line(
    photo: str, lens: LensSettings, output: OutputSettings, maps: MapSettings, *, out: str, edited: bool
) -> str:
    """The `wideopen render` that makes the page's download of `photo`; defaults are left out.

    `edited`: maps were painted or uploaded, so the command names the downloaded ones. It is for a POSIX shell.
    """
    words = ["wideopen", "render", photo, *_options(lens)]
    if edited:
        matte, disparity = map_names(PurePath(photo))
        words += ["--matte", matte, "--disparity", disparity, "--no-filter-disparity"]
    else:
        words += _options(maps)
    return shlex.join([*words, *_options(output), "-o", out])


def _options(settings: Settings) -> list[str]:
    """The command-line options for settings that differ from their defaults."""
    words = []
    texts, defaults = settings.to_dict(), type(settings)().to_dict()
    for one in options_of(type(settings)):
        value, name = texts[one.name], one.name.replace("_", "-")
        if not one.flag or value == defaults[one.name]:
            continue
        if isinstance(value, bool):
            words += [f"--{name}" if value else f"--no-{name}"]
        else:
            words += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    return words
