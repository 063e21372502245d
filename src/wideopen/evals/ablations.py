"""Ablations: the rendering with one part left out at a time, as in the paper's supplement, and with parts of ours.

Each variant is the complete method except for one part, on the same photo, matte, disparity and lens.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from wideopen.arrays.maps import Place
from wideopen.backends import pick
from wideopen.checks import F32, U8
from wideopen.evals.judge import PreparedPair, open_pair, prepare
from wideopen.evals.measures import Figures, displayed, measure
from wideopen.evals.pairs import Pair
from wideopen.evals.report import labelled, square_at, stacked
from wideopen.evals.runner import Judged
from wideopen.pipeline import Scene
from wideopen.settings import LensSettings, MapSettings
from wideopen.sheets import BACKENDS, Separator, Sheet
from wideopen.sheets.prepare import prepare_sheets

PLANES = (4, 8, 16, 32, 64)
CROP_PX, CROP_SHOWN_PX, CROPS_PER_ROW = 96, 192, 6


@dataclass(frozen=True, slots=True, eq=False)
class Opening(PreparedPair):
    """One pair prepared for the variants: its maps as usual, and its disparity unfiltered."""

    unfiltered: F32  # (H, W)


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table."""

    name: str
    settings: Callable[[LensSettings], LensSettings] = lambda settings: settings
    scene: Callable[[Opening], Scene] = lambda opening: opening.opened.scene


@dataclass(slots=True)
class Ablated(Judged):
    """A line for each pair and variant, and crops of the first pairs."""

    crops: list[U8] = field(default_factory=list)


def without_filter(opening: Opening) -> Scene:
    """The unfiltered disparity, which spills over the subject's edge (paper 3.2 left out)."""
    scene = opening.opened.scene
    scene = replace(scene, maps=replace(scene.maps, disparity=opening.unfiltered))
    return _separated(scene, pick(BACKENDS, "auto")[1])


def without_paste(opening: Opening) -> Scene:
    """Eq. (10) left out: with an empty matte there is no subject to paste."""
    scene = opening.opened.scene
    return replace(scene, maps=replace(scene.maps, matte=np.zeros_like(scene.matte)))


def without_foreground(opening: Opening) -> Scene:
    """The subject keeps the photo's colour, with the background that shines through it."""
    return _with_split(opening, lambda image, alpha, _, background: (image * alpha[..., None], background))


def without_fill(opening: Opening) -> Scene:
    """The background is the photo itself, including the subject."""
    return _with_split(opening, lambda image, _, subject, __: (subject, image))


def _with_split(opening: Opening, change: Callable[[F32, F32, F32, F32], tuple[F32, F32]]) -> Scene:
    """The scene with (subject, background) = change(image, alpha, subject, background)."""
    whole: Separator = pick(BACKENDS, "auto")[1]

    def split(image: F32, alpha: F32, *others: Any) -> None:
        at = next(k for k, one in enumerate(others) if isinstance(one, Place))
        place, subject, left = (*others[at:], 0)[:3]
        columns = slice(left, left + place.right - place.left)
        alpha_here, subject_here, here = alpha[:, columns], subject[:, columns], place.of(image)
        photo = here.copy()
        whole.split(image, alpha, *others)
        subject_here[:], here[:] = change(photo, alpha_here, subject_here.copy(), here.copy())

    return _separated(opening.opened.scene, replace(whole, split=split))


def _separated(scene: Scene, separator: Separator) -> Scene:
    """The scene with sheets made anew; the rims of the old ones would undo what is left out."""
    sheets = prepare_sheets(scene.rgb, scene.matte, scene.disparity, separator, clipped=scene.hdr is None)
    return replace(scene, sheets=sheets, rims=None)


def as_one_sheet(opening: Opening) -> Scene:
    """One sheet with the photo and its disparity: nothing is behind it."""
    scene = opening.opened.scene
    sheet = Sheet(rgb=scene.rgb, alpha=None, disparity=scene.disparity)
    return replace(scene, sheets=(sheet,), rims=None)


def _plain_average(settings: LensSettings) -> LensSettings:
    return replace(settings, paper=replace(settings.constants, alpha1=1.0, alpha2=1.0))


WHOLE = (Variant("whole method"), Variant("no disparity filter", scene=without_filter))
FEWER = tuple(Variant(f"{count} planes", partial(replace, planes=count)) for count in PLANES)
VARIANTS: dict[str, tuple[Variant, ...]] = {
    "paper": (
        *WHOLE,
        Variant("alpha1 = alpha2 = 1", settings=_plain_average),
        Variant("no paste", scene=without_paste),
        *FEWER,
    ),
    "thin-lens": (
        *WHOLE,
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
        with done.skipping(pair.name):
            opening = open_for_variants(pair, maps)
            pictures = {
                f"{look}: {variant.name}": opening.rendered(variant.settings(settings), variant.scene(opening))
                for look, settings in lenses.items()
                for variant in VARIANTS[look]
            }
            figures = {name: measure(picture, opening.truth, opening.band) for name, picture in pictures.items()}
            done.lines += [{"variant": name, "pair": pair.name, **asdict(one)} for name, one in figures.items()]
            if len(done.crops) < crops:
                done.crops.append(_crops(opening, pictures, figures))
        on_pair(pair.name)
    return done


def open_for_variants(pair: Pair, maps: MapSettings) -> Opening:
    """Read one pair and prepare its maps, with and without the disparity filter. Raises InvalidInput."""
    usual = prepare(pair, maps)
    unfiltered = usual.opened.scene.disparity
    if usual.opened.scene.maps.disparity_filtered:
        plain = replace(pair, meta=replace(pair.meta, filter_disparity=False))
        unfiltered = open_pair(plain, maps).scene.disparity
    return Opening(pair, usual.opened, usual.truth, usual.band, unfiltered)


def _crops(opening: Opening, pictures: dict[str, F32], figures: dict[str, Figures]) -> U8:
    """Crops of sharp, truth and each variant where the variants differ most at the edge; (h, w, 3) RGB."""
    spread = np.std(np.stack([picture.mean(axis=2) for picture in pictures.values()]), axis=0)
    rows, columns = square_at(spread * opening.band, CROP_PX)
    photo = opening.opened.photo
    tiles = {"sharp": displayed(photo.rgb, photo.encoding), "truth": opening.truth, **pictures}
    strips = []
    for name, picture in tiles.items():
        db = f" {figures[name].edge_psnr_db or 0:.1f}" if name in pictures else ""
        label = name.replace("thin-lens: ", "thin: ").replace("estimation", "est.") + db
        strips.append(labelled([picture[rows, columns]], label, CROP_SHOWN_PX))
    per_row = [np.hstack(strips[k : k + CROPS_PER_ROW]) for k in range(0, len(strips), CROPS_PER_ROW)]
    return stacked(per_row)
