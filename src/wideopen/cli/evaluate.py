"""`wideopen eval` and `wideopen reproduce`: compare results with ground truth, and print the paper's tables."""

from collections.abc import Callable
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import chosen_lens, made, takes
from wideopen.cli.terminal import count, steps, warn
from wideopen.errors import require
from wideopen.matting.inference import MattingSettings
from wideopen.settings import LensSettings, MapSettings

if TYPE_CHECKING:
    from wideopen.evals.pairs import Found

app = typer.Typer(help="Measure mattes and pictures against true ones.", no_args_is_help=True, rich_markup_mode=None)

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
Lpips = Annotated[bool, typer.Option("--lpips", help="Compute LPIPS (AlexNet); needs the extra lpips and its weights.")]
_ABLATIONS_OPTIONS = ("blur", "focus", "highlights", "depth", "offline", "matting", "device")


@app.callback()
def _group() -> None:
    """Measure mattes and pictures against true ones."""


@app.command()
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
    lpips: Lpips = False,
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
    from contextlib import nullcontext

    from wideopen.evals.judge import Measures, Sheet, by_others, by_us, flip_executor, judge
    from wideopen.evals.measures import load_lpips, require_flip
    from wideopen.evals.report import means, means_table, require_sheet, write_csv, write_json, write_sheet

    check_targets(csv, json, sheet, overwrite=overwrite)
    if sheet is not None:
        require_sheet(sheet)
    settings, maps = chosen_lens(context, chosen, EXACT_LENS), made(MapSettings, chosen)
    found = found_pairs(pairs)
    with steps("pairs") as step:
        method = by_us(settings, maps, backend=backend, step=step) if pred is None else by_others(pred)
    if flip:
        require_flip()
    network, worst = load_lpips() if lpips else None, Sheet(found.pairs)
    with flip_executor(len(found.pairs)) if flip else nullcontext() as flips, count("pairs", len(found.pairs)) as done:

        def on_pair(row: Any, *pictures: Any) -> None:
            if sheet is not None:
                worst.add(row, *pictures)
            done(row.name)

        judged = judge(found.pairs, method, Measures(flips=flips, lpips=network, align=align), on_pair)
    tell_problems(judged.skipped, "skipped")
    if not judged.rows:
        return 2
    lines = {"as they are": means(row.figures for row in judged.rows)}
    if judged.fits:
        lines["aligned"] = means(fit.figures for fit in judged.fits)
    _print(means_table(lines, f"{len(judged.rows)} pairs"))
    if judged.fits:
        shift = max(abs(x) for fit in judged.fits for x in fit.shift_px)
        gains = [x for fit in judged.fits for x in fit.gain]
        typer.echo(f"fitted: shifts up to {shift:.2f} pixels, gains {min(gains):.3f} to {max(gains):.3f}")
    about = {"lens": settings.to_dict(), "maps": maps.to_dict()} if pred is None else {"pred": str(pred)}
    judged.skipped[:0] = found.problems
    _write(csv, write_csv, judged.csv_lines, overwrite)
    _write(json, write_json, lambda: {"folder": str(pairs), **about, **judged.report()}, overwrite)
    _write(sheet, write_sheet, worst.picture, overwrite)
    return 0


@app.command()
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
    from wideopen.evals.ablations import ablate
    from wideopen.evals.report import means_table, require_sheet, stacked, write_csv, write_json, write_sheet
    from wideopen.session.presets import read_preset

    require(1 <= crops <= 20, f"--crops: expected 1 to 20, found {crops}")
    check_targets(csv, json, sheet, overwrite=overwrite)
    if sheet is not None:
        require_sheet(sheet)
    thin_lens = replace(made(LensSettings, chosen), grain=0.0)
    paper = replace(thin_lens, look="paper", highlights=1.0)
    if paper_preset != "none":
        given = {"look": "paper", "blur": thin_lens.blur, "focus": thin_lens.focus, "grain": 0.0}
        paper = read_preset(paper_preset).settings(given)
    lenses, maps = {"paper": paper, "thin-lens": thin_lens}, made(MapSettings, chosen)
    found = found_pairs(pairs)
    with count("pairs", len(found.pairs)) as done:
        result = ablate(found.pairs, lenses, maps, crops=crops if sheet is not None else 0, on_pair=done)
    tell_problems(result.skipped, "skipped")
    if not result.figures:
        return 2
    _print(means_table(result.means(), f"{len(next(iter(result.figures.values())))} pairs"))
    _write(csv, write_csv, result.csv_lines, overwrite)
    _write(json, write_json, result.report, overwrite)
    _write(sheet, write_sheet, lambda: stacked(result.crops), overwrite)
    return 0


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
) -> None:
    """Print MAD, MSE, SAD, gradient and connectivity errors of mattes, over whole photos and over the transition."""
    from wideopen.evals.mattes import NAMES, by_settings, find_pairs, judge, mattes_of, mean, picture_of_worst
    from wideopen.evals.report import table, write_csv, write_sheet

    settings = made(MattingSettings, chosen)
    require(part in ("val", "all"), f"--part: expected val or all, found {part!r}")
    require(worst is None or worst.suffix == ".png", f"--worst: expected a .png file to write, found {worst}")
    check_targets(csv, worst, overwrite=overwrite)
    pairs = [pair for pair in find_pairs(data) if part == "all" or pair.part == "val"]
    matter = by_settings(settings) if pred is None else mattes_of(pred)
    require(len(pairs) > 0, f"{data}: expected photos held out for judging, found none; --part all judges all")
    with steps("photos") as step:
        judged = judge(pairs, matter, step)
    for pair, reason in judged.skipped:
        warn(f"note: skipped {pair.group}/{pair.name}: {reason}")
    groups = judged.groups()
    if len(groups) > 1:
        groups["all"] = judged.rows
    lines = [["", "photos", "", *NAMES]]
    for name, rows in groups.items():
        for region, errors in zip(("whole", "transition"), mean(rows), strict=True):
            lines.append([name, str(len(rows)), region, *(f"{x:.5f}" for x in astuple(errors))])
    _print(table(lines))
    if judged.skipped:
        typer.echo(f"skipped {len(judged.skipped)} of {len(pairs)} photos")
    _write(csv, write_csv, judged.csv_lines, overwrite)
    _write(worst, write_sheet, lambda: picture_of_worst(judged, matter), overwrite)


@app.command()
@takes(MattingSettings(matting="mobile"), after="blur")
def depth(
    data: Annotated[Path, typer.Option(help="Folder with photos that hold depth, or with sharp/ and disparity/.")],
    source: Annotated[
        list[str] | None,
        typer.Option(help="Source to judge, a word of --depth of render; may be repeated. Default: planar and small."),
    ] = None,
    blur: Annotated[
        float, typer.Option(help="Blur radius at a disparity difference of 1, in percent of the long side.")
    ] = 2.4,
    csv: Csv = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> None:
    """Print errors of predicted depth on photos whose depth was recorded: order, disparity, blur radius, edges."""
    from wideopen.disparity.find_disparity import require_depth
    from wideopen.evals.depth import COLUMNS, find_cases, judge_sources, means, worse_than
    from wideopen.evals.report import table, write_csv
    from wideopen.matting.find_matte import pick_matter

    settings, sources = made(MattingSettings, chosen), source or ["planar", "small"]
    require(0 < blur <= 20, f"--blur: expected above 0 and at most 20, found {blur:g}")
    for word in sources:
        require_depth(word)
    check_targets(csv, overwrite=overwrite)
    cases = find_cases(data, lambda line: warn(f"note: skipped {line}"))
    with steps("photos") as step:
        rows = judge_sources(cases, sources, pick_matter(settings)[0], blur / 100, step)
    require(len(rows) > 0, f"{data}: expected photos with depth, found none")
    lines = [[f"{len(rows) // len(sources)} photos", *COLUMNS]]
    lines += [[name, *(f"{x:.4f}" for x in figures)] for name, figures in means(rows).items()]
    _print(table(lines))
    for name in sources[1:]:
        worse = worse_than(rows, name, sources[0])
        typer.echo(f"{name} has more pairs in the wrong order than {sources[0]} on: {', '.join(worse) or 'no photo'}")
    figures = [["photo", "source", *COLUMNS], *([r.photo, r.source, *astuple(r.figures)] for r in rows)]
    _write(csv, write_csv, lambda: figures, overwrite)


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
    lpips: Lpips = False,
    json: JsonFile = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print Tables 1 to 3 of the paper beside our own figures, as far as the given data allow."""
    from wideopen.evals.judge import Measures
    from wideopen.evals.measures import load_lpips
    from wideopen.evals.report import write_json
    from wideopen.evals.reproduce import bokeh_table, matting_tables, parse_ablated

    check_targets(json, overwrite=overwrite)
    weights = parse_ablated(ablated or [])
    measures = Measures(lpips=load_lpips() if lpips else None)
    found = found_pairs(pairs).pairs if pairs is not None else ()
    with steps("mattes") as step:
        tables = list(matting_tables(matting_data, weights, on_photo=step))
    with steps("pairs") as step:
        folder = "" if pairs is None else pairs.name
        tables.append(bokeh_table(found, measures, highlights=highlights, folder=folder, on_pair=step))
    typer.echo("\n\n".join("\n".join(table.lines()) for table in tables))
    _write(json, write_json, lambda: {"tables": [asdict(table) for table in tables]}, overwrite)


def check_targets(*targets: Path | None, overwrite: bool) -> None:
    """Refuse output files that cannot be written, or that are the same. Raises InvalidInput."""
    from wideopen.files.atomic import check_target
    from wideopen.session.results import require_distinct

    paths = [path for path in targets if path is not None]
    for path in paths:
        check_target(path, overwrite=overwrite)
    require_distinct(paths)


def found_pairs(folder: Path) -> "Found":
    """The valid pairs of a folder; a table on stderr lists the invalid ones. Raises InvalidInput if none are valid."""
    from wideopen.evals.pairs import find_pairs

    found = find_pairs(folder)
    tell_problems(found.problems, "left out")
    return found


def tell_problems(problems: Any, what: str) -> None:
    """Print a table of problems on stderr, if there are any."""
    if problems:
        warn(f"note: {what}, {len(problems)}:")
    for problem in problems:
        warn(f"{problem.name}: {problem.what}")


def _print(lines: list[str]) -> None:
    typer.echo("\n".join(lines))


def _write(path: Path | None, write: Callable[..., None], content: Callable[[], Any], overwrite: bool) -> None:
    """Write an optional file and print its name."""
    if path is not None:
        write(path, content(), overwrite=overwrite)
        typer.echo(path)
