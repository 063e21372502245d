"""Find the constants of a look whose renderings come closest to true pictures: search space, score, Optuna study.

paper: sigma (as `radius_scale`), delta, a1, b1, a2, b2, alpha1, alpha2 of Eqs. (3) and (4). One exponent and one radius
    determine most of the look. The parameters that undo them after the blur are searched for as a ratio near 1 or a
    difference near 0: varying (a1, b1, alpha1) and (a2, b2, alpha2) separately would mostly change the brightness.
thin-lens: highlights, and the blur of pairs whose meta does not give it. Known lens parameters are not tuned.

    score = sum over measures of weight * mean over pairs,   PSNR and edge PSNR in dB, SSIM in [0, 1]
By default 0.6 PSNR + 0.4 edge + 20 SSIM: 0.05 of SSIM weighs as much as 1 dB.

The study is a file that can be stopped, resumed and shared by several processes. Photos are prepared once and rendered
for each trial. Trials whose first pairs score below the median of the other trials are stopped early (MedianPruner).
Pairs come in a fixed order, so that means over the first few are comparable.
"""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import require
from wideopen.errors import InvalidInput, require_packages
from wideopen.evals import TuneSettings, parse_weights
from wideopen.evals.judge import PreparedPair, prepare
from wideopen.evals.measures import measure
from wideopen.evals.pairs import Pair
from wideopen.files.atomic import atomic_file
from wideopen.lens import PaperLook
from wideopen.session.presets import Preset
from wideopen.settings import LensSettings, MapSettings

Numbers = Mapping[str, float]  # of one trial, by name
RANGES: Mapping[str, Mapping[str, tuple[float, float, bool]]] = {  # low, high, logarithmic
    "paper": {
        "radius_scale": (0.2, 8.0, True),
        "delta": (-6.0, 2.0, False),
        "alpha1": (0.5, 10.0, True),
        "alpha_ratio": (0.85, 1.18, True),  # alpha2 / alpha1
        "a1": (0.7, 1.4, True),
        "a_ratio": (0.85, 1.18, True),  # a2 / a1
        "b1": (-0.15, 0.15, False),
        "b_sum": (-0.05, 0.05, False),  # b2 + b1 / a1: 0 undoes b1
    },
    "thin-lens": {"highlights": (0.0, 4.0, False)},
}
BLUR_PERCENT = (0.2, 8.0, True)
UNBENT = {"delta": 0.0, "alpha_ratio": 1.0, "a1": 1.0, "a_ratio": 1.0, "b1": 0.0, "b_sum": 0.0}
STARTS: Mapping[str, tuple[Numbers, ...]] = {
    "paper": tuple(
        {"radius_scale": scale, "alpha1": alpha, **UNBENT}
        for scale, alpha in ((1.0, 4.0), (1.0, 1.0), (2.5, 2.2), (5.0, 2.2))
    ),
    "thin-lens": ({"highlights": 1.0}, {"highlights": 0.0}),
}
"""The first trials: the defaults, and the exponent with which Eq. (4) blurs linear light."""
MOST_DB = 99.0  # used for equal pictures, whose PSNR is infinite
NAME = "wideopen"
STARTUP, WARMUP = 12, 2  # number of trials before any may be stopped early; number of pairs before a trial may be


def lens_values(look: str, numbers: Numbers) -> dict[str, Any]:
    """Convert a trial's numbers to fields of `LensSettings`."""
    values: dict[str, Any] = {"look": look}
    if "blur_percent" in numbers:
        values["blur"] = f"{numbers['blur_percent']:.4f}%"
    if look != "paper":
        return values | {"highlights": round(numbers["highlights"], 4)}
    constants = {name: numbers[name] for name in ("radius_scale", "delta", "a1", "b1", "alpha1")} | {
        "a2": numbers["a1"] * numbers["a_ratio"],
        "b2": numbers["b_sum"] - numbers["b1"] / numbers["a1"],
        "alpha2": numbers["alpha1"] * numbers["alpha_ratio"],
    }
    constants = {name: round(value, 5) for name, value in constants.items()}
    PaperLook(**constants)
    return values | {"paper": constants}


def score(
    pairs: Sequence[PreparedPair],
    settings: LensSettings,
    weights: Mapping[str, float],
    on_pair: Callable[[int, float], None] = lambda _, __: None,
) -> float:
    """The mean score; `on_pair` gets the number of finished pairs and the mean so far, and may raise to stop."""
    total = 0.0
    for done, pair in enumerate(pairs, start=1):
        figures = measure(pair.rendered(settings), pair.truth, pair.band)
        whole = figures.psnr_db
        edge = whole if figures.edge_psnr_db is None else figures.edge_psnr_db
        values = {"psnr": min(whole, MOST_DB), "edge": min(edge, MOST_DB), "ssim": figures.ssim}
        total += sum(weight * values[name] for name, weight in weights.items())
        on_pair(done, total / done)
    return total / len(pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(TuneSettings):
    """What a search finds constants for. The same settings resume a study file; others are refused."""

    pairs: tuple[Pair, ...]
    maps: MapSettings = field(default_factory=MapSettings)

    @property
    def with_blur(self) -> bool:
        """Whether the blur of any pair is unknown."""
        return any(pair.meta.blur is None for pair in self.pairs)

    def starts(self) -> list[Numbers]:
        """The numbers of the first trials."""
        return [{**start, **({"blur_percent": 2.4} if self.with_blur else {})} for start in STARTS[self.look]]

    def ranges(self) -> dict[str, tuple[float, float, bool]]:
        """The numbers that a trial varies: low, high, logarithmic."""
        return {**RANGES[self.look], **({"blur_percent": BLUR_PERCENT} if self.with_blur else {})}

    def key(self) -> str:
        """A hash of everything that affects whether scores are comparable; not of trials, sampler and seed."""
        pairs = [[pair.name, asdict(pair.meta)] for pair in self.pairs]
        what = [pairs, self.look, self.planes, parse_weights(self.weights), self.maps.to_dict()]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a search."""

    preset: Preset
    untuned: float  # score of the first trial: the defaults
    best: float
    scores: tuple[float | None, ...]  # of each trial in order; None = stopped early or failed


def tune(search: Search, file: Path, *, on_trial: Callable[[str], None] = lambda _: None) -> Result:
    """Run `search` until its study in `file` has `trials` trials, and return the best.

    The search's workers share the study; each prepares all pairs itself. `on_trial` gets one line about each trial of
    this process. Raises InvalidInput for a study of a different search, if no trial could be scored, or if a worker
    failed.
    """
    require_packages("tune", "tune", "optuna", *(["cmaes"] if search.sampler == "cmaes" else []))
    workers = search.workers
    study = _study(search, file, worker=0)
    _claim(study, search, file)
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_work, args=(search, file, n)) for n in range(1, workers)]
    for process in others:
        process.start()
    try:
        _run(study, search, on_trial)
        for process in others:
            process.join()
        failed = sum(process.exitcode != 0 for process in others)
        require(not failed, f"--workers: expected {workers} processes to succeed, found {failed} that failed")
    finally:
        for process in others:
            process.kill()
    return _result(study, search)


def _work(search: Search, file: Path, worker: int) -> None:
    _run(_study(search, file, worker=worker), search, lambda _: None)


def _study(search: Search, file: Path, *, worker: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = search.seed + 1000 * worker
    sampler: Any
    if search.sampler == "cmaes":
        sampler = optuna.samplers.CmaEsSampler(seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=False, constant_liar=True)
    journal = optuna.storages.journal
    existed = file.exists()
    try:
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(file)))
        return optuna.create_study(
            storage=storage,
            study_name=NAME,
            sampler=sampler,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP),
            direction="maximize",
            load_if_exists=True,
        )
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be written ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        require(not existed, f"{file}: expected a study, found something else")
        raise InvalidInput(f"{file}: cannot be used as a study ({error})") from error


def _claim(study: Any, search: Search, file: Path) -> None:
    """Record the search in the study, or refuse a study of a different search; enqueue the first trials."""
    key = study.user_attrs.get("search")
    found = "found one of other pairs or settings"
    require(key in (None, search.key()), f"{file}: expected a study of these pairs and settings, {found}")
    if key is None:
        study.set_user_attr("search", search.key())
        for numbers in search.starts():
            study.enqueue_trial(numbers)


def _run(study: Any, search: Search, on_trial: Callable[[str], None]) -> None:
    import optuna
    from optuna.trial import TrialState

    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    if len(study.get_trials(deepcopy=False, states=over)) >= search.trials:
        return
    prepared = [prepare(pair, search.maps) for pair in search.pairs]
    weights = parse_weights(search.weights)

    def objective(trial: Any) -> float:
        def on_pair(done: int, mean: float) -> None:
            trial.report(mean, done)
            if trial.number >= len(STARTS[search.look]) and trial.should_prune():
                raise optuna.TrialPruned

        numbers = {name: trial.suggest_float(name, a, b, log=log) for name, (a, b, log) in search.ranges().items()}
        settings = LensSettings(grain=0.0, planes=search.planes, **lens_values(search.look, numbers))
        return score(prepared, settings, weights, on_pair)

    def report(study: Any, trial: Any) -> None:
        on_trial(f"best {study.best_value:.3f}" if trial.number else f"untuned {trial.value:.3f}")

    study.optimize(objective, callbacks=[report, optuna.study.MaxTrialsCallback(search.trials, states=over)])


def _result(study: Any, search: Search) -> Result:
    # With few --trials a search ends before all its starting settings are tried; the rest are still waiting.
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name != "WAITING"]
    scores = tuple(trial.value if trial.state.name == "COMPLETE" else None for trial in trials)
    require(any(s is not None for s in scores), "tune: expected at least one trial with a score, found none")
    best = study.best_trial
    lens = lens_values(search.look, best.params)
    if search.planes != LensSettings().planes:
        lens["planes"] = search.planes
    about = {
        "tuned_on": sorted(pair.name for pair in search.pairs),
        "score": round(best.value, 4),
        "untuned_score": None if scores[0] is None else round(scores[0], 4),
        "weights": parse_weights(search.weights),
        "trials": len(trials),
        "sampler": search.sampler,
    }
    untuned = float("nan") if scores[0] is None else scores[0]
    return Result(preset=Preset(lens=lens, about=about), untuned=untuned, best=best.value, scores=scores)


def require_plot(path: Path) -> None:
    """Raise InvalidInput if the path is not a picture's name or if the plotting package is missing."""
    require(path.suffix == ".png", f"--history: expected a .png file to write, found {path}")
    require_packages("--history", "tune", "matplotlib")


def write_history(path: Path, result: Result, title: str, *, overwrite: bool = False) -> None:
    """Write the picture of the search history atomically."""
    from matplotlib.figure import Figure

    scores = np.array([np.nan if score is None else score for score in result.scores])
    figure = Figure(figsize=(7, 4), dpi=110, layout="tight")
    axes = figure.add_subplot(xlabel="trial", ylabel="score", title=title)
    axes.plot(scores, ".", color="0.6", label="trials")
    axes.plot(np.fmax.accumulate(scores), color="tab:blue", label="best so far")
    low = float(np.nanquantile(scores, 0.05))
    given_up = np.flatnonzero(np.isnan(scores))
    axes.plot(given_up, np.full(given_up.shape, low), "|", color="0.8", label="given up")
    axes.set_ylim(low - 1, result.best + 0.05 * (result.best - low) + 0.2)
    axes.legend(loc="lower right")
    with atomic_file(path, overwrite=overwrite) as file:
        figure.savefig(file, format="png")
