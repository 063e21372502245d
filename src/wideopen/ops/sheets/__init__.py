"""Two sheets from one photo: the subject, premultiplied, and the background continued behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from wideopen.backends import Backend


@dataclass(frozen=True, slots=True)
class Separator:
    """The operators of one backend, with the signatures of `reference`."""

    estimate_colours: Any  # (image, alpha) -> F, B
    split: Any  # (image, alpha, F, B, filled) -> subject, background


def _load_numba() -> Separator:
    from wideopen.ops.sheets import numba_cpu

    return Separator(numba_cpu.estimate_colours, numba_cpu.split)


def _load_reference() -> Separator:
    from wideopen.ops.sheets import reference

    return Separator(reference.estimate_colours, reference.split)


BACKENDS: Mapping[str, Backend[Separator]] = {
    "numba": Backend(lambda: None if find_spec("numba") else "numba is not installed", _load_numba),
    "reference": Backend(lambda: None, _load_reference),
}
