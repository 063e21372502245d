"""`wideopen tune`: find constants of a look from pairs, and write them as a preset for `render --preset`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.evaluate import Pairs, check_targets, found_pairs
from wideopen.cli.options import made, takes
from wideopen.cli.terminal import count
from wideopen.evals import TuneSettings
from wideopen.options import options_of
from wideopen.settings import MapSettings


@takes(TuneSettings, MapSettings, after="out")
def tune(
    pairs: Pairs,
    out: Annotated[Path, typer.Option("-o", "--out", help="Preset to write, .json.")],
    study: Annotated[
        Path | None, typer.Option(help="File that stores the study; an existing one is resumed. Default: OUT.study.")
    ] = None,
    history: Annotated[Path | None, typer.Option(help="Also plot the study's history to this .png file.")] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> None:
    """Tune the constants of a look. The result is a preset that brings renderings closest to true pictures."""
    from wideopen.checks import require
    from wideopen.evals.tune import Search, require_plot, tune, write_history
    from wideopen.session.presets import write_preset

    require(out.suffix == ".json", f"-o: expected a preset as .json, found {out}")
    check_targets(out, history, overwrite=overwrite)
    if history is not None:
        require_plot(history)
    values = {one.name: chosen[one.name] for one in options_of(TuneSettings)}
    search = Search(pairs=found_pairs(pairs).pairs, maps=made(MapSettings, chosen), **values)
    with count("trials", search.trials) as done:
        result = tune(search, study or out.with_suffix(".study"), on_trial=done)
    about = {"pairs": pairs.resolve().name, **result.preset.about}
    write_preset(out, replace(result.preset, about=about), overwrite=overwrite)
    tried = sum(score is not None for score in result.scores)
    typer.echo(f"{len(result.scores)} trials, {len(result.scores) - tried} given up early")
    typer.echo(f"score {result.untuned:.3f} with the defaults, {result.best:.3f} with {out}")
    if history is not None:
        write_history(
            history, result, f"{search.look}, {len(search.pairs)} pairs, {search.sampler}", overwrite=overwrite
        )
        typer.echo(history)
