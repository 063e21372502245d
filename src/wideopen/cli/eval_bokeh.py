"""`wideopen eval bokeh` and `eval ablations`: compare rendered bokeh with real photos."""

import csv as csv_module
import io
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import chosen_lens, made, takes
from wideopen.cli.terminal import count, steps, warn
from wideopen.settings import LensSettings, MapSettings

if TYPE_CHECKING:
    from wideopen.evals.ablations import Ablated
    from wideopen.evals.judge import Judged, Method
    from wideopen.evals.pairs import Found, Problem

EXACT_LENS = LensSettings(grain=0.0)
"""Default lens for comparisons: no grain."""
Pairs = Annotated[
    Path,
    typer.Option(help="Folder with sharp/ and bokeh/, and optionally matte/, disparity/ and meta.json."),
]
Csv = Annotated[Path | None, typer.Option(help="Also write the figures of each pair to this .csv file, worst first.")]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Also write settings, means and the figures of each pair to this .json file."),
]
_ABLATIONS_OPTIONS = ("blur", "focus", "highlights", "depth", "offline", "matting", "device")


@takes(EXACT_LENS, MapSettings, after="pred", preset=True)
def bokeh(
    context: typer.Context,
    pairs: Pairs,
    pred: Annotated[
        Path | None, typer.Option(help="Folder with pictures NAME.EXT to judge instead of rendering.")
    ] = None,
    backend: options.Backend = "auto",
    align: Annotated[
        bool, typer.Option("--align", help="Also report figures after fitting a small shift and gains.")
    ] = False,
    flip: Annotated[
        bool, typer.Option("--flip/--no-flip", help="Compute FLIP, which takes about a second per megapixel.")
    ] = True,
    lpips: Annotated[
        bool, typer.Option("--lpips", help="Compute LPIPS (AlexNet); needs the extra lpips and its weights.")
    ] = False,
    csv: Csv = None,
    json: JsonFile = None,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Also write a picture (.png, .jpg) of the ten worst pairs: sharp, rendered, truth, error."),
    ] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> int:
    """Print PSNR, PSNR at the subject's edge, SSIM, FLIP and LPIPS against true pictures with bokeh.

    Blur and focus from a pair's meta.json replace those given here."""
    from wideopen.evals.judge import by_others, by_us
    from wideopen.evals.report import require_sheet

    check_targets([path for path in (csv, json, sheet) if path is not None], overwrite=overwrite)
    if sheet is not None:
        require_sheet(sheet)
    settings, maps = chosen_lens(context, chosen, EXACT_LENS), made(MapSettings, chosen)
    found = found_pairs(pairs)
    with steps("pairs") as step:
        method = by_us(settings, maps, backend=backend, step=step) if pred is None else by_others(pred)
    judged, picture = _judge(found, method, flip=flip, lpips=lpips, align=align, sheet=sheet is not None)
    tell_problems(judged.skipped, "skipped")
    if not judged.rows:
        return 2
    _print(judged)
    _write(judged, found, _about(pairs, pred, settings, maps), csv, json, overwrite=overwrite)
    if sheet is not None:
        from wideopen.evals.report import write_sheet

        write_sheet(sheet, picture(), overwrite=overwrite)
        typer.echo(sheet)
    return 0


def check_targets(paths: list[Path], *, overwrite: bool) -> None:
    """Refuse output files that cannot be written, or that are the same. Raises InvalidInput."""
    from wideopen.files.atomic import check_target
    from wideopen.session.results import require_distinct

    for path in paths:
        check_target(path, overwrite=overwrite)
    require_distinct(paths)


def found_pairs(folder: Path) -> "Found":
    """The valid pairs of a folder; a table on stderr lists the invalid ones. Raises InvalidInput if none are valid."""
    from wideopen.evals.pairs import find_pairs

    found = find_pairs(folder)
    tell_problems(found.problems, "left out")
    return found


def tell_problems(problems: "Any", what: str) -> None:
    """Print a table of problems on stderr, if there are any."""
    from wideopen.evals.report import listed

    rows: list[Problem] = list(problems)
    if rows:
        warn(f"note: {what}, {len(rows)}:")
        for line in listed(rows):
            warn(f"  {line}")


def _judge(
    found: "Found", method: "Method", *, flip: bool, lpips: bool, align: bool, sheet: bool
) -> "tuple[Judged, Any]":
    """All figures, and the function that makes the sheet's picture."""
    from contextlib import nullcontext

    from wideopen.evals.judge import Measures, Row, flip_executor, judge
    from wideopen.evals.measures import load_lpips, require_flip
    from wideopen.evals.report import Sheet

    if flip:
        require_flip()
    network, worst = load_lpips() if lpips else None, Sheet()
    with flip_executor(len(found.pairs)) if flip else nullcontext() as flips, count("pairs", len(found.pairs)) as done:

        def on_pair(row: Row, pictures: Any) -> None:
            if sheet:
                worst.add(row, pictures)
            done(row.name)

        judged = judge(found.pairs, method, Measures(flips=flips, lpips=network, align=align), on_pair)
    return judged, worst.picture


def _print(judged: "Judged") -> None:
    from wideopen.evals.report import means, table

    lines = [("as they are", means(row.figures for row in judged.rows))]
    fits = [row.aligned for row in judged.rows if row.aligned is not None]
    if fits:
        lines.append(("aligned", means(fit.figures for fit in fits)))
    for line in table(lines, first=f"{len(judged.rows)} pairs"):
        typer.echo(line)
    if fits:
        shift = max(abs(x) for fit in fits for x in fit.shift_px)
        gains = [x for fit in fits for x in fit.gain]
        typer.echo(f"fitted: shifts up to {shift:.2f} pixels, gains {min(gains):.3f} to {max(gains):.3f}")


def _about(pairs: Path, pred: Path | None, settings: LensSettings, maps: MapSettings) -> dict[str, Any]:
    if pred is not None:
        return {"folder": str(pairs), "pred": str(pred)}
    return {"folder": str(pairs), "lens": settings.to_dict(), "maps": maps.to_dict()}


def _write(
    judged: "Judged", found: "Found", about: dict[str, Any], csv: Path | None, json: Path | None, *, overwrite: bool
) -> None:
    from wideopen.evals.report import report, write_csv, write_json
    from wideopen.files.atomic import atomic_file

    if csv is not None:
        text = io.StringIO()
        write_csv(judged.rows, text)
        with atomic_file(csv, overwrite=overwrite) as file:
            file.write(text.getvalue().encode())
        typer.echo(csv)
    if json is not None:
        write_json(json, report(judged.rows, [*found.problems, *judged.skipped], about), overwrite=overwrite)
        typer.echo(json)


@takes(EXACT_LENS, MapSettings, after="paper_preset", only=_ABLATIONS_OPTIONS)
def ablations(
    pairs: Pairs,
    paper_preset: Annotated[
        str, typer.Option(help="Preset with the constants of the paper look; none takes the untuned ones.")
    ] = "paper",
    crops: Annotated[int, typer.Option(help="Number of pairs that the sheet shows crops of.")] = 3,
    csv: Csv = None,
    json: JsonFile = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Also write a picture (.png, .jpg) with crops of all variants.")
    ] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> int:
    """Print the figures of both looks with one part of the method left out at a time."""
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
    _print_ablated(result)
    _write_ablated(result, csv, json, overwrite=overwrite)
    if sheet is not None:
        write_sheet(sheet, stacked(result.crops), overwrite=overwrite)
        typer.echo(sheet)
    return 0


def _print_ablated(result: "Ablated") -> None:
    from wideopen.evals.report import means, table

    lines = [(name, means(rows.values())) for name, rows in result.figures.items()]
    for line in table(lines, first=f"{len(next(iter(result.figures.values())))} pairs"):
        typer.echo(line)


def _write_ablated(result: "Ablated", csv: Path | None, json: Path | None, *, overwrite: bool) -> None:
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
