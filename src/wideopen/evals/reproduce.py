"""The paper's tables 1 to 3 as printed, our figures beside them if the data are available, and the missing data."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.evals.judge import Judging, by_us, judge_pairs
from wideopen.evals.mattes import MattePair, by_settings, find_pairs, judge_mattes, mean_errors
from wideopen.evals.pairs import Pair
from wideopen.evals.published import PAPER, published
from wideopen.evals.report import grouped, means, number, table
from wideopen.matting.inference import MattingSettings
from wideopen.session.presets import read_preset
from wideopen.settings import LensSettings, MapSettings

Cells = tuple[float | None, ...]  # one per column; None = not measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: the paper's printed figures and ours by method, and notes on ours."""

    number: int
    title: str
    columns: tuple[str, ...]
    paper: Mapping[str, Cells]
    ours: Mapping[str, Cells] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The table as lines of text."""
        digits = (4, 4, 4, 4) if self.number < 3 else (2, 4, 4)
        rows = [[name, *map(number, figures, digits)] for name, figures in (*self.paper.items(), *self.ours.items())]
        body = table([["", *self.columns], *rows])
        return [f"Table {self.number}. {self.title}", *body, *(f"- {note}" for note in self.notes)]


_MATTING_COLUMNS = ("blurry MAD", "blurry MSE", "clear MAD", "clear MSE")
NEED_P3M = (
    "P3M-10k (https://github.com/JizhiziLi/P3M says how to get it): unpack it, and pass its folder as --matting-data"
)


def _printed(columns: Sequence[str], *benchmarks: str) -> dict[str, Cells]:
    """The paper's figures by method: `columns` of each set side by side."""
    rows: dict[str, Cells] = {}
    for one in published():
        if one.source == PAPER and one.benchmark in benchmarks:
            rows[one.method] = (*rows.get(one.method, ()), *(one.figures[name] for name in columns))
    return rows


TABLE_1 = Table(
    number=1,
    title="Matting on P3M-500-P (blurry) and P3M-500-NP (clear)",
    columns=_MATTING_COLUMNS,
    paper=_printed(("mad", "mse"), "p3m-500-p", "p3m-500-np"),
)
TABLE_2 = Table(
    number=2,
    title="Matting with a part of the network left out",
    columns=_MATTING_COLUMNS,
    paper={
        "without AGM": (0.0052, 0.0025, 0.0047, 0.0023),
        "without low-resolution branch": (0.0058, 0.0036, 0.0054, 0.0031),
        "without high-resolution branch": (0.0068, 0.0052, 0.0079, 0.0050),
        "the paper's, whole": TABLE_1.paper["the paper's"],
    },
)
TABLE_3 = Table(
    number=3,
    title="Bokeh against photos by a real lens (WAX)",
    columns=("PSNR", "SSIM", "LPIPS"),
    paper=_printed(("psnr_db", "ssim", "lpips"), "wax"),
)
NEED_ABLATED = f"{NEED_P3M}; and weights without each part, from `wideopen train matting --ablate PART`"
NEED_WAX = (
    "WAX, 20 pairs of wax figures by a Canon EOS 70D: we know of no public copy; ask its authors. --pairs takes any "
    "set in the layout of docs/evaluation.md: your own, EBB! (AIM 2020 challenge on rendering realistic bokeh), or "
    "the ray-traced one of benchmarks/lens/export.py"
)
ABLATED = ("agm", "low-resolution", "high-resolution")


GROUPS = ("P3M-500-P", "P3M-500-NP")
SHIPPED = "mobile"


def parse_ablated(words: Sequence[str]) -> dict[str, Path]:
    """Parse words such as `agm=FILE` into files by part. Raises InvalidInput."""
    found: dict[str, Path] = {}
    for word in words:
        part, _, file = word.partition("=")
        fits = part in ABLATED and bool(file) and part not in found
        require(fits, f"--ablated: expected PART=FILE with a part of {', '.join(ABLATED)}, found {word!r}")
        require(Path(file).is_file(), f"--ablated: expected a file of weights, found no {file}")
        found[part] = Path(file)
    return found


def matting_tables(
    data: Path | None, ablated: Mapping[str, Path], *, on_photo: Callable[[str], None] = lambda _: None
) -> tuple[Table, Table]:
    """Tables 1 and 2. Raises InvalidInput for a folder that is not a set of mattes; WeightsError."""
    if data is None:
        return _without(TABLE_1, NEED_P3M), _without(TABLE_2, NEED_ABLATED)
    val = [pair for pair in find_pairs(data) if pair.part == "val"]
    require(bool(val), f"--matting-data: expected photos to judge in {data}, found none")
    ours = _matting_rows(val, SHIPPED, "wideopen mobile, as shipped", on_photo)
    others = [_matting_rows(val, str(file), f"ours without {part}", on_photo) for part, file in ablated.items()]
    sets = Counter(pair.group for pair in val)
    notes: list[list[str]] = [[], []]
    if set(sets) != set(GROUPS):
        found = ", ".join(f"{group} ({count})" for group, count in sets.items())
        for note, need in zip(notes, (NEED_P3M, NEED_ABLATED), strict=True):
            note.append(f"ours is NOT on the paper's photos but on {found}; the paper's are in {need}")
    if len(ablated) < len(ABLATED):
        missing = ", ".join(part for part in ABLATED if part not in ablated)
        notes[1].append(f"no weights given for {missing} (--ablated PART=FILE): this needs {NEED_ABLATED}")
    one = replace(TABLE_1, ours=ours, notes=tuple(notes[0]))
    return one, replace(TABLE_2, ours={k: v for rows in others for k, v in rows.items()}, notes=tuple(notes[1]))


def _without(paper: Table, need: str) -> Table:
    return replace(paper, notes=(f"not run here; it needs {need}",))


def _matting_rows(
    val: Sequence[MattePair], network: str, name: str, on_photo: Callable[[str], None]
) -> dict[str, Cells]:
    """One row for the paper's two sets; for other sets, one row each with the first two columns filled."""
    judged = judge_mattes(val, by_settings(MattingSettings(matting=network)), on_photo)
    require(len(judged.lines) > 0, "--matting-data: expected at least one photo to judge, found none")
    found = {group: mean_errors(rows)["whole"] for group, rows in grouped(judged.lines, "set").items()}
    if set(found) == set(GROUPS):
        return {name: tuple(found[group][x] for group in GROUPS for x in ("mad", "mse"))}
    return {f"{name}, {group}": (whole["mad"], whole["mse"], None, None) for group, whole in found.items()}


def measured(files: Sequence[Path]) -> dict[str, dict[str, Mapping[str, float | None]]]:
    """Our means by benchmark and what was judged, from JSON files of `eval`. Raises InvalidInput."""
    found: dict[str, dict[str, Mapping[str, float | None]]] = {}
    for file in files:
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            name, pred, figures = data["benchmark"], data.get("pred"), next(iter(data["means"].values()))
        except (OSError, ValueError, KeyError, AttributeError, StopIteration) as error:
            raise InvalidInput(f"--measured: expected a file of eval --benchmark --json, found {file}") from error
        how = data["lens"]["look"] if "lens" in data else data.get("matting", "")
        label = f"{Path(pred).name} (measured)" if pred else f"wideopen {how}".rstrip()
        found.setdefault(name, {})[f"{label}, {data['pairs']} pairs"] = figures.get("whole", figures)
    return found


def bokeh_table(
    pairs: Sequence[Pair],
    *,
    lpips: bool = False,
    highlights: float = 1.0,
    folder: str = "",
    on_pair: Callable[[str], None] = lambda _: None,
) -> Table:
    """Table 3, with untuned and tuned looks on `pairs`. Raises InvalidInput if no pair could be judged."""
    if not pairs:
        return _without(TABLE_3, NEED_WAX)
    untuned = LensSettings(highlights=highlights, grain=0.0)  # an exact lens has no grain
    looks = {
        "paper look, untuned": replace(untuned, look="paper"),
        "paper look, preset paper": read_preset("paper").settings(beneath={"grain": 0.0}),
        "thin-lens": untuned,
    }
    ours: dict[str, Cells] = {}
    notes = []
    for name, settings in looks.items():
        how = Judging(method=partial(by_us, settings, MapSettings()), slow=("lpips",) if lpips else ())
        judged = judge_pairs(how, pairs, on_pair)
        if not judged.lines:
            reasons = "; ".join(problem.what for problem in judged.skipped[:3])
            raise InvalidInput(f"--pairs: expected a pair that can be judged, found none: {reasons}")
        averages = means(judged.lines)
        ours[name] = (averages["psnr_db"], averages["ssim"], averages["lpips"])
        if judged.skipped:
            notes.append(f"{name}: {len(judged.skipped)} pairs could not be judged")
    notes.append(f"ours is on {len(pairs)} pairs of {folder or 'the folder given'}; the paper's is on {NEED_WAX}")
    if not lpips:
        notes.append("--lpips adds LPIPS")
    return replace(TABLE_3, ours=ours, notes=tuple(notes))
