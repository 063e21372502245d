"""Measure pictures against the truth, pair by pair: ours or another program's."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from wideopen.checks import F32
from wideopen.color import SRGB, Encoding
from wideopen.errors import InvalidInput, WideopenError
from wideopen.evals.measures import Figures, Measure, displayed, edge_band, fit, flip, measure
from wideopen.evals.pairs import PICTURES, Pair, Problem
from wideopen.files import read, read_matte
from wideopen.lens import Lens
from wideopen.pipeline import render
from wideopen.session.open_photo import Given, Opened, fetch_named_model, open_photo
from wideopen.settings import LensSettings, MapSettings
from wideopen.timing import SILENT, Steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """Linear light (H, W, 3) and its display encoding."""

    rgb: F32
    encoding: Encoding = SRGB

    def shown(self) -> F32:
        """Display-encoded sRGB, (H, W, 3) in [0, 1]."""
        return displayed(self.rgb, self.encoding)


Method = Callable[[Pair], Picture]
FEW = 4
"""Up to this number, pairs are finished before a FLIP process would have started."""
AHEAD = 3
"""Greatest number of pairs waiting for FLIP; each takes some 25 MB per megapixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """Figures of the picture fitted to the truth, and the fit's parameters."""

    figures: Figures
    shift_px: tuple[float, float]  # x, y
    gain: tuple[float, float, float]  # R, G, B of linear light


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of one pair."""

    name: str
    figures: Figures
    aligned: Aligned | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """The pictures of a pair on a contact sheet: display-encoded, (H, W, 3) in [0, 1]."""

    sharp: F32
    picture: F32
    truth: F32


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Measures besides PSNR and SSIM."""

    flips: Executor | None = None
    """The executor that computes FLIP in the background, see `flip_executor`; None = no FLIP."""
    lpips: Measure | None = None
    align: bool = False


@dataclass(slots=True)
class Judged:
    """All pairs that could be judged, in order, and those that were skipped."""

    rows: list[Row] = field(default_factory=list)
    skipped: list[Problem] = field(default_factory=list)


def judge(
    pairs: Iterable[Pair],
    method: Method,
    measures: Measures,
    on_pair: Callable[[Row, Callable[[], Shown]], None] = lambda _, __: None,
) -> Judged:
    """Measure the result of `method` on each pair; a pair that cannot be judged is skipped, with the reason.

    `on_pair` gets each row, still without FLIP, and a function that makes its pictures for a sheet.
    """
    judged = Judged()
    waiting: list[list[Future[float]]] = []
    for pair in pairs:
        try:
            truth = true_picture(pair)
            picture = method(pair)
            row, compared = figures_of(pair, picture, truth, measures)
        except WideopenError as error:
            judged.skipped.append(Problem(pair.name, str(error)))
            continue
        judged.rows.append(row)
        if measures.flips is not None:
            for future in waiting[-AHEAD] if len(waiting) >= AHEAD else ():
                future.result()
            waiting.append([measures.flips.submit(flip, *two) for two in compared])
        on_pair(row, lambda pair=pair, picture=picture, truth=truth: shown(pair, picture, truth))  # type: ignore[misc]
    if measures.flips is not None:
        rows = zip(judged.rows, waiting, strict=True)
        judged.rows = [_with_flips(row, [future.result() for future in futures]) for row, futures in rows]
    return judged


def flip_executor(pairs: int) -> Executor:
    """An executor that computes FLIP of `pairs` pairs while the next one is rendered; the caller closes it.

    FLIP takes one second of one core per megapixel and holds Python's lock, so it runs in a separate process.
    """
    if pairs <= FEW:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _with_flips(row: Row, flips: list[float]) -> Row:
    done = replace(row, figures=replace(row.figures, flip=flips[0]))
    if row.aligned is None:
        return done
    return replace(done, aligned=replace(row.aligned, figures=replace(row.aligned.figures, flip=flips[1])))


def figures_of(pair: Pair, picture: Picture, truth: Picture, measures: Measures) -> tuple[Row, list[tuple[F32, F32]]]:
    """All figures of one picture but FLIP, and the (picture, truth) pairs still to be measured by FLIP: as is, aligned.

    Raises InvalidInput.
    """
    seen, expected = picture.shown(), truth.shown()
    band = None if pair.matte is None else edge_band(read_matte(pair.matte, size=expected.shape[:2]))
    figures = measure(seen, expected, band, lpips=measures.lpips)
    if not measures.align:
        return Row(name=pair.name, figures=figures), [(seen, expected)]
    fitted = fit(picture.rgb, truth.rgb)
    moved, part = displayed(fitted.picture, truth.encoding), expected[fitted.window]
    again = measure(moved, part, None if band is None else band[fitted.window], lpips=measures.lpips)
    aligned = Aligned(figures=again, shift_px=fitted.shift_px, gain=fitted.gain)
    return Row(name=pair.name, figures=figures, aligned=aligned), [(seen, expected), (moved, part)]


def true_picture(pair: Pair) -> Picture:
    """The photo through the real lens. Raises InvalidInput."""
    photo = read(pair.bokeh)
    return Picture(rgb=photo.rgb, encoding=photo.encoding)


def shown(pair: Pair, picture: Picture, truth: Picture) -> Shown:
    """The pictures for the contact sheet."""
    sharp = read(pair.sharp)
    return Shown(sharp=displayed(sharp.rgb, sharp.encoding), picture=picture.shown(), truth=truth.shown())


def by_us(settings: LensSettings, maps: MapSettings, *, backend: str = "auto", step: Steps = SILENT) -> Method:
    """`wideopen render` with these settings; a pair's meta overrides them. Raises WeightsError."""
    fetch_named_model(maps, step)

    def method(pair: Pair) -> Picture:
        opened = open_pair(pair, maps, backend=backend)
        image = render(opened.scene, lens_of(pair, settings, opened), backend=backend)
        return Picture(rgb=image, encoding=opened.photo.encoding)

    return method


def open_pair(pair: Pair, maps: MapSettings, *, backend: str = "auto", step: Steps = SILENT) -> Opened:
    """Open the sharp photo of a pair with the maps that lie beside it."""
    if pair.meta.filter_disparity is not None:
        maps = replace(maps, filter_disparity=pair.meta.filter_disparity)
    given = Given(matte=pair.matte, disparity=pair.disparity, exact_matte=True)
    return open_photo(pair.sharp, maps, given=given, backend=backend, step=step)


def lens_of(pair: Pair, settings: LensSettings, opened: Opened) -> Lens:
    """The lens for one pair: `settings`, overridden by the pair's meta. Raises InvalidInput."""
    return settings_of(pair, settings).lens(opened.scene)


def settings_of(pair: Pair, settings: LensSettings) -> LensSettings:
    """`settings` with the focus, blur and focus range from the pair's meta."""
    names = ("focus", "blur") if settings.look == "paper" else ("focus", "blur", "focus_range")
    known = {name: getattr(pair.meta, name) for name in names if getattr(pair.meta, name) is not None}
    return replace(settings, **known)


def by_others(folder: Path) -> Method:
    """Pictures by another program: NAME.EXT in `folder`, of the truth's size. Raises InvalidInput without a folder."""
    if not folder.is_dir():
        raise InvalidInput(f"--pred: expected a folder, found {folder}")

    def method(pair: Pair) -> Picture:
        file = next(_named(folder, pair.name), None)
        if file is None:
            raise InvalidInput(f"--pred: expected a picture {folder / pair.name}.*, found none")
        photo = read(file)
        return Picture(rgb=photo.rgb, encoding=photo.encoding)

    return method


def _named(folder: Path, stem: str) -> Iterator[Path]:
    for suffix in PICTURES:
        if (file := folder / f"{stem}{suffix}").is_file():
            yield file
