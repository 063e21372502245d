"""The exceptions raised on purpose, and functions that raise them. Commands print one line and exit with 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

ITEM = "\n  - "  # before each item of a list in a message


class WideopenError(Exception):
    """Base class of all exceptions raised on purpose."""


class InvalidInput(WideopenError, ValueError):
    """An invalid array, setting or file."""


class WeightsError(WideopenError):
    """Missing weight file, wrong hash, or keys that do not fit the network."""


class BackendUnavailable(WideopenError, RuntimeError):
    """The named backend cannot run here."""


class WorkerTimeout(WideopenError):
    """A task in a worker process exceeded its time limit."""


class WorkerDied(WideopenError):
    """A worker process ended during a task, or none can be started."""


class ManifestError(WideopenError):
    """A batch cannot write its manifest, so it must stop."""


def require(ok: bool, message: str) -> None:
    """Raise `InvalidInput(message)` unless `ok`."""
    if not ok:
        raise InvalidInput(message)


@contextmanager
def system_errors(what: str, kind: type[WideopenError] = InvalidInput) -> Iterator[None]:
    """Turn an OSError in the block into one of this `kind`: `what` failed, and the system's reason."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what} ({error.strerror or error})") from error


def one_line(error: BaseException, most: int = 200) -> str:
    """The message of an error in one line of at most `most` characters, or its type if it has none."""
    return " ".join(str(error).split())[:most] or type(error).__name__


@contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Silence these loggers and those below them in the block: failures that matter are raised."""
    import logging  # not needed to start

    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def require_packages(what: str, extra: str, *modules: str) -> None:
    """Raise InvalidInput unless the modules that `what` needs, of wideopen[`extra`], are installed."""
    missing = next((module for module in modules if find_spec(module) is None), None)
    how = f"pip install 'wideopen[{extra}]'"
    require(missing is None, f"{what} needs {missing}, which is not installed ({how})")
