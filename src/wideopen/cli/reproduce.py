"""`wideopen reproduce`: the paper's tables and what others publish, beside our own figures."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from wideopen.cli import options
from wideopen.cli.evaluate import JsonFile, Lpips, check_targets, found_pairs
from wideopen.cli.terminal import steps


def reproduce(
    matting_data: Annotated[
        Path | None, typer.Option(help="Folder for Tables 1 and 2: P3M-10k, or another as for eval matting.")
    ] = None,
    ablated: Annotated[
        list[str] | None,
        typer.Option(
            help="Weights without one part, PART=FILE: agm, low-resolution or high-resolution; may be repeated."
        ),
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder for Table 3, as for eval bokeh.")] = None,
    highlights: Annotated[
        float,
        typer.Option(help="Brightness restored to clipped lights; 0 if the true pictures are clamped at white."),
    ] = 1.0,
    measured: Annotated[
        list[Path] | None,
        typer.Option(help="File of `eval bokeh` or `eval matting` with --benchmark and --json; may be repeated."),
    ] = None,
    lpips: Lpips = False,
    json: JsonFile = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print the paper's tables beside our own figures. Published figures of other methods follow."""
    from wideopen.evals.provenance import provenance
    from wideopen.evals.published import missing, published, set_tables
    from wideopen.evals.report import write_json
    from wideopen.evals.reproduce import bokeh_table, matting_tables, parse_ablated
    from wideopen.evals.reproduce import measured as read_measured

    check_targets(json, overwrite=overwrite)
    weights, ours = parse_ablated(ablated or []), read_measured(measured or [])
    found = found_pairs(pairs).pairs if pairs is not None else ()
    with steps("mattes") as step:
        tables = list(matting_tables(matting_data, weights, on_photo=step))
    with steps("pairs") as step:
        folder = "" if pairs is None else pairs.name
        tables.append(bokeh_table(found, lpips=lpips, highlights=highlights, folder=folder, on_pair=step))
    typer.echo("\n\n".join("\n".join(table.lines()) for table in tables))
    typer.echo("\nPublished by others, and ours:\n")
    for one in set_tables(ours):
        typer.echo("\n".join(one.lines()))
    typer.echo("\n".join(["Not found in a source that could be read:", *(f"- {line}" for line in missing())]))
    content = {"published": [asdict(one) for one in published()], "measured": ours, "missing": missing()}
    tables_of = {"tables": [asdict(table) for table in tables]}
    if json is not None:
        write_json(json, {**provenance(), **tables_of, **content}, overwrite=overwrite)
        typer.echo(json)
