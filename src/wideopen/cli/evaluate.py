"""`wideopen eval` and `wideopen reproduce`: compare results with ground truth, and print the paper's tables."""

import io
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import eval_bokeh, options
from wideopen.cli.eval_bokeh import JsonFile, check_targets, found_pairs
from wideopen.cli.options import made, takes
from wideopen.cli.terminal import steps, warn
from wideopen.matting.inference import MattingSettings

if TYPE_CHECKING:
    from wideopen.evals.mattes import Judged, Matter
    from wideopen.evals.reproduce import Table

app = typer.Typer(help="Measure mattes and pictures against true ones.", no_args_is_help=True)
app.command("bokeh")(eval_bokeh.bokeh)
app.command("ablations")(eval_bokeh.ablations)


@app.callback()
def _group() -> None:
    """Measure mattes and pictures against true ones."""


@app.command()
@takes(MattingSettings(matting="mobile"), after="pred")
def matting(
    data: Annotated[Path, typer.Option(help="Folder with rgb/ and alpha/, or with several such folders, or P3M-10k.")],
    part: Annotated[str, typer.Option(help="Photos to judge: val (held out) or all.")] = "val",
    pred: Annotated[
        Path | None, typer.Option(help="Folder with mattes NAME.png or SET/NAME.png to judge instead of a network's.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Also write the errors of each photo to this .csv file, worst first.")
    ] = None,
    worst: Annotated[Path | None, typer.Option(help="Also write a picture (.png) of the ten worst mattes.")] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> int:
    """Print MAD, MSE, SAD, gradient and connectivity errors of mattes, over whole photos and over the transition."""
    from wideopen.checks import require
    from wideopen.evals.matte_pairs import find_pairs
    from wideopen.evals.mattes import judge, mattes_of
    from wideopen.files.atomic import check_target
    from wideopen.session.results import require_distinct

    settings = made(MattingSettings, chosen)
    require(part in ("val", "all"), f"--part: expected val or all, found {part!r}")
    require(worst is None or worst.suffix == ".png", f"--worst: expected a .png file to write, found {worst}")
    targets = [path for path in (csv, worst) if path is not None]
    for path in targets:
        check_target(path, overwrite=overwrite)
    require_distinct(targets)
    pairs = [pair for pair in find_pairs(data) if part == "all" or pair.part == "val"]
    matter = _network(settings) if pred is None else mattes_of(pred)
    require(len(pairs) > 0, f"{data}: expected photos held out for judging, found none; --part all judges all")
    with steps("photos") as step:
        judged = judge(pairs, matter, step)
    for pair, reason in judged.skipped:
        warn(f"note: skipped {pair.group}/{pair.name}: {reason}")
    _print(judged)
    _write(judged, matter, csv, worst, overwrite=overwrite)
    return 0


def _network(settings: MattingSettings) -> "Matter":
    from wideopen.matting.find_matte import pick_matter

    predict, _ = pick_matter(settings)
    return lambda _, rgb: predict(rgb)


def _print(judged: "Judged") -> None:
    """Print a table of means, by set and over all photos."""
    from wideopen.evals.mattes import NAMES, Judged

    judged.mean()  # raises if there are no photos, before anything is printed
    typer.echo(f"{'':14}{'photos':>7}{'':12}" + "".join(f"{name:>13}" for name in NAMES))
    groups = list(dict.fromkeys(row.pair.group for row in judged.rows))
    parts = [(name, tuple(row for row in judged.rows if row.pair.group == name)) for name in groups]
    for name, rows in [*parts, ("all", judged.rows)] if len(parts) > 1 else parts:
        whole, band = Judged(rows, ()).mean()
        for region, figures in (("whole", whole), ("transition", band)):
            typer.echo(f"{name:14}{len(rows):7}  {region:10}" + "".join(f"{x:13.5f}" for x in astuple(figures)))
    if judged.skipped:
        typer.echo(f"skipped {len(judged.skipped)} of {len(judged.rows) + len(judged.skipped)} photos")


def _write(judged: "Judged", matter: "Matter", csv: Path | None, worst: Path | None, *, overwrite: bool) -> None:
    from wideopen.evals.mattes import picture_of_worst, write_csv
    from wideopen.files.atomic import atomic_file

    if csv is not None:
        text = io.StringIO()
        write_csv(judged, text)
        with atomic_file(csv, overwrite=overwrite) as file:
            file.write(text.getvalue().encode())
        typer.echo(csv)
    if worst is not None:
        import cv2

        _, png = cv2.imencode(".png", picture_of_worst(judged, matter)[..., ::-1])
        with atomic_file(worst, overwrite=overwrite) as file:
            file.write(png.tobytes())
        typer.echo(worst)


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
        typer.Option(help="Brightness given back to clipped lights; 0 where the true pictures are clamped at white."),
    ] = 1.0,
    lpips: Annotated[
        bool, typer.Option("--lpips", help="Compute LPIPS (AlexNet); needs the extra lpips and its weights.")
    ] = False,
    json: JsonFile = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print Tables 1 to 3 of the paper beside our own figures, as far as the given data allow."""
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
