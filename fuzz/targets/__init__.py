"""The fuzz targets: each parser that untrusted files reach.

A target has `seeds`, a few good inputs, and `check`, which takes any bytes and raises nothing but what is a bug.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from targets import embedded, exif, icc, jpeg, jxl, kept, png, tiff, xmp


class Target(NamedTuple):
    """One parser."""

    seeds: Callable[[], Iterable[bytes]]
    check: Callable[[bytes], None]


TARGETS = {
    module.__name__.removeprefix("targets."): Target(module.seeds, module.check)
    for module in (exif, icc, jpeg, jxl, kept, png, tiff, xmp)
} | {
    f"embedded-{name}": Target(seeds, partial(embedded.one_line, parser))
    for name, (parser, seeds) in embedded.PARSERS.items()
}
