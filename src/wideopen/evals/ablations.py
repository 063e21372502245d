"""Ablations: the rendering with one part left out at a time, as in the paper's supplement, and with parts of ours.

Each variant is the complete method except for one part, on the same photo, matte, disparity and lens.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from wideopen.backends import pick
from wideopen.checks import F32, U8
from wideopen.errors import InvalidInput, WideopenError
from wideopen.evals.judge import Picture, lens_of, open_pair, true_picture
from wideopen.evals.measures import Figures, edge_band, measure
from wideopen.evals.pairs import Pair, Problem
from wideopen.evals.report import labelled, stacked
from wideopen.pipeline import Scene, render
from wideopen.session.open_photo import Opened
from wideopen.settings import LensSettings, MapSettings
from wideopen.sheets import BACKENDS, Separator, Sheet
from wideopen.sheets.highlights import find_lamps
from wideopen.sheets.prepare import prepare_sheets

PLANES = (4, 8, 16, 32, 64)
CROP_PX, CROP_SHOWN_PX, COLUMNS = 96, 192, 6


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """One pair prepared for the variants: its maps as usual, and its disparity unfiltered."""

    pair: Pair
    opened: Opened
    unfiltered: F32  # (H, W)
    truth: F32  # (H, W, 3) display-encoded


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table."""

    name: str
    settings: Callable[[LensSettings], LensSettings] = lambda settings: settings
    scene: Callable[[Opening], Scene] = lambda opening: opening.opened.scene


@dataclass(slots=True)
class Ablated:
    """Figures of each variant, pair by pair, and crops of the first pairs."""

    figures: dict[str, dict[str, Figures]] = field(default_factory=dict)  # variant -> pair -> figures
    crops: list[U8] = field(default_factory=list)
    skipped: list[Problem] = field(default_factory=list)


def without_filter(opening: Opening) -> Scene:
    """The unfiltered disparity, which spills over the subject's edge (paper 3.2 left out)."""
    scene = opening.opened.scene
    maps = replace(scene.maps, disparity=opening.unfiltered)
    return replace(scene, maps=maps, sheets=_sheets(scene.rgb, scene.matte, opening.unfiltered, _separator()))


def without_paste(opening: Opening) -> Scene:
    """Eq. (10) left out: with one sheet there is no subject to paste."""
    return replace(opening.opened.scene, sheets=opening.opened.scene.sheets[:1])


def without_foreground(opening: Opening) -> Scene:
    """The subject keeps the photo's colour, with the background that shines through it."""
    whole = _separator()

    def split(image: F32, alpha: F32, F: F32, B: F32, filled: F32) -> tuple[F32, F32]:
        return image * alpha[..., None], whole.split(image, alpha, F, B, filled)[1]

    return _with_separator(opening, replace(whole, split=split))


def without_fill(opening: Opening) -> Scene:
    """The background is the photo itself, including the subject."""
    whole = _separator()

    def split(image: F32, alpha: F32, F: F32, B: F32, filled: F32) -> tuple[F32, F32]:
        return whole.split(image, alpha, F, B, filled)[0], image

    return _with_separator(opening, replace(whole, split=split))


def as_one_sheet(opening: Opening) -> Scene:
    """One sheet with the photo and its disparity: nothing is behind it."""
    scene = opening.opened.scene
    sheet = Sheet(rgb=scene.rgb, alpha=None, disparity=scene.disparity, lamps=find_lamps(scene.rgb))
    return replace(scene, sheets=(sheet,))


def _separator() -> Separator:
    return pick(BACKENDS, "auto")[1]


def _sheets(rgb: F32, matte: F32, disparity: F32, separator: Separator) -> tuple[Sheet, ...]:
    return tuple(prepare_sheets(rgb, matte, disparity, separator))


def _with_separator(opening: Opening, separator: Separator) -> Scene:
    scene = opening.opened.scene
    return replace(scene, sheets=_sheets(scene.rgb, scene.matte, scene.disparity, separator))


def _plain_average(settings: LensSettings) -> LensSettings:
    return replace(settings, paper=replace(settings.constants, alpha1=1.0, alpha2=1.0))


def _planes(count: int) -> Variant:
    return Variant(f"{count} planes", lambda settings: replace(settings, planes=count))


WHOLE = Variant("whole method")
FEWER = tuple(_planes(count) for count in PLANES)
VARIANTS: dict[str, tuple[Variant, ...]] = {
    "paper": (
        WHOLE,
        Variant("no disparity filter", scene=without_filter),
        Variant("alpha1 = alpha2 = 1", settings=_plain_average),
        Variant("no paste", scene=without_paste),
        *FEWER,
    ),
    "thin-lens": (
        WHOLE,
        Variant("no disparity filter", scene=without_filter),
        Variant("no foreground estimation", scene=without_foreground),
        Variant("no background fill", scene=without_fill),
        Variant("one sheet", scene=as_one_sheet),
        *FEWER,
    ),
}


def ablate(
    pairs: Iterable[Pair],
    lenses: dict[str, LensSettings],
    maps: MapSettings,
    *,
    crops: int = 0,
    on_pair: Callable[[str], None] = lambda _: None,
) -> Ablated:
    """Measure all variants of the looks in `lenses` on all pairs, with crops of the first `crops` pairs.

    Pairs that cannot be judged are skipped, with the reason.
    """
    done = Ablated()
    for pair in pairs:
        try:
            opening = _open(pair, maps)
        except WideopenError as error:
            done.skipped.append(Problem(pair.name, str(error)))
            continue
        pictures = _pictures(opening, lenses)
        band = edge_band(opening.opened.scene.matte)
        for name, picture in pictures.items():
            done.figures.setdefault(name, {})[pair.name] = measure(picture, opening.truth, band)
        if len(done.crops) < crops:
            done.crops.append(_crops(opening, pictures, done.figures))
        on_pair(pair.name)
    return done


def _open(pair: Pair, maps: MapSettings) -> Opening:
    opened = open_pair(pair, maps)
    truth = true_picture(pair).shown()
    if truth.shape != opened.scene.rgb.shape:
        raise InvalidInput(f"{pair.bokeh}: expected the size of {pair.sharp}, found another one")
    unfiltered = opened.scene.disparity
    if opened.scene.maps.disparity_filtered:
        plain = replace(pair, meta=replace(pair.meta, filter_disparity=False))
        unfiltered = open_pair(plain, maps).scene.disparity
    return Opening(pair, opened, unfiltered, truth)


def _pictures(opening: Opening, lenses: dict[str, LensSettings]) -> dict[str, F32]:
    """Display-encoded pictures by `look: variant`."""
    made = {}
    for look, settings in lenses.items():
        for variant in VARIANTS[look]:
            chosen = replace(settings, look=look)  # type: ignore[arg-type]  # a key of VARIANTS
            lens = lens_of(opening.pair, variant.settings(chosen), opening.opened)
            image = render(variant.scene(opening), lens)
            made[f"{look}: {variant.name}"] = Picture(rgb=image, encoding=opening.opened.photo.encoding).shown()
    return made


def _crops(opening: Opening, pictures: dict[str, F32], figures: dict[str, dict[str, Figures]]) -> U8:
    """Crops of sharp, truth and each variant where the variants differ most at the edge; (h, w, 3) RGB."""
    rows, columns = _where(opening, list(pictures.values()))
    sharp = Picture(rgb=opening.opened.photo.rgb, encoding=opening.opened.photo.encoding).shown()
    tiles = {"sharp": sharp, "truth": opening.truth, **pictures}
    strips = []
    for name, picture in tiles.items():
        db = f" {figures[name][opening.pair.name].edge_psnr_db or 0:.1f}" if name in pictures else ""
        label = name.replace("thin-lens: ", "thin: ").replace("estimation", "est.") + db
        strips.append(labelled([picture[rows, columns]], label, CROP_SHOWN_PX))
    per_row = [np.hstack(strips[k : k + COLUMNS]) for k in range(0, len(strips), COLUMNS)]
    return stacked(per_row)


def _where(opening: Opening, pictures: Sequence[F32]) -> tuple[slice, slice]:
    """The square, centred in the edge band, in which the variants differ most from one another."""
    height, width = opening.truth.shape[:2]
    spread = np.std(np.stack([picture.mean(axis=2) for picture in pictures]), axis=0)
    side = min(CROP_PX, height, width)
    around = cv2.blur(spread * edge_band(opening.opened.scene.matte), (side, side), borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(around.argmax()), around.shape)
    top, left = (int(np.clip(c - side // 2, 0, n - side)) for c, n in ((y, height), (x, width)))
    return slice(top, top + side), slice(left, left + side)
