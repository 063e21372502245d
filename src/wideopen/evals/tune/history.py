"""A study's history as a picture: the score of each trial, and the best so far."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from wideopen.checks import require
from wideopen.evals.tune.study import Result
from wideopen.files.atomic import atomic_file


def require_plot(path: Path) -> None:
    """Refuse what is no name of a picture, and a machine that cannot draw it. Raises InvalidInput."""
    require(path.suffix == ".png", f"--history: expected a .png file to write, found {path}")
    found = find_spec("matplotlib") is not None
    require(found, "--history: expected the package matplotlib (pip install 'wideopen[tune]'), found none")


def write_history(path: Path, result: Result, title: str, *, overwrite: bool = False) -> None:
    """Write the picture, whole or not at all."""
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
