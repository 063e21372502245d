"""`wideopen reproduce`: the paper's tables, and ours beside them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wideopen.cli import options
from wideopen.cli.eval_bokeh import JsonFile, check_targets, found_pairs
from wideopen.cli.report import steps

if TYPE_CHECKING:
    from wideopen.evals.reproduce import Table


def reproduce(
    matting_data: Annotated[
        Path | None, typer.Option(help="P3M-10k, or another folder as for eval matting: Tables 1 and 2.")
    ] = None,
    ablated: Annotated[
        list[str] | None, typer.Option(help="PART=FILE: weights without agm, low-resolution or high-resolution.")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder as for eval bokeh: Table 3.")] = None,
    highlights: Annotated[float, typer.Option(help="0 where the pairs' truth is clamped at white.")] = 1.0,
    lpips: Annotated[bool, typer.Option("--lpips", help="LPIPS too (extra lpips, its weights).")] = False,
    json: JsonFile = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print Tables 1 to 3 of the paper with its figures, run what the data allow, and name what is missing."""
    from wideopen.evals.judge import Measures
    from wideopen.evals.measures import load_lpips
    from wideopen.evals.report import finite, write_json
    from wideopen.evals.reproduce import bokeh_table, matting_tables, parse_ablated

    check_targets([json] if json is not None else [], overwrite=overwrite)
    weights = parse_ablated(ablated or [])
    network = load_lpips() if lpips else None
    found = found_pairs(pairs).pairs if pairs is not None else ()
    with steps("mattes") as step:
        tables: list[Table] = [*matting_tables(matting_data, weights, on_photo=step)]
    with steps("pairs") as step:
        folder = "" if pairs is None else pairs.name
        tables.append(bokeh_table(found, Measures(lpips=network), highlights=highlights, folder=folder, on_pair=step))
    for number, table in enumerate(tables):
        for line in (*([""] if number else []), *table.lines()):
            typer.echo(line)
    if json is not None:
        write_json(json, finite({"tables": [table.to_dict() for table in tables]}), overwrite=overwrite)
        typer.echo(json)
