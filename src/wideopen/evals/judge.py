"""Measure pictures against the truth, pair by pair: ours or another program's."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.color import SRGB, Encoding
from wideopen.errors import InvalidInput, WideopenError
from wideopen.evals.measures import Figures, Mask, Measure, displayed, edge_band, fit, flip, measure
from wideopen.evals.pairs import PICTURES, Pair, Problem
from wideopen.evals.report import COLUMNS, labelled, means, stacked
from wideopen.files import read, read_matte
from wideopen.lens import Lens
from wideopen.pipeline import Scene, render
from wideopen.session.open_photo import Given, Opened, fetch_named_model, open_photo
from wideopen.settings import LensSettings, MapSettings
from wideopen.timing import SILENT, Steps

FEW = 4
"""Up to this number, pairs are finished before a FLIP process would have started."""
AHEAD = 3
"""Greatest number of pairs waiting for FLIP; each takes some 25 MB per megapixel."""
ERROR_GAIN = 8  # of the error on a sheet
WORST = 10  # pairs on a sheet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """Linear light (H, W, 3) and its display encoding."""

    rgb: F32
    encoding: Encoding = SRGB

    def shown(self) -> F32:
        """Display-encoded sRGB, (H, W, 3) in [0, 1]."""
        return displayed(self.rgb, self.encoding)


Method = Callable[[Pair], Picture]


def true_picture(pair: Pair) -> Picture:
    """The photo through the real lens. Raises InvalidInput."""
    return _picture(pair.bokeh)


def _picture(path: Path) -> Picture:
    photo = read(path)
    return Picture(rgb=photo.rgb, encoding=photo.encoding)


def by_us(settings: LensSettings, maps: MapSettings, *, backend: str = "auto", step: Steps = SILENT) -> Method:
    """`wideopen render` with these settings; a pair's meta overrides them. Raises WeightsError."""
    fetch_named_model(maps, step)

    def method(pair: Pair) -> Picture:
        opened = open_pair(pair, maps, backend=backend)
        image = render(opened.scene, lens_of(pair, settings, opened), backend=backend)
        return Picture(rgb=image, encoding=opened.photo.encoding)

    return method


def by_others(folder: Path) -> Method:
    """Pictures by another program: NAME.EXT in `folder`, of the truth's size. Raises InvalidInput without a folder."""
    require(folder.is_dir(), f"--pred: expected a folder, found {folder}")

    def method(pair: Pair) -> Picture:
        files = (folder / f"{pair.name}{suffix}" for suffix in PICTURES)
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            raise InvalidInput(f"--pred: expected a picture {folder / pair.name}.*, found none")
        return _picture(file)

    return method


def open_pair(pair: Pair, maps: MapSettings, *, backend: str = "auto", step: Steps = SILENT) -> Opened:
    """Open the sharp photo of a pair with the maps that lie beside it."""
    if pair.meta.filter_disparity is not None:
        maps = replace(maps, filter_disparity=pair.meta.filter_disparity)
    given = Given(matte=pair.matte, disparity=pair.disparity, exact_matte=True)
    return open_photo(pair.sharp, maps, given=given, backend=backend, step=step)


def lens_of(pair: Pair, settings: LensSettings, opened: Opened) -> Lens:
    """The lens for one pair: `settings`, overridden by the pair's meta. Raises InvalidInput."""
    names = ("focus", "blur") if settings.look == "paper" else ("focus", "blur", "focus_range")
    known = {name: getattr(pair.meta, name) for name in names if getattr(pair.meta, name) is not None}
    return replace(settings, **known).lens(opened.scene)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One pair, prepared for repeated rendering."""

    pair: Pair
    opened: Opened
    truth: F32  # (H, W, 3) display-encoded
    band: Mask  # (H, W) along the matte's edge

    def rendered(self, settings: LensSettings, scene: Scene | None = None) -> F32:
        """The pair, or `scene` in its place, with these settings: display-encoded, (H, W, 3)."""
        image = render(scene or self.opened.scene, lens_of(self.pair, settings, self.opened))
        return displayed(image, self.opened.photo.encoding)


def prepare(pair: Pair, maps: MapSettings) -> Prepared:
    """Read one pair and prepare its maps. Slow; done once per pair. Raises InvalidInput, WeightsError."""
    opened = open_pair(pair, maps)
    truth = true_picture(pair).shown()
    found = f"{pair.bokeh}: expected the size of {pair.sharp}, found another one"
    require(truth.shape == opened.scene.rgb.shape, found)
    return Prepared(pair, opened, truth, edge_band(opened.scene.matte))


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

    @property
    def fits(self) -> list[Aligned]:
        """The figures after alignment, where it was asked for."""
        return [row.aligned for row in self.rows if row.aligned is not None]

    def csv_lines(self) -> Iterator[list[str | float | None]]:
        """A line of heads, then one per pair, worst PSNR first."""
        fit = [*(f"aligned_{name}" for name in COLUMNS), "shift_x_px", "shift_y_px", "gain_r", "gain_g", "gain_b"]
        yield ["pair", *COLUMNS, *(fit if self.fits else [])]
        for row in sorted(self.rows, key=lambda row: row.figures.psnr_db):
            line = [row.name, *(getattr(row.figures, name) for name in COLUMNS)]
            if row.aligned is not None:
                line += [getattr(row.aligned.figures, name) for name in COLUMNS]
                line += [*row.aligned.shift_px, *row.aligned.gain]
            yield line

    def report(self) -> dict[str, Any]:
        """The content of a JSON file: means, skipped pairs, each pair."""
        aligned = {"aligned_means": means(fit.figures for fit in self.fits)} if self.fits else {}
        return {
            "pairs": len(self.rows),
            "means": means(row.figures for row in self.rows),
            **aligned,
            "skipped": {problem.name: problem.what for problem in self.skipped},
            "rows": [asdict(row) for row in self.rows],
        }


def judge(
    pairs: Iterable[Pair],
    method: Method,
    measures: Measures,
    on_pair: Callable[[Row, Picture, Picture], None] = lambda *_: None,
) -> Judged:
    """Measure the result of `method` on each pair; a pair that cannot be judged is skipped, with the reason.

    `on_pair` gets each row, still without FLIP, the picture and the truth.
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
        on_pair(row, picture, truth)
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


class Sheet:
    """Keeps reduced pictures of the `WORST` pairs, so that thousands of pairs need no more memory than ten."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._sharp = {pair.name: pair.sharp for pair in pairs}
        self._rows: list[tuple[float, str, U8]] = []

    def add(self, row: Row, picture: Picture, truth: Picture) -> None:
        """Add a pair if it is among the worst so far: sharp, picture, truth, error x 8 side by side."""
        level = row.figures.psnr_db
        if len(self._rows) == WORST and level >= self._rows[-1][0]:
            return
        words = [row.name, f"PSNR {level:.2f} dB", f"SSIM {row.figures.ssim:.4f}"]
        if row.figures.edge_psnr_db is not None:
            words.insert(2, f"edge {row.figures.edge_psnr_db:.2f} dB")
        seen, expected = picture.shown(), truth.shown()
        error = np.clip(ERROR_GAIN * np.abs(seen - expected), 0, 1)
        parts = [_picture(self._sharp[row.name]).shown(), seen, expected, error]
        self._rows.append((level, row.name, labelled(parts, "  ".join(words))))
        self._rows.sort(key=lambda kept: kept[:2])
        del self._rows[WORST:]

    def picture(self) -> U8:
        """(h, w, 3) RGB, worst first. Raises InvalidInput if the sheet is empty."""
        require(len(self._rows) > 0, "--sheet: expected at least one pair, found none")
        return stacked([picture for _, _, picture in self._rows])
