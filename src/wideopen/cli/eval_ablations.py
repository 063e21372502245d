"""`wideopen eval ablations`: what each part of the rendering is worth, on pairs."""

import csv as csv_module
import io
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.eval_bokeh import EXACT_LENS, Csv, JsonFile, Pairs, check_targets, found_pairs, tell_problems
from wideopen.cli.options import made, takes
from wideopen.cli.report import count
from wideopen.settings import LensSettings, MapSettings

if TYPE_CHECKING:
    from wideopen.evals.ablations import Ablated

_OPTIONS = ("blur", "focus", "highlights", "depth", "offline", "matting", "device")


@takes(EXACT_LENS, MapSettings, after="paper_preset", only=_OPTIONS)
def ablations(
    pairs: Pairs,
    paper_preset: Annotated[
        str, typer.Option(help="Constants of the paper look: a preset, or none for the untuned ones.")
    ] = "paper",
    crops: Annotated[int, typer.Option(help="How many pairs the sheet shows crops of.")] = 3,
    csv: Csv = None,
    json: JsonFile = None,
    sheet: Annotated[Path | None, typer.Option(help="Also write crops of all variants (.png, .jpg).")] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> int:
    """Print the figures of both looks with one part left out at a time."""
    from wideopen.checks import require
    from wideopen.evals.ablations import ablate
    from wideopen.evals.report import require_sheet, stacked, write_sheet
    from wideopen.session.presets import read_preset

    require(1 <= crops <= 20, f"--crops: expected 1 to 20, found {crops}")
    check_targets([path for path in (csv, json, sheet) if path is not None], overwrite=overwrite)
    if sheet is not None:
        require_sheet(sheet)
    thin_lens = replace(made(LensSettings, chosen), grain=0.0)
    paper = replace(thin_lens, look="paper", highlights=1.0)
    if paper_preset != "none":
        paper = read_preset(paper_preset).settings(
            {"look": "paper", "blur": thin_lens.blur, "focus": thin_lens.focus, "grain": 0.0}
        )
    lenses = {"paper": paper, "thin-lens": thin_lens}
    maps = made(MapSettings, chosen)
    found = found_pairs(pairs)
    with count("pairs", len(found.pairs)) as done:
        result = ablate(found.pairs, lenses, maps, crops=crops if sheet is not None else 0, on_pair=done)
    tell_problems(result.skipped, "skipped")
    if not result.figures:
        return 2
    _print(result)
    _write(result, csv, json, overwrite=overwrite)
    if sheet is not None:
        write_sheet(sheet, stacked(result.crops), overwrite=overwrite)
        typer.echo(sheet)
    return 0


def _print(result: "Ablated") -> None:
    from wideopen.evals.report import means, table

    lines = [(name, means(rows.values())) for name, rows in result.figures.items()]
    for line in table(lines, first=f"{len(next(iter(result.figures.values())))} pairs"):
        typer.echo(line)


def _write(result: "Ablated", csv: Path | None, json: Path | None, *, overwrite: bool) -> None:
    from wideopen.evals.report import COLUMNS, finite, means, write_json
    from wideopen.files.atomic import atomic_file

    if csv is not None:
        text = io.StringIO()
        writer = csv_module.writer(text, lineterminator="\n")
        writer.writerow(["variant", "pair", *COLUMNS])
        for name, rows in result.figures.items():
            for pair, figures in rows.items():
                values = (getattr(figures, column) for column in COLUMNS)
                writer.writerow([name, pair, *("" if value is None else f"{value:.6g}" for value in values)])
        with atomic_file(csv, overwrite=overwrite) as file:
            file.write(text.getvalue().encode())
        typer.echo(csv)
    if json is not None:
        each = {name: {pair: asdict(f) for pair, f in rows.items()} for name, rows in result.figures.items()}
        averages = {name: means(rows.values()) for name, rows in result.figures.items()}
        write_json(json, finite({"means": averages, "each": each}), overwrite=overwrite)
        typer.echo(json)
