"""Measure pictures against the truth, pair by pair: ours or another program's."""

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from wideopen.checks import F32, U8, Mask, require
from wideopen.color import SRGB, Encoding
from wideopen.errors import InvalidInput
from wideopen.evals.exact import KnownMaps, asked_radius_px, edges_of
from wideopen.evals.measures import (
    Measure,
    displayed,
    edge_band,
    fit,
    load_dists,
    load_lpips,
    measure,
    require_flip,
    ssim,
)
from wideopen.evals.measures import flip as flip_of
from wideopen.evals.obedience import blur_error_px, laplacian_variance, lvcorr
from wideopen.evals.pairs import PICTURES, Pair
from wideopen.evals.report import Line, labelled, means, square_at, stacked
from wideopen.evals.runner import Start
from wideopen.files import read
from wideopen.lens import MAX_RADIUS, Lens
from wideopen.matting.outline import Outline
from wideopen.pipeline import Scene, render
from wideopen.session.open_photo import Job, Opened, fetch_named_model, open_photo
from wideopen.settings import LensSettings, MapSettings
from wideopen.timing import SILENT, Steps

FEW = 4
"""Up to this number, pairs are finished before a FLIP process would have started."""
ALIGNED = "aligned_"  # before the columns of the picture fitted to the truth
FITTED = ("shift_x_px", "shift_y_px", "gain_r", "gain_g", "gain_b")
ERROR_GAIN = 8  # of the error on a sheet
WORST = 10  # pairs on a sheet
CROP_PX = 320  # of the crops on a sheet, at 100 %
SWEEP = (1 / 3, 2 / 3)
"""Parts of the blur at which LVCorr looks, besides none (the photo itself) and all."""
LEAST_BLUR, MOST_BLUR, SEARCH_STEPS = 0.001, 0.08, 9  # fractions of the long side; renderings of a search


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """Linear light (H, W, 3) and how it is displayed."""

    rgb: F32
    encoding: Encoding = SRGB
    gamma: float | None = None  # displayed as light ** (1 / gamma) instead of by sRGB's curve

    def shown(self) -> F32:
        """Display-encoded, (H, W, 3) in [0, 1]."""
        if self.gamma is not None:
            return np.clip(self.rgb, 0, 1) ** np.float32(1 / self.gamma)
        return displayed(self.rgb, self.encoding)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MadePicture:
    """What a method made of a pair, and what it found on the way: `lvcorr`, `found_blur_px`."""

    picture: Picture
    facts: Mapping[str, float | None] = field(default_factory=dict)


Method = Callable[[Pair, Picture], MadePicture]  # (pair, truth); the truth is for searches only


def true_picture(pair: Pair) -> Picture:
    """The photo through the real lens. Raises InvalidInput."""
    return _picture(pair.bokeh, pair.gamma)


def _picture(path: Path, gamma: float | None = None) -> Picture:
    photo = read(path)
    return Picture(rgb=photo.rgb, encoding=photo.encoding, gamma=gamma)


def by_us(
    settings: LensSettings,
    maps: MapSettings,
    *,
    backend: str = "auto",
    search: bool = False,
    sweep: bool = False,
    step: Steps = SILENT,
) -> Method:
    """`wideopen render` with these settings; a pair's meta overrides them. Raises WeightsError.

    search: where meta gives no blur, take the one whose picture has the best SSIM. sweep: for LVCorr, render with less
    blur too.
    """
    fetch_named_model(maps, step)

    def method(pair: Pair, truth: Picture) -> MadePicture:
        opened = open_pair(pair, maps, backend=backend)
        lens = lens_of(pair, settings, opened)

        def at(radius: float) -> Picture:
            image = render(opened.scene, replace(lens, max_radius=radius), backend=backend)
            return Picture(rgb=image, encoding=opened.photo.encoding, gamma=pair.gamma)

        facts: dict[str, float | None] = {}
        radius = lens.max_radius
        if search and pair.meta.blur is None:
            expected = truth.shown()
            radius = best_blur(lambda r: ssim(at(r).shown(), expected))
            facts["found_blur_px"] = radius * max(expected.shape)
        picture = at(radius)
        if sweep:
            photo = Picture(rgb=opened.photo.rgb, encoding=opened.photo.encoding, gamma=pair.gamma)
            shown = [photo, *(at(part * radius) for part in SWEEP), picture]
            facts["lvcorr"] = lvcorr((0, *SWEEP, 1), [laplacian_variance(one.shown()) for one in shown])
        return MadePicture(picture=picture, facts=facts)

    return method


def best_blur(score: Callable[[float], float]) -> float:
    """The radius, as a fraction of the long side, with the best `score`: golden-section search of its logarithm."""
    golden = (5**0.5 - 1) / 2
    low, high = np.log([LEAST_BLUR, min(MOST_BLUR, MAX_RADIUS)])
    known: dict[float, float] = {}

    def at(x: float) -> float:
        if x not in known:
            known[x] = score(float(np.exp(x)))
        return known[x]

    left, right = high - golden * (high - low), low + golden * (high - low)
    for _ in range(SEARCH_STEPS - 2):
        if at(left) > at(right):
            high, right = right, left
            left = high - golden * (high - low)
        else:
            low, left = left, right
            right = low + golden * (high - low)
    return float(np.exp(max(known, key=known.__getitem__)))


def by_others(folder: Path) -> Method:
    """Pictures by another program: NAME.EXT in `folder`, of the truth's size. Raises InvalidInput without a folder."""
    require(folder.is_dir(), f"--pred: expected a folder, found {folder}")

    def method(pair: Pair, _: Picture) -> MadePicture:
        files = (folder / f"{pair.name}{suffix}" for suffix in (*PICTURES, *map(str.upper, PICTURES)))
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            raise InvalidInput(f"--pred: expected a picture {folder / pair.name}.*, found none")
        return MadePicture(picture=_picture(file, pair.gamma if file.suffix.lower() == ".exr" else None))

    return method


def open_pair(pair: Pair, maps: MapSettings, *, backend: str = "auto", step: Steps = SILENT) -> Opened:
    """Open the sharp photo of a pair with the maps that lie beside it."""
    if pair.meta.filter_disparity is not None:
        maps = replace(maps, filter_disparity=pair.meta.filter_disparity)
    given = KnownMaps(matte=pair.matte, disparity=pair.disparity, outline=Outline.EXACT)
    return open_photo(pair.sharp, Job(maps=maps, given=given, backend=backend), step)


def lens_of(pair: Pair, settings: LensSettings, opened: Opened) -> Lens:
    """The lens for one pair: `settings`, overridden by the pair's meta. Raises InvalidInput."""
    names = ("focus", "blur") if settings.look == "paper" else ("focus", "blur", "focus_range")
    known = {name: getattr(pair.meta, name) for name in names if getattr(pair.meta, name) is not None}
    return replace(settings, **known).lens(opened.scene)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPair:
    """One pair, prepared for repeated rendering."""

    pair: Pair
    opened: Opened
    truth: F32  # (H, W, 3) display-encoded
    band: Mask  # (H, W) along the matte's edge

    def rendered(self, settings: LensSettings, scene: Scene | None = None) -> F32:
        """The pair, or `scene` in its place, with these settings: display-encoded, (H, W, 3)."""
        image = render(scene or self.opened.scene, lens_of(self.pair, settings, self.opened))
        return displayed(image, self.opened.photo.encoding)


def prepare(pair: Pair, maps: MapSettings) -> PreparedPair:
    """Read one pair and prepare its maps. Slow; done once per pair. Raises InvalidInput, WeightsError."""
    opened = open_pair(pair, maps)
    truth = true_picture(pair).shown()
    found = f"{pair.bokeh}: expected the size of {pair.sharp}, found another one"
    require(truth.shape == opened.scene.rgb.shape, found)
    return PreparedPair(pair, opened, truth, edge_band(opened.scene.matte))


Later = Callable[[F32, F32], Future[float]]  # a measure of (picture, truth) that is computed in the background
BACKGROUND = ("flip", "lpips", "dists")


def later(executor: Executor, measured: Measure) -> Later:
    """`measured`, computed by `executor` while the next pair is rendered."""
    return lambda picture, truth: executor.submit(measured, picture, truth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Measures besides PSNR, SSIM and those of the blur."""

    background: Mapping[str, Later] = field(default_factory=dict)  # by column, of `BACKGROUND`
    align: bool = False


def starter(
    method: Method, measures: Measures, on_pair: Callable[[Pair, Line, Picture, Picture], None] = lambda *_: None
) -> Start[Pair]:
    """What measures one pair, for `runner.run`; `on_pair` gets it, the line so far, picture and truth."""

    def start(pair: Pair) -> Callable[[], Line]:
        truth = true_picture(pair)
        made = method(pair, truth)
        line, compared = line_of(pair, made, truth, align=measures.align)
        waiting = {
            prefix + name: measured(*two)
            for prefix, two in compared.items()
            for name, measured in measures.background.items()
        }
        on_pair(pair, line, made.picture, truth)
        return lambda: line | {name: future.result() for name, future in waiting.items()}

    return start


@contextmanager
def in_background(
    pairs: int = 0, *, flip: bool = False, lpips: bool = False, dists: bool = False
) -> Iterator[Mapping[str, Later]]:
    """The measures by other programs, computed while the next of `pairs` pairs is rendered.

    Networks use one thread. FLIP takes one second of one core per megapixel and holds Python's lock, so it runs in a
    process. Raises InvalidInput for missing packages, WeightsError.
    """
    networks = {name: load() for name, on, load in (("lpips", lpips, load_lpips), ("dists", dists, load_dists)) if on}
    if flip:
        require_flip()
    with ExitStack() as stack:
        one = stack.enter_context(ThreadPoolExecutor(1, initializer=_one_thread))
        measured = {name: later(one, network) for name, network in networks.items()}
        if flip:
            process = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) if pairs > FEW else one
            measured["flip"] = later(stack.enter_context(process), flip_of)
        yield measured


def _one_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def line_of(
    pair: Pair, made: MadePicture, truth: Picture, *, align: bool = False
) -> tuple[Line, dict[str, tuple[F32, F32]]]:
    """All figures of one picture but those of the background, and by prefix the (picture, truth) for these.

    Raises InvalidInput.
    """
    seen, expected = made.picture.shown(), truth.shown()
    size = expected.shape[:2]
    band = edges_of(pair, size)
    none = dict.fromkeys(BACKGROUND)
    line: Line = {"pair": pair.name, **asdict(measure(seen, expected, band)), **none}
    asked = asked_radius_px(pair, size)
    line["blur_error_px"] = None if asked is None else blur_error_px(made.picture.rgb, read(pair.sharp).rgb, asked)
    line["laplacian"] = laplacian_variance(seen)
    line |= {"lvcorr": None, "found_blur_px": None} | dict(made.facts)
    compared = {"": (seen, expected)}
    if align:
        fitted = fit(made.picture.rgb, truth.rgb)
        moved, part = replace(truth, rgb=fitted.picture).shown(), expected[fitted.window]
        again = asdict(measure(moved, part, None if band is None else band[fitted.window])) | none
        line |= {f"{ALIGNED}{name}": value for name, value in again.items()}
        line |= dict(zip(FITTED, (*fitted.shift_px, *fitted.gain), strict=True))
        compared[ALIGNED] = (moved, part)
    return line, compared


def summary(lines: Sequence[Line], pairs: Iterable[Pair]) -> dict[str, dict[str, float | None]]:
    """Means as they are and, of fitted pictures, aligned; LVCorr is over groups of pictures where a set has them."""
    found = {"as they are": means(lines)}
    of_groups = lvcorr_of_groups(pairs, lines)
    if of_groups is not None:
        found["as they are"]["lvcorr"] = of_groups
    if FITTED[0] in lines[0]:
        found["aligned"] = means(lines, ALIGNED)
    return found


def fits(lines: Sequence[Line]) -> str:
    """One line on the shifts and gains of fitted pictures."""
    shift = max(abs(line[name]) for line in lines for name in FITTED[:2])
    gains = [line[name] for line in lines for name in FITTED[2:]]
    return f"fitted: shifts up to {shift:.2f} pixels, gains {min(gains):.3f} to {max(gains):.3f}"


def lvcorr_of_groups(pairs: Iterable[Pair], lines: Iterable[Line]) -> float | None:
    """Mean LVCorr over the groups of pairs of one photo and focus; None where no group has three levels.

    What was asked for is the blur found, where it was searched, else the set's level.
    """
    known = {line["pair"]: line for line in lines}
    groups: dict[str, list[tuple[float, float]]] = {}
    for pair in pairs:
        if pair.meta.group is not None and pair.name in known:
            line = known[pair.name]
            level = pair.level if line["found_blur_px"] is None else line["found_blur_px"]
            if level is not None:
                groups.setdefault(pair.meta.group, []).append((level, line["laplacian"]))
    found = [lvcorr(*zip(*members, strict=True)) for members in groups.values()]
    return float(np.mean([x for x in found if x is not None])) if any(x is not None for x in found) else None


class WorstSheet:
    """Crops at 100 % of the `WORST` pairs where they are worst: sharp, truth, theirs, ours, error x 8.

    Only small crops are kept, so that thousands of pairs need no more memory than ten.
    """

    def __init__(self, ours: Method | None) -> None:
        """`ours` renders beside another program's pictures; None where the judged pictures are ours."""
        self._ours = ours
        self._rows: list[tuple[float, str, U8]] = []

    def add(self, pair: Pair, line: Line, picture: Picture, truth: Picture) -> None:
        """Add a pair if it is among the worst so far."""
        level = line["psnr_db"]
        if len(self._rows) == WORST and level >= self._rows[-1][0]:
            return
        seen, expected = picture.shown(), truth.shown()
        wrong = np.abs(seen - expected)
        where = square_at(wrong.mean(axis=2), CROP_PX)
        tiles = {"sharp": _picture(pair.sharp, pair.gamma).shown(), "truth": expected}
        if self._ours is None:
            tiles["ours"] = seen
        else:
            tiles |= {"theirs": seen, "ours": self._ours(pair, truth).picture.shown()}
        tiles[f"error x {ERROR_GAIN}"] = np.clip(ERROR_GAIN * wrong, 0, 1)
        crops = [np.ascontiguousarray(tile[where]) for tile in tiles.values()]
        words = [line["pair"], *tiles, f"PSNR {level:.2f} dB", f"SSIM {line['ssim']:.4f}"]
        if line["edge_psnr_db"] is not None:
            words.append(f"edge {line['edge_psnr_db']:.2f} dB")
        self._rows.append((level, line["pair"], labelled(crops, "  ".join(words), crops[0].shape[0])))
        self._rows.sort(key=lambda kept: kept[:2])
        del self._rows[WORST:]

    def picture(self) -> U8:
        """(h, w, 3) RGB, worst first. Raises InvalidInput if the sheet is empty."""
        require(len(self._rows) > 0, "--sheet: expected at least one pair, found none")
        return stacked([picture for _, _, picture in self._rows])
