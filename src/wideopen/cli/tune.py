"""`wideopen tune`: find constants of a look from pairs, and write them as a preset for `render --preset`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.evaluate import Pairs, check_targets, found_pairs
from wideopen.cli.options import made, takes
from wideopen.cli.terminal import count
from wideopen.settings import MapSettings


@takes(MapSettings, after="history")
def tune(
    pairs: Pairs,
    out: Annotated[Path, typer.Option("-o", "--out", help="Preset to write, .json.")],
    look: Annotated[str, typer.Option(help="Renderer to tune: paper or thin-lens.")] = "paper",
    trials: Annotated[int, typer.Option(help="Number of settings to try, including those of a resumed study.")] = 200,
    sampler: Annotated[str, typer.Option(help="Optuna sampler: tpe or cmaes.")] = "tpe",
    weights: Annotated[
        str, typer.Option(help="Weights of the measures: psnr and edge in dB, ssim in [0, 1].")
    ] = "psnr=0.6,edge=0.4,ssim=20",
    study: Annotated[
        Path | None, typer.Option(help="File that stores the study; an existing one is resumed. Default: OUT.study.")
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Number of processes that share the study; each holds all pairs in memory.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Random seed of the sampler.")] = 0,
    planes: Annotated[int, typer.Option(help="Number of depth planes (2 to 256).")] = 32,
    history: Annotated[Path | None, typer.Option(help="Also plot the study's history to this .png file.")] = None,
    overwrite: options.Overwrite = False,
    **chosen: Any,
) -> None:
    """Find the constants of a look that bring renderings closest to true pictures."""
    from wideopen.checks import require
    from wideopen.evals.tune import Search, parse_weights, require_plot, tune, write_history
    from wideopen.session.presets import write_preset

    require(out.suffix == ".json", f"-o: expected a preset as .json, found {out}")
    check_targets(out, history, overwrite=overwrite)
    if history is not None:
        require_plot(history)
    search = Search(
        pairs=found_pairs(pairs).pairs,
        look=look,
        trials=trials,
        sampler=sampler,
        seed=seed,
        planes=planes,
        weights=parse_weights(weights),
        maps=made(MapSettings, chosen),
    )
    with count("trials", trials) as done:
        result = tune(search, study or out.with_suffix(".study"), workers=workers, on_trial=done)
    about = {"pairs": pairs.resolve().name, **result.preset.about}
    write_preset(out, replace(result.preset, about=about), overwrite=overwrite)
    tried = sum(score is not None for score in result.scores)
    typer.echo(f"{len(result.scores)} trials, {len(result.scores) - tried} given up early")
    typer.echo(f"score {result.untuned:.3f} with the defaults, {result.best:.3f} with {out}")
    if history is not None:
        write_history(history, result, f"{look}, {len(search.pairs)} pairs, {sampler}", overwrite=overwrite)
        typer.echo(history)
