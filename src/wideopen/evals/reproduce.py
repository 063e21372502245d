"""The paper's tables 1 to 3 as printed, our figures beside them if the data are available, and the missing data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wideopen.checks import F32, U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.judge import Measures, by_us, judge
from wideopen.evals.matte_pairs import Pair, find_pairs
from wideopen.evals.mattes import judge as judge_mattes
from wideopen.evals.pairs import Pair as BokehPair
from wideopen.evals.report import means
from wideopen.matting.find_matte import pick_matter
from wideopen.matting.inference import MattingSettings
from wideopen.session.presets import read_preset
from wideopen.settings import LensSettings, MapSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """One table of the paper: its printed figures, by method."""

    number: int
    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    needs: str  # the data, and where to get them


_MATTING_COLUMNS = ("blurry MAD", "blurry MSE", "clear MAD", "clear MSE")
_P3M = (
    "P3M-10k: https://github.com/JizhiziLi/P3M says how it is had; its folder, unpacked, is what --matting-data takes"
)
_OURS = (0.0040, 0.0021, 0.0038, 0.0017)

TABLE_1 = PaperTable(
    number=1,
    title="Matting on P3M-500-P (blurry) and P3M-500-NP (clear)",
    columns=_MATTING_COLUMNS,
    rows={
        "LF": (0.0251, 0.0191, 0.0178, 0.0129),
        "AIM": (0.0193, 0.0156, 0.0165, 0.0101),
        "MODNet": (0.0089, 0.0042, 0.0085, 0.0041),
        "GFM": (0.0082, 0.0041, 0.0081, 0.0041),
        "P3M": (0.0046, 0.0023, 0.0042, 0.0019),
        "the paper's": _OURS,
    },
    needs=_P3M,
)
TABLE_2 = PaperTable(
    number=2,
    title="Matting with a part of the network left out",
    columns=_MATTING_COLUMNS,
    rows={
        "without AGM": (0.0052, 0.0025, 0.0047, 0.0023),
        "without low-resolution branch": (0.0058, 0.0036, 0.0054, 0.0031),
        "without high-resolution branch": (0.0068, 0.0052, 0.0079, 0.0050),
        "the paper's, whole": _OURS,
    },
    needs=f"{_P3M}; and weights without each part, trained by `wideopen train matting --ablate PART`",
)
TABLE_3 = PaperTable(
    number=3,
    title="Bokeh against photos by a real lens (WAX)",
    columns=("PSNR", "SSIM", "LPIPS"),
    rows={
        "BokehMe, row 1": (23.12, 0.9290, 0.3963),
        "BokehMe, row 2": (23.22, 0.9295, 0.3962),
        "BokehMe, row 3": (23.15, 0.9292, 0.3881),
        "MPIB": (26.26, 0.9157, 0.3881),
        "the paper's": (26.29, 0.9386, 0.3735),
    },
    needs=(
        "WAX, 20 pairs of wax figures by a Canon EOS 70D: no public copy is known, ask its authors. --pairs takes any "
        "set in the layout of docs/evaluation.md: your own, EBB! (AIM 2020 challenge on rendering realistic bokeh), or "
        "the ray-traced one of benchmarks/lens/export.py"
    ),
)
ABLATED = ("agm", "low-resolution", "high-resolution")


GROUPS = ("P3M-500-P", "P3M-500-NP")
SHIPPED = "mobile"


@dataclass(slots=True)
class Table:
    """A table for output: the paper's rows and ours."""

    paper: PaperTable
    ours: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The table as lines of text."""
        names = [*self.paper.rows, *self.ours]
        width = max(34, *(len(name) for name in names)) + 2
        digits = 4 if self.paper.number < 3 else None
        head = f"{'':{width}}" + "".join(f"{name:>12}" for name in self.paper.columns)
        rows = [
            f"{name:{width}}" + "".join(_cell(x, digits or (2 if i == 0 else 4)) for i, x in enumerate(figures))
            for name, figures in (*self.paper.rows.items(), *self.ours.items())
        ]
        return [f"Table {self.paper.number}. {self.paper.title}", head, *rows, *(f"- {note}" for note in self.notes)]

    def to_dict(self) -> dict[str, Any]:
        """The table as a dictionary for JSON."""
        return {
            "number": self.paper.number,
            "title": self.paper.title,
            "columns": list(self.paper.columns),
            "paper": {name: list(row) for name, row in self.paper.rows.items()},
            "ours": {name: list(row) for name, row in self.ours.items()},
            "notes": self.notes,
        }


def _cell(value: float | None, digits: int) -> str:
    return ("-" if value is None else f"{value:.{digits}f}").rjust(12)


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
    one, two = Table(TABLE_1), Table(TABLE_2)
    if data is None:
        for table in (one, two):
            table.notes.append(f"not run here, for want of {table.paper.needs}")
        return one, two
    val = [pair for pair in find_pairs(data) if pair.part == "val"]
    groups = list(dict.fromkeys(pair.group for pair in val))
    require(bool(groups), f"--matting-data: expected photos to judge in {data}, found none")
    one.ours |= _matting_rows(val, groups, SHIPPED, "wideopen mobile, as shipped", on_photo)
    for part, file in ablated.items():
        two.ours |= _matting_rows(val, groups, str(file), f"ours without {part}", on_photo)
    if set(groups) != set(GROUPS):
        for table in (one, two):
            found = ", ".join(f"{group} ({sum(pair.group == group for pair in val)})" for group in groups)
            table.notes.append(f"ours is NOT on the paper's photos but on {found}; for those: {table.paper.needs}")
    if len(ablated) < len(ABLATED):
        missing = ", ".join(part for part in ABLATED if part not in ablated)
        two.notes.append(f"no weights given for {missing}: --ablated PART=FILE; {TABLE_2.needs}")
    return one, two


def _matting_rows(
    val: Sequence[Pair], groups: Sequence[str], network: str, name: str, on_photo: Callable[[str], None]
) -> dict[str, tuple[float | None, ...]]:
    """One row for the paper's two sets; for other sets, one row each with the first two columns filled."""

    predict, _ = pick_matter(MattingSettings(matting=network))

    def matter(_: Pair, rgb: U8) -> F32:
        return predict(rgb)

    found = {}
    for group in groups:
        whole, _ = judge_mattes([pair for pair in val if pair.group == group], matter, on_photo).mean()
        found[group] = (whole.mad, whole.mse)
    if set(groups) == set(GROUPS):
        return {name: tuple(x for group in GROUPS for x in found[group])}
    return {f"{name}, {group}": (*figures, None, None) for group, figures in found.items()}


def bokeh_table(
    pairs: Sequence[BokehPair],
    measures: Measures,
    *,
    highlights: float = 1.0,
    folder: str = "",
    on_pair: Callable[[str], None] = lambda _: None,
) -> Table:
    """Table 3, with untuned and tuned looks on `pairs`. Raises InvalidInput if no pair could be judged."""
    table = Table(TABLE_3)
    if not pairs:
        table.notes.append(f"not run here, for want of {TABLE_3.needs}")
        return table
    untuned = {"highlights": highlights, "grain": 0.0}  # an exact lens has no grain
    looks = {
        "paper look, untuned": LensSettings(look="paper", **untuned),  # type: ignore[arg-type]
        "paper look, preset paper": read_preset("paper").settings(beneath={"grain": 0.0}),
        "thin-lens": LensSettings(**untuned),  # type: ignore[arg-type]
    }
    for name, settings in looks.items():
        judged = judge(pairs, by_us(settings, MapSettings()), measures, lambda row, _: on_pair(row.name))
        if not judged.rows:
            reasons = "; ".join(problem.what for problem in judged.skipped[:3])
            raise InvalidInput(f"--pairs: expected a pair that can be judged, found none: {reasons}")
        mean = means(row.figures for row in judged.rows)
        table.ours[name] = (mean["psnr_db"], mean["ssim"], mean["lpips"])
        if judged.skipped:
            table.notes.append(f"{name}: {len(judged.skipped)} pairs could not be judged")
    table.notes.append(f"ours is on {len(pairs)} pairs of {folder or 'the folder given'}; the paper's: {TABLE_3.needs}")
    if measures.lpips is None:
        table.notes.append("no LPIPS: --lpips")
    return table
