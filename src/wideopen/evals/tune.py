"""The search: an Optuna study in a file that can be stopped, resumed and shared by several processes; its history.

Trials whose first pairs score below the median of the other trials are stopped early (MedianPruner). Pairs come in a
fixed order, so that means over the first few are comparable.
"""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.evals import tune_space as space
from wideopen.evals.pairs import Pair
from wideopen.evals.tune_space import WEIGHTS, Prepared, prepare, score
from wideopen.files.atomic import atomic_file
from wideopen.session.presets import Preset
from wideopen.settings import LensSettings, MapSettings

SAMPLERS = ("tpe", "cmaes")
NAME = "wideopen"
STARTUP, WARMUP = 12, 2  # number of trials before any may be stopped early; number of pairs before a trial may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The settings of a search. The same settings resume a study file; others are refused."""

    pairs: tuple[Pair, ...]
    look: str = "paper"
    trials: int = 200
    sampler: str = "tpe"
    seed: int = 0
    planes: int = 32
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    maps: MapSettings = field(default_factory=MapSettings)

    def __post_init__(self) -> None:
        space.require_look(self.look)
        require(self.sampler in SAMPLERS, f"--sampler: expected {' or '.join(SAMPLERS)}, found {self.sampler!r}")
        require(1 <= self.trials <= 100_000, f"--trials: expected 1 to 100000, found {self.trials}")

    @property
    def with_blur(self) -> bool:
        """Whether the blur of any pair is unknown."""
        return any(pair.meta.blur is None for pair in self.pairs)

    def settings(self, numbers: Mapping[str, float]) -> LensSettings:
        """The lens of a trial."""
        return LensSettings(grain=0.0, planes=self.planes, **space.lens_values(self.look, numbers))

    def key(self) -> str:
        """A hash of everything that affects whether scores are comparable; not of trials, sampler and seed."""
        pairs = [[pair.name, asdict(pair.meta)] for pair in self.pairs]
        what = [pairs, self.look, self.planes, dict(self.weights), self.maps.to_dict()]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a search."""

    preset: Preset
    untuned: float  # score of the first trial: the defaults
    best: float
    scores: tuple[float | None, ...]  # of each trial in order; None = stopped early or failed


def require_optuna(sampler: str = "tpe") -> None:
    """Raise InvalidInput with installation instructions if packages are missing."""
    for package in ("optuna", *(["cmaes"] if sampler == "cmaes" else [])):
        found = find_spec(package) is not None
        require(found, f"tune: expected the package {package} (pip install 'wideopen[tune]'), found none")


def tune(search: Search, file: Path, *, workers: int = 1, on_trial: Callable[[str], None] = lambda _: None) -> Result:
    """Run `search` until its study in `file` has `trials` trials, and return the best.

    `workers` processes share the study; each prepares all pairs itself. `on_trial` gets one line about each trial of
    this process. Raises InvalidInput for a study of a different search, if no trial could be scored, or if a worker
    failed.
    """
    require_optuna(search.sampler)
    require(1 <= workers <= 64, f"--workers: expected 1 to 64, found {workers}")
    study = _study(search, file, worker=0)
    _claim(study, search, file)
    others = []
    if workers > 1:
        context = multiprocessing.get_context("spawn")
        others = [context.Process(target=_work, args=(search, file, n)) for n in range(1, workers)]
        for process in others:
            process.start()
    try:
        _run(study, search, on_trial)
        for process in others:
            process.join()
        failed = sum(process.exitcode != 0 for process in others)
        require(not failed, f"--workers: expected {workers} processes to end well, found {failed} that did not")
    finally:
        for process in others:
            process.kill()
    return _result(study, search)


def _work(search: Search, file: Path, worker: int) -> None:
    _run(_study(search, file, worker=worker), search, lambda _: None)


def _study(search: Search, file: Path, *, worker: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samplers = optuna.samplers
    seed = search.seed + 1000 * worker
    sampler: Any
    if search.sampler == "cmaes":
        sampler = samplers.CmaEsSampler(seed=seed)
    else:
        sampler = samplers.TPESampler(seed=seed, multivariate=True, group=False, constant_liar=True)
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
    if key is None:
        study.set_user_attr("search", search.key())
        for numbers in space.starts(search.look, with_blur=search.with_blur):
            study.enqueue_trial(numbers)
        return
    require(key == search.key(), f"{file}: expected a study of these pairs and settings, found one of others")


def _run(study: Any, search: Search, on_trial: Callable[[str], None]) -> None:
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    if len(study.get_trials(deepcopy=False, states=over)) >= search.trials:
        return
    prepared = [prepare(pair, search.maps) for pair in search.pairs]

    def report(study: Any, trial: Any) -> None:
        on_trial(f"best {study.best_value:.3f}" if trial.number else f"untuned {trial.value:.3f}")

    study.optimize(
        lambda trial: _objective(trial, search, prepared),
        callbacks=[report, MaxTrialsCallback(search.trials, states=over)],
    )


def _objective(trial: Any, search: Search, prepared: list[Prepared]) -> float:
    import optuna

    numbers = space.suggested(
        search.look,
        lambda name, low, high, log: trial.suggest_float(name, low, high, log=log),
        with_blur=search.with_blur,
    )

    def on_pair(done: int, mean: float) -> None:
        trial.report(mean, done)
        if trial.number >= len(space.STARTS[search.look]) and trial.should_prune():
            raise optuna.TrialPruned

    return score(prepared, search.settings(numbers), search.weights, on_pair)


def _result(study: Any, search: Search) -> Result:
    from optuna.trial import TrialState

    # With few --trials a search ends before all its starting settings are tried; the rest are still waiting.
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
    scores = tuple(t.value if t.state.name == "COMPLETE" else None for t in trials)
    require(any(s is not None for s in scores), "tune: expected at least one trial with a score, found none")
    best = study.best_trial
    lens = space.lens_values(search.look, best.params)
    if search.planes != LensSettings().planes:
        lens["planes"] = search.planes
    about = {
        "tuned_on": sorted(pair.name for pair in search.pairs),
        "score": round(best.value, 4),
        "untuned_score": None if scores[0] is None else round(scores[0], 4),
        "weights": dict(search.weights),
        "trials": len(trials),
        "sampler": search.sampler,
    }
    untuned = float("nan") if scores[0] is None else scores[0]
    return Result(preset=Preset(lens=lens, about=about), untuned=untuned, best=best.value, scores=scores)


def require_plot(path: Path) -> None:
    """Raise InvalidInput if the path is not a picture's name or if the plotting packages are missing."""
    require(path.suffix == ".png", f"--history: expected a .png file to write, found {path}")
    found = find_spec("matplotlib") is not None
    require(found, "--history: expected the package matplotlib (pip install 'wideopen[tune]'), found none")


def write_history(path: Path, result: Result, title: str, *, overwrite: bool = False) -> None:
    """Write the picture of the search history atomically."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scores = np.array([np.nan if score is None else score for score in result.scores])
    numbers = np.arange(len(scores))
    figure = Figure(figsize=(7, 4), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(numbers, scores, ".", color="0.6", label="trials")
    best = np.maximum.accumulate(np.nan_to_num(scores, nan=-np.inf))
    axes.plot(numbers, best, color="tab:blue", label="best so far")
    given_up = numbers[np.isnan(scores)]
    low = float(np.nanquantile(scores, 0.05))
    axes.plot(given_up, np.full(given_up.shape, low), "|", color="0.8", label="given up")
    axes.set_ylim(low - 1, result.best + 0.05 * (result.best - low) + 0.2)
    axes.set_xlabel("trial")
    axes.set_ylabel("score")
    axes.set_title(title)
    axes.legend(loc="lower right")
    figure.tight_layout()
    with atomic_file(path, overwrite=overwrite) as file:
        figure.savefig(file, format="png")
