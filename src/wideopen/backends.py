"""Choosing one of several implementations of an operator.

"auto" takes the first that can run. A backend chosen by name is used or refused, never silently replaced.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Generic, TypeVar

from wideopen.errors import BackendUnavailable

LOG = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backend(Generic[T]):
    """One implementation of an operator: why it cannot run here (or None), and how to load it."""

    why_not: Callable[[], str | None]
    load: Callable[[], T]


def missing(package: str) -> Callable[[], str | None]:
    """The `why_not` of a backend that needs a package."""
    return lambda: None if find_spec(package) else f"{package} is not installed"


def numba_or_reference(room: str) -> dict[str, Backend[ModuleType]]:
    """The two backends of an operator: the modules `numba_cpu` and `reference` of the package `room`."""
    return {
        "numba": Backend(missing("numba"), lambda: import_module(f"{room}.numba_cpu")),
        "reference": Backend(lambda: None, lambda: import_module(f"{room}.reference")),
    }


def require_known(backends: Mapping[str, Backend[T]], name: str) -> None:
    """Raise BackendUnavailable unless `name` is auto or one of `backends`; does not test whether it can run."""
    if name != "auto" and name not in backends:
        raise BackendUnavailable(f"backend: expected auto or one of {', '.join(backends)}, found {name!r}")


def usable(backends: Mapping[str, Backend[T]], name: str = "auto") -> str:
    """Return the name of the first usable of `backends`, or the named one, without loading it.

    `backends` is ordered fastest first, "reference" last. Raises BackendUnavailable for an unknown or unusable name.
    """
    require_known(backends, name)
    for key, backend in backends.items():
        if name not in (key, "auto"):
            continue
        reason = backend.why_not()
        if reason is None:
            return key
        if key == name:
            raise BackendUnavailable(f"backend {key}: {reason}")
    raise BackendUnavailable(f"none of the backends {', '.join(backends)} can run here")


def pick(backends: Mapping[str, Backend[T]], name: str = "auto") -> tuple[str, T]:
    """Return (name, implementation) of the backend that `usable` names. Raises the same errors."""
    key = usable(backends, name)
    LOG.info("backend %s", key)
    return key, backends[key].load()
