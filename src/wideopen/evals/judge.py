"""Measure pictures against the truth, pair by pair: ours or another program's."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import F32, U8, Mask, require
from wideopen.color import SRGB, Encoding
from wideopen.errors import InvalidInput
from wideopen.evals.dists import load_dists
from wideopen.evals.exact import KnownMaps, asked_radius_px, edges_of
from wideopen.evals.measures import Measure, displayed, edge_band, fit, load_flip, load_lpips, measure, ssim
from wideopen.evals.obedience import blur_error_px, laplacian_variance, lvcorr
from wideopen.evals.pairs import PICTURES, Pair, require_equal_sizes
from wideopen.evals.report import WORST, Line, crops_of_worst, means, number, stacked
from wideopen.evals.runner import Judged, Ledger, at_once, run, worst_first
from wideopen.files import read
from wideopen.files.read import read_facts
from wideopen.lens import MAX_RADIUS, Lens
from wideopen.photo import Photo
from wideopen.pipeline import Scene, hold_sheets, render
from wideopen.session.open_photo import Job, Opened, fetch_named_model, open_photo
from wideopen.settings import LensSettings, MapSettings
from wideopen.timing import SILENT
from wideopen.workers import Workers, pool_size
from wideopen.workers.size import mb_for

FEW = 4  # up to this number, pairs are finished before worker processes would have started
NETWORKS_MB = 700  # more memory for a worker that computes LPIPS or DISTS
ALIGNED = "aligned_"  # before the columns of the picture fitted to the truth
FITTED = ("shift_x_px", "shift_y_px", "gain_r", "gain_g", "gain_b")
SWEEP = (1 / 3, 2 / 3)  # parts of the blur at which LVCorr looks, besides none (the photo itself) and all
LEAST_BLUR, MOST_BLUR, SEARCH_STEPS = 0.001, 0.08, 9  # fractions of the long side; renderings of a search


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """Linear light (H, W, 3) and how it is displayed."""

    rgb: F32
    encoding: Encoding = SRGB
    gamma: float | None = None  # displayed as light ** (1 / gamma) instead of by sRGB's curve
    codes: U8 | None = None  # of the file that `rgb` was read from, if they are sRGB's

    @cached_property
    def shown(self) -> F32:
        """Display-encoded, (H, W, 3) in [0, 1]."""
        if self.gamma is not None:
            return np.clip(self.rgb, 0, 1) ** np.float32(1 / self.gamma)
        if self.codes is not None:
            return np.multiply(self.codes, np.float32(1 / 255), dtype=np.float32)
        return displayed(self.rgb, self.encoding)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MadePicture:
    """A method's picture of a pair, and its by-products: `lvcorr`, `found_blur_px`."""

    picture: Picture
    sharp: F32 | None = None  # linear light (H, W, 3) of the photo, if it was read
    facts: Mapping[str, float | None] = field(default_factory=dict)


Method = Callable[[Pair, Picture], MadePicture]  # (pair, truth); the truth is for searches only


def true_picture(pair: Pair) -> Picture:
    """The photo through the real lens. Raises InvalidInput."""
    return _picture(read(pair.bokeh), pair.gamma)


def _picture(photo: Photo, gamma: float | None = None) -> Picture:
    codes = photo.codes if photo.hdr is None and photo.encoding == SRGB else None
    return Picture(rgb=photo.rgb, encoding=photo.encoding, gamma=gamma, codes=codes)


def by_us(
    settings: LensSettings, maps: MapSettings, *, backend: str = "auto", search: bool = False, sweep: bool = False
) -> Method:
    """`wideopen render` with these settings; a pair's meta overrides them. Raises WeightsError.

    search: where meta gives no blur, take the one whose picture has the best SSIM. sweep: for LVCorr, render with less
    blur too.
    """
    fetch_named_model(maps, SILENT)
    last: dict[tuple[Any, ...], Opened] = {}

    def analyzed(pair: Pair) -> Opened:
        """The pair, opened. Neighbours in a set are often of one photo with another blur or focus."""
        files = (pair.sharp, pair.matte, pair.disparity, pair.meta.filter_disparity)
        if files not in last:
            last.clear()
            last[files] = open_pair(pair, maps, backend=backend)
        return last[files]

    def method(pair: Pair, truth: Picture) -> MadePicture:
        opened = analyzed(pair)
        lens = lens_of(pair, settings, opened)
        if search or sweep:
            hold_sheets(opened.scene)

        def at(radius: float) -> Picture:
            image = render(opened.scene, replace(lens, max_radius=radius), backend=backend)
            return Picture(rgb=image, encoding=opened.photo.encoding, gamma=pair.gamma)

        facts: dict[str, float | None] = {}
        radius = lens.max_radius
        if search and pair.meta.blur is None:
            expected = truth.shown
            radius = best_blur(lambda r: ssim(at(r).shown, expected))
            facts["found_blur_px"] = radius * max(expected.shape)
        picture = at(radius)
        if sweep:
            shown = [_picture(opened.photo, pair.gamma), *(at(part * radius) for part in SWEEP), picture]
            facts["lvcorr"] = lvcorr((0, *SWEEP, 1), [laplacian_variance(one.shown) for one in shown])
        return MadePicture(picture=picture, sharp=opened.photo.rgb, facts=facts)

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
    """Pictures by another program, those of `picture_by_others`."""

    def method(pair: Pair, _: Picture) -> MadePicture:
        file = picture_by_others(folder, pair)
        return MadePicture(picture=_picture(read(file), pair.gamma if file.suffix.lower() == ".exr" else None))

    return method


def picture_by_others(folder: Path, pair: Pair) -> Path:
    """The picture of a pair, NAME.EXT in `folder`. Raises InvalidInput without one of the truth's size."""
    files = (folder / f"{pair.name}{suffix}" for suffix in (*PICTURES, *map(str.upper, PICTURES)))
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise InvalidInput(f"expected a picture {folder / pair.name}.*, found none")
    require_equal_sizes(pair.bokeh, file)
    return file


def open_pair(pair: Pair, maps: MapSettings, *, backend: str = "auto") -> Opened:
    """Open the sharp photo of a pair with the maps that lie beside it."""
    if pair.meta.filter_disparity is not None:
        maps = replace(maps, filter_disparity=pair.meta.filter_disparity)
    given = KnownMaps(matte=pair.matte, disparity=pair.disparity)
    return open_photo(pair.sharp, Job(maps=maps, given=given, backend=backend))


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
    truth = true_picture(pair).shown
    found = f"{pair.bokeh}: expected the size of {pair.sharp}, found another one"
    require(truth.shape == opened.scene.rgb.shape, found)
    return PreparedPair(pair, opened, truth, edge_band(opened.scene.matte))


SLOW: dict[str, Callable[[], Measure]] = {"flip": load_flip, "lpips": load_lpips, "dists": load_dists}
"""Measures by other programs, by column."""


def line_of(pair: Pair, made: MadePicture, truth: Picture, slow: Mapping[str, Measure], *, align: bool = False) -> Line:
    """All figures of one picture; `slow`: the measures of `SLOW` to take, by column. Raises InvalidInput."""
    seen, expected = made.picture.shown, truth.shown
    size = expected.shape[:2]
    band = edges_of(pair, size)

    def figures(picture: F32, true: F32, band: Mask | None) -> Line:
        fast = asdict(measure(picture, true, band)) | dict.fromkeys(SLOW)
        return fast | {name: take(picture, true) for name, take in slow.items()}

    line: Line = {"pair": pair.name, **figures(seen, expected, band)}
    asked = asked_radius_px(pair, size)
    sharp = read(pair.sharp).rgb if made.sharp is None and asked is not None else made.sharp
    line["blur_error_px"] = None if asked is None or sharp is None else blur_error_px(made.picture.rgb, sharp, asked)
    line["laplacian"] = laplacian_variance(seen)
    line |= {"lvcorr": None, "found_blur_px": None} | dict(made.facts)
    if align:
        fitted = fit(made.picture.rgb, truth.rgb)
        moved, part = replace(truth, rgb=fitted.picture, codes=None).shown, expected[fitted.window]
        again = figures(moved, part, None if band is None else band[fitted.window])
        line |= {f"{ALIGNED}{name}": value for name, value in again.items()}
        line |= dict(zip(FITTED, (*fitted.shift_px, *fitted.gain), strict=True))
    return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How pairs are judged; it can be sent to worker processes."""

    method: Callable[[], Method]
    slow: tuple[str, ...] = ()  # of `SLOW`
    align: bool = False

    def begun(self) -> Callable[[Pair], Line]:
        """Load what it takes. Raises InvalidInput for missing packages and folders, WeightsError."""
        method, slow = self.method(), {name: SLOW[name]() for name in self.slow}

        def line(pair: Pair) -> Line:
            truth = true_picture(pair)
            return line_of(pair, method(pair, truth), truth, slow, align=self.align)

        return line


_in_worker: Callable[[Pair], Line] | None = None


def _begin(judging: Judging) -> None:
    global _in_worker
    _in_worker = judging.begun()


def _line(pair: Pair) -> Line:
    assert _in_worker is not None
    return _in_worker(pair)


def judge_pairs(
    judging: Judging,
    pairs: Sequence[Pair],
    on_pair: Callable[[str], None] = lambda _: None,
    ledger: Ledger | None = None,
) -> Judged:
    """The figures of each pair; those that cannot be judged are skipped.

    More than `FEW` pairs are judged in as many worker processes as cores and memory allow, one thread each: most steps
    of a pair use one core. Raises as `Judging.begun` does.
    """
    cases, kept = (((pair.name,), pair) for pair in pairs), ledger or Ledger(names=("pair",))
    largest = max((facts.width * facts.height for facts in map(read_facts, (p.sharp for p in pairs))), default=0) / 1e6
    size = pool_size(worker_mb=mb_for(largest) + NETWORKS_MB * bool(judging.slow))
    if len(pairs) <= FEW or size.workers < 2:
        return run(cases, at_once(judging.begun()), kept, on_pair)
    with Workers(size, partial(_begin, judging), at_once=True) as workers:
        workers.submit(os.getpid).result()  # fails where a worker could not begin

        def soon(pair: Pair) -> Callable[[], Line]:
            task = workers.submit(_line, pair)
            return lambda: task.result().value

        return run(cases, soon, kept, on_pair, size.workers + 1)


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


def sheet_of_worst(lines: Iterable[Line], pairs: Iterable[Pair], method: Method, ours: Method | None) -> U8:
    """(h, w, 3) RGB: crops of the `WORST` pairs, a row each, as `crops_of_worst`.

    `ours` renders beside another program's pictures; None where those of `method` are ours.
    """
    known = {pair.name: pair for pair in pairs}
    rows = []
    for line in sorted(lines, key=worst_first("psnr_db"))[:WORST]:
        pair = known[line["pair"]]
        truth = true_picture(pair)
        photo = _picture(read(pair.sharp), pair.gamma).shown
        seen = method(pair, truth).picture.shown
        beside = None if ours is None else ours(pair, truth).picture.shown
        score = f"{number(line['psnr_db'], 2)} dB, SSIM {line['ssim']:.4f}"
        rows.append(crops_of_worst(photo, truth.shown, seen, beside, pair.name, score))
    return stacked(rows)
