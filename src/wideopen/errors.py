"""What wideopen raises on purpose. The command line prints each in one line and exits with 2."""


class WideopenError(Exception):
    """Root of everything raised on purpose."""


class InvalidInput(WideopenError, ValueError):
    """An array, a setting or a file that we cannot work with."""


class WeightsError(WideopenError):
    """Missing weight file, wrong hash, or keys that do not fit the network."""


class BackendUnavailable(WideopenError, RuntimeError):
    """A backend asked for by name that cannot run here."""


class WorkerTimeout(WideopenError):
    """A task in a worker process took longer than it may."""


class WorkerDied(WideopenError):
    """A worker process ended in the middle of a task, or none can be started."""


class ManifestError(WideopenError):
    """A batch cannot note what it does, so it must not go on."""


def require(ok: bool, message: str) -> None:
    """Raise `InvalidInput(message)` unless `ok`."""
    if not ok:
        raise InvalidInput(message)
