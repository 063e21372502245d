"""`wideopen eval`, `tune` and `reproduce`: compare with the truth, tune constants to it, print the paper's tables."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import chosen_lens, made, takes, was_typed
from wideopen.cli.terminal import count, steps, warn
from wideopen.errors import require
from wideopen.evals import TuneSettings
from wideopen.matting.inference import MattingSettings
from wideopen.options import options_of
from wideopen.settings import LensSettings, MapSettings

app = typer.Typer(
    help="Compare pictures, mattes and depth with true ones.", no_args_is_help=True, rich_markup_mode=None
)

EXACT_LENS = LensSettings(grain=0.0)  # default lens for comparisons: no grain
_PAIRS = "Folder with sharp/ and bokeh/, and optionally matte/, disparity/ and meta.json."
Pairs = Annotated[Path, _PAIRS]
OwnPairs = Annotated[Path | None, _PAIRS]
Name = Annotated[str | None, "Public benchmark; `wideopen eval benchmarks` lists them."]
Root = Annotated[Path | None, "Folder of the unpacked benchmark."]
Partial = Annotated[bool, "Judge the usable part of an incomplete benchmark."]
Csv = Annotated[Path | None, "Also write the figures of each pair to this .csv file."]
JsonFile = Annotated[Path | None, "Also write settings, means and the figures of each pair to this .json file."]
Lpips = Annotated[bool, "Compute LPIPS (AlexNet); needs the extra lpips and its weights."]
Dists = Annotated[bool, "Compute DISTS; downloads the weights of VGG16 once."]
Sheet = Annotated[
    Path | None,
    "Also write a contact sheet (.png, .jpg) of the ten worst results at 100 %: photo, truth, theirs, ours, error.",
]
_ABLATIONS_OPTIONS = ("blur", "focus", "highlights", "depth", "offline", "matting", "device")


@app.command()
@takes(EXACT_LENS, MapSettings, after="pred", preset=True)
def bokeh(
    context: typer.Context,
    pairs: OwnPairs = None,
    benchmark: Name = None,
    root: Root = None,
    partial: Partial = False,
    pred: Annotated[Path | None, "Folder with pictures NAME.EXT to judge instead of rendering."] = None,
    backend: options.Backend = "auto",
    align: Annotated[bool, "Also report the figures after fitting a small shift and gains."] = False,
    flip: Annotated[bool, "--flip/--no-flip", "Compute FLIP, which takes about two seconds per megapixel."] = True,
    lpips: Lpips = False,
    dists: Dists = False,
    lvcorr: Annotated[bool, "Also render with less blur and report LVCorr: how well the blur follows --blur."] = False,
    csv: Csv = None,
    json: JsonFile = None,
    sheet: Sheet = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> int:
    """Measure how far pictures with bokeh are from true ones, and whether their blur follows the settings.

    Blur and focus stated by a data set override these options. If a benchmark's protocol searches for the blur, so does
    this command, unless --blur is given. With --csv, repeating the command continues an interrupted run."""
    from wideopen.evals import judge
    from wideopen.evals.pairs import find_pairs, predicted
    from wideopen.evals.published import cited
    from wideopen.evals.report import means_table
    from wideopen.evals.runner import Ledger, worst_first
    from wideopen.session.open_photo import fetch_named_model

    written = Outputs(json=json, sheet=sheet, overwrite=overwrite, beside=csv)
    settings, maps = chosen_lens(context, chosen, EXACT_LENS), made(MapSettings, chosen)
    where, row = chosen_set("bokeh", {"--pairs": pairs, "--root": root}, benchmark)
    found = find_pairs(where) if row is None else row.complete(where, partial=partial)
    if pred is not None:
        theirs = functools.partial(judge.picture_by_others, pred)
        found = predicted(found, theirs, pred, partial=partial or row is None)
    listing(found)
    search = row is not None and row.search and not was_typed(context, "blur")
    about = {
        **({"folder": str(where)} if row is None else {"benchmark": row.name, "root": str(where)}),
        **({"lens": settings.to_dict(), "maps": maps.to_dict()} if pred is None else {"pred": str(pred)}),
        "search": search and pred is None,
        "backend": backend,
        "measures": {"align": align, "flip": flip, "lpips": lpips, "dists": dists, "lvcorr": lvcorr},
    }
    ledger = Ledger(csv, about, ("pair",), overwrite)
    ours = functools.partial(judge.by_us, settings, maps, backend=backend, search=search, sweep=lvcorr)
    slow = tuple(name for name, on in (("flip", flip), ("lpips", lpips), ("dists", dists)) if on)
    method = ours if pred is None else functools.partial(judge.by_others, pred)
    how = judge.Judging(method=method, slow=slow, align=align)
    if pred is None:
        with steps("pairs") as step:
            fetch_named_model(maps, step)
    with count("pairs", len(found.pairs)) as done:
        judged = judge.judge_pairs(how, found.pairs, done, ledger)
    warn_of_problems(judged.skipped, "skipped")
    if not judged.lines:
        return 2
    ledger.close(worst_first("psnr_db"))
    means = judge.summary(judged.lines, found.pairs)
    title = f"wideopen {settings.look}" if pred is None else pred.name
    shown = {title if kind == "as they are" else f"{title}, {kind}": figures for kind, figures in means.items()}
    printed, sources = cited(benchmark)
    _print([*means_table(shown | printed, f"{len(judged.lines)} pairs"), *sources])
    if row is not None and pred is None:
        _print([f"focus and blur: {row.focus if search or not row.search else 'the subject in focus; blur as typed'}"])
    _print([judge.fits(judged.lines) if align else None, csv])
    beside = None if pred is None or sheet is None else ours()
    crops = lambda: judge.sheet_of_worst(judged.lines, found.pairs, how.method(), beside)  # noqa: E731
    written.write(about, judged, means, crops, left_out=found.problems)
    return 0


@app.command()
def benchmarks() -> None:
    """List the benchmarks: their contents, where to get them, and how focus and blur are found."""
    from wideopen.evals.benchmarks import BENCHMARKS

    for one in BENCHMARKS.values():
        size = "any number of pairs" if one.count is None else f"{one.count} pairs"
        typer.echo(f"{one.name}: {one.title}, {one.task}, {size}")
        typer.echo(f"    layout: {one.layout}")
        if one.task == "bokeh":
            typer.echo(f"    focus and blur: {one.focus}")
        typer.echo(f"    licence: {one.licence}; source: {one.where}")


@app.command()
@takes(EXACT_LENS, MapSettings, after="paper_preset", only=_ABLATIONS_OPTIONS)
def ablations(
    pairs: Pairs,
    paper_preset: Annotated[
        str, "Preset with the constants of the paper look, or none for untuned constants."
    ] = "paper",
    crops: Annotated[int, "Number of pairs shown on the contact sheet."] = 3,
    csv: Csv = None,
    json: JsonFile = None,
    sheet: Annotated[Path | None, "Also write a contact sheet (.png, .jpg) of all variants."] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> int:
    """Measure both looks with one part of the method left out at a time."""
    from wideopen.evals.ablations import ablate
    from wideopen.evals.pairs import find_pairs
    from wideopen.evals.report import grouped, means, means_table, stacked
    from wideopen.session.presets import read_preset

    require(1 <= crops <= 20, f"--crops: expected 1 to 20, found {crops}")
    written = Outputs(csv=csv, json=json, sheet=sheet, overwrite=overwrite)
    thin_lens = replace(made(LensSettings, chosen), grain=0.0)
    paper = replace(thin_lens, look="paper", highlights=1.0)
    if paper_preset != "none":
        given = {"look": "paper", "blur": thin_lens.blur, "focus": thin_lens.focus, "grain": 0.0}
        paper = read_preset(paper_preset).settings(given)
    lenses, maps = {"paper": paper, "thin-lens": thin_lens}, made(MapSettings, chosen)
    found = listing(find_pairs(pairs))
    with count("pairs", len(found.pairs)) as done:
        judged = ablate(found.pairs, lenses, maps, crops=crops if sheet is not None else 0, on_pair=done)
    warn_of_problems(judged.skipped, "skipped")
    if not judged.lines:
        return 2
    figures = {name: means(lines) for name, lines in grouped(judged.lines, "variant").items()}
    _print(means_table(figures, f"{len(judged.lines) // len(figures)} pairs"))
    about = {"folder": str(pairs), "lens": {name: lens.to_dict() for name, lens in lenses.items()}}
    written.write(about, judged, figures, lambda: stacked(judged.crops), left_out=found.problems)
    return 0


@app.command()
@takes(MattingSettings(matting="mobile"), after="pred")
def matting(
    data: Annotated[Path | None, "Folder with rgb/ and alpha/, a folder of such folders, or P3M-10k."] = None,
    benchmark: Name = None,
    root: Root = None,
    partial: Partial = False,
    part: Annotated[str, "Photos of --data to judge: val (held out) or all."] = "val",
    pred: Annotated[Path | None, "Folder with mattes NAME.png or SET/NAME.png to judge instead of a network's."] = None,
    csv: Csv = None,
    json: JsonFile = None,
    sheet: Sheet = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> int:
    """Measure mattes: MAD, MSE, SAD, gradient and connectivity errors, over whole photos and in the transition region.

    With --csv, repeating the command continues an interrupted run.
    """
    from wideopen.evals import mattes
    from wideopen.evals.pairs import FoundPairs, predicted
    from wideopen.evals.published import cited
    from wideopen.evals.report import grouped, number, table
    from wideopen.evals.runner import Ledger, worst_first

    settings = made(MattingSettings, chosen)
    require(part in ("val", "all"), f"--part: expected val or all, found {part!r}")
    written = Outputs(json=json, sheet=sheet, overwrite=overwrite, beside=csv)
    where, row = chosen_set("matting", {"--data": data, "--root": root}, benchmark)
    if row is None:
        found = FoundPairs(tuple(p for p in mattes.find_pairs(where) if part == "all" or p.part == "val"), ())
    else:
        found = row.complete(where, partial=partial)
    if pred is not None:
        theirs = functools.partial(mattes.matte_by_others, pred)
        found = predicted(found, theirs, pred, partial=partial or row is None)
    pairs = listing(found).pairs
    matter = mattes.by_settings(settings) if pred is None else mattes.mattes_of(pred)
    require(len(pairs) > 0, f"{where}: expected held-out photos, found none; --part all judges all photos")
    about = {"root": str(where), "benchmark": benchmark, "part": part, "pred": pred and str(pred), **settings.to_dict()}
    ledger = Ledger(csv, about, overwrite=overwrite)
    with steps("photos") as step:
        judged = mattes.judge_mattes(pairs, matter, step, ledger)
    warn_of_problems(judged.skipped, "skipped")
    if not judged.lines:
        return 2
    ledger.close(worst_first("mad", -1))
    sets = grouped(judged.lines, "set")
    if len(sets) > 1:
        sets["all"] = judged.lines
    figures = {name: mattes.mean_errors(rows) for name, rows in sets.items()}
    lines = [["", "photos", "", *mattes.NAMES]]
    for name, regions in figures.items():
        for region, errors in regions.items():
            lines.append([name, str(len(sets[name])), region, *(f"{x:.5f}" for x in errors.values())])
    printed, sources = cited(benchmark)
    for method, known in printed.items():
        lines.append([method, "", "whole", *(number(known.get(name), 5) for name in mattes.NAMES)])
    _print([*table(lines), *sources])
    _print([f"skipped {len(judged.skipped)} of {len(pairs)} photos" if judged.skipped else None, csv])
    beside = None if pred is None or sheet is None else mattes.by_settings(settings)
    crops = lambda: mattes.sheet_of_worst(judged, pairs, matter, beside)  # noqa: E731
    written.write(about, judged, figures, crops, left_out=found.problems)
    return 0


@app.command()
@takes(MattingSettings(matting="mobile"), after="blur")
def depth(
    data: Annotated[Path, "Folder of photos with depth inside, or with sharp/ and disparity/."],
    source: Annotated[
        list[str] | None, "Source to judge, as for --depth of render; may be repeated. Default: planar and small."
    ] = None,
    blur: Annotated[float, "Blur radius at a disparity difference of 1, in percent of the long side."] = 2.4,
    csv: Csv = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> None:
    """Measure predicted depth on photos with recorded depth: errors of order, disparity, blur radius and edges."""
    from wideopen.disparity.find_disparity import require_depth
    from wideopen.evals.depth import COLUMNS, find_cases, judge_sources, worse_than
    from wideopen.evals.report import grouped, means, table, write_csv
    from wideopen.matting.find_matte import pick_matter

    settings, sources = made(MattingSettings, chosen), source or ["planar", "small"]
    require(0 < blur <= 20, f"--blur: expected above 0 and at most 20, found {blur:g}")
    for word in sources:
        require_depth(word)
    check_targets(csv, overwrite=overwrite)
    cases = find_cases(data, lambda line: warn(f"note: skipped {line}"))
    with steps("photos") as step:
        lines = judge_sources(cases, sources, pick_matter(settings)[0], blur / 100, step)
    require(len(lines) > 0, f"{data}: expected photos with depth, found none")
    figures = {name: means(of, columns=tuple(COLUMNS)) for name, of in grouped(lines, "source").items()}
    heads = [f"{len(lines) // len(sources)} photos", *COLUMNS.values()]
    _print(table([heads, *([name, *(f"{x:.4f}" for x in row.values())] for name, row in figures.items())]))
    for name in sources[1:]:
        worse = worse_than(lines, name, sources[0])
        typer.echo(f"{name} has more pairs in the wrong order than {sources[0]} on: {', '.join(worse) or 'no photo'}")
    _write(csv, write_csv, lambda: lines, overwrite)


@takes(TuneSettings, MapSettings, after="out")
def tune(
    pairs: Pairs,
    out: Annotated[Path, "-o", "--out", "Preset to write, .json."],
    study: Annotated[Path | None, "File that stores the study; an existing one is resumed. Default: OUT.study."] = None,
    history: Annotated[Path | None, "Also plot the study's history to this .png file."] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> None:
    """Find the constants of a look whose renderings come closest to true pictures, and write them as a preset."""
    from wideopen.evals import tune as tuning
    from wideopen.evals.pairs import find_pairs
    from wideopen.session.presets import write_preset

    require(out.suffix == ".json", f"-o: expected a preset as .json, found {out}")
    check_targets(out, history, overwrite=overwrite)
    if history is not None:
        tuning.require_plot(history)
    values = {one.name: chosen[one.name] for one in options_of(TuneSettings)}
    search = tuning.Search(pairs=listing(find_pairs(pairs)).pairs, maps=made(MapSettings, chosen), **values)
    with count("trials", search.trials) as done:
        result = tuning.tune(search, study or out.with_suffix(".study"), on_trial=done)
    about = {"pairs": pairs.resolve().name, **result.preset.about}
    write_preset(out, replace(result.preset, about=about), overwrite=overwrite)
    tried = sum(score is not None for score in result.scores)
    typer.echo(f"{len(result.scores)} trials, {len(result.scores) - tried} stopped early")
    typer.echo(f"score {result.untuned:.3f} with the defaults, {result.best:.3f} with {out}")
    if history is not None:
        title = f"{search.look}, {len(search.pairs)} pairs, {search.sampler}"
        tuning.write_history(history, result, title, overwrite=overwrite)
        typer.echo(history)


@takes()
def reproduce(
    matting_data: Annotated[Path | None, "Data for Tables 1 and 2: P3M-10k, or a folder as for eval matting."] = None,
    ablated: Annotated[
        list[str] | None,
        "Weights trained without one part, PART=FILE: agm, low-resolution or high-resolution; may be repeated.",
    ] = None,
    pairs: Annotated[Path | None, "Data for Table 3: a folder as for eval bokeh."] = None,
    highlights: Annotated[
        float, "Brightness restored to clipped lights; 0 if the true pictures are clamped at white."
    ] = 1.0,
    measured: Annotated[
        list[Path] | None, "JSON file from `eval bokeh` or `eval matting` with --benchmark; may be repeated."
    ] = None,
    lpips: Lpips = False,
    json: Annotated[Path | None, "Also write the tables and the published figures to this .json file."] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print the paper's tables beside our own figures, then the published figures of other methods."""
    from wideopen.evals import reproduce as paper
    from wideopen.evals.pairs import find_pairs
    from wideopen.evals.provenance import provenance
    from wideopen.evals.published import missing, published, set_tables
    from wideopen.evals.report import write_json

    check_targets(json, overwrite=overwrite)
    weights, ours = paper.parse_ablated(ablated or []), paper.measured(measured or [])
    found = listing(find_pairs(pairs)).pairs if pairs is not None else ()
    with steps("mattes") as step:
        tables = list(paper.matting_tables(matting_data, weights, on_photo=step))
    with steps("pairs") as step:
        folder = "" if pairs is None else pairs.name
        tables.append(paper.bokeh_table(found, lpips=lpips, highlights=highlights, folder=folder, on_pair=step))
    typer.echo("\n\n".join("\n".join(table.lines()) for table in tables))
    typer.echo("\nPublished by others, and ours:\n")
    for one in set_tables(ours):
        _print(one.lines())
    _print(["Figures that we could not find in a readable source:", *(f"- {line}" for line in missing())])
    known: dict[str, Any] = {"published": [asdict(one) for one in published()], "measured": ours, "missing": missing()}
    known["tables"] = [asdict(table) for table in tables]
    _write(json, write_json, lambda: {**provenance(), **known}, overwrite)


def chosen_set(task: str, folders: dict[str, Path | None], name: str | None) -> tuple[Path, Any]:
    """Return (the folder to judge, its `Benchmark`, or None for a folder of the user's own).

    folders: the option for the user's own folder, then --root, and what was typed. Raises InvalidInput unless one is
    chosen.
    """
    from wideopen.evals.benchmarks import benchmark

    (option, own), (_, root) = folders.items()
    given = "neither" if own is None else "both"
    require((own is None) != (name is None), f"{option} and --benchmark: expected one of them, found {given}")
    alone = "--root" if name is None else "--benchmark"
    require((root is None) == (name is None), f"--benchmark and --root: expected both or neither, found {alone}")
    return (own or root or Path()), None if name is None else benchmark(name, task)


def listing(found: Any) -> Any:
    """`found`, an `evals.pairs.FoundPairs`; stderr lists its problems."""
    warn_of_problems(found.problems, "left out")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The files that a command writes beside its table: checked when it begins, written at its end."""

    csv: Path | None = None
    json: Path | None = None
    sheet: Path | None = None
    overwrite: bool = False
    beside: Path | None = None  # a file that is written as lines come

    def __post_init__(self) -> None:
        from wideopen.evals.report import require_sheet

        check_targets(self.csv, self.json, self.sheet, overwrite=self.overwrite, distinct=(self.beside,))
        if self.sheet is not None:
            require_sheet(self.sheet)

    def write(
        self, about: dict[str, Any], judged: Any, means: Any, crops: Callable[[], Any], left_out: Any = ()
    ) -> None:
        """Write the lines of an `evals.runner.Judged` with their means and what they are of; print the names."""
        from wideopen.evals.provenance import provenance
        from wideopen.evals.report import write_csv, write_json, write_sheet

        skipped = {problem.name: problem.what for problem in (*left_out, *judged.skipped)}
        names = {tuple(line[name] for name in ("set", "photo", "pair") if name in line) for line in judged.lines}
        content = {"pairs": len(names), "means": means, "skipped": skipped, "rows": judged.lines}
        _write(self.csv, write_csv, lambda: judged.lines, self.overwrite)
        _write(self.json, write_json, lambda: {**provenance(), **about, **content}, self.overwrite)
        _write(self.sheet, write_sheet, crops, self.overwrite)


def check_targets(*targets: Path | None, overwrite: bool, distinct: tuple[Path | None, ...] = ()) -> None:
    """Refuse output files that cannot be written, or that are the same as others or as `distinct`."""
    from wideopen.files.atomic import check_target
    from wideopen.session.results import require_distinct

    paths = [path for path in targets if path is not None]
    for path in paths:
        check_target(path, overwrite=overwrite)
    require_distinct([*paths, *(path for path in distinct if path is not None)])


def warn_of_problems(problems: Any, what: str) -> None:
    """Count problems on stderr and list the first ten, if there are any."""
    from wideopen.evals.pairs import listed

    if problems:
        warn(f"note: {what}, {len(problems)}:{listed(problems)}")


def _print(lines: Sequence[str | Path | None]) -> None:
    for line in (line for line in lines if line is not None):
        typer.echo(line)


def _write(path: Path | None, write: Callable[..., None], content: Callable[[], Any], overwrite: bool) -> None:
    """Write an optional file and print its name."""
    if path is not None:
        write(path, content(), overwrite=overwrite)
        typer.echo(path)
