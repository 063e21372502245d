"""The paper's tables, with ours beside them where the data are at hand, and what is missing named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wideopen.checks import F32, U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.figures import means
from wideopen.evals.judge import Measures, by_us, judge
from wideopen.evals.matte_pairs import Pair, find_pairs
from wideopen.evals.mattes import judge as judge_mattes
from wideopen.evals.pairs import Pair as BokehPair
from wideopen.evals.paper_tables import ABLATED, TABLE_1, TABLE_2, TABLE_3, PaperTable
from wideopen.matting.find_matte import pick_matter
from wideopen.matting.inference import MattingSettings
from wideopen.session.presets import read_preset
from wideopen.session.settings import LensSettings, MapSettings

GROUPS = ("P3M-500-P", "P3M-500-NP")
SHIPPED = "mobile"


@dataclass(slots=True)
class Table:
    """A table as it is printed: the paper's rows and ours."""

    paper: PaperTable
    ours: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """As text."""
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
        """As JSON."""
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
    """`agm=FILE` and its like, by part. Raises InvalidInput."""
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
    """Tables 1 and 2. Raises InvalidInput for a folder that is no set of mattes, WeightsError."""
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
    """One row on the paper's two sets, or, of other sets, a row each in the first two columns."""

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
    """Table 3, with the looks untuned and tuned on `pairs`. Raises InvalidInput where no pair could be judged."""
    table = Table(TABLE_3)
    if not pairs:
        table.notes.append(f"not run here, for want of {TABLE_3.needs}")
        return table
    untuned = {"highlights": highlights, "grain": 0.0}  # an exact lens has none
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
