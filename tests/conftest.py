"""For all tests: the report lists the backends that ran, and nothing random is unseeded."""

import os
import tempfile

# Threads that wait must not spin: tests run in several processes. Read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# No network, and no weights that this machine may hold: read when the hub's library is imported, hence before all else.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_CACHE"] = os.path.join(tempfile.gettempdir(), "wideopen-tests-no-hub")  # noqa: PTH118
os.environ["HF_ASSETS_CACHE"] = os.environ["HF_HUB_CACHE"]

import pytest
from hypothesis import settings

from wideopen.cli.info import backend_lines

collect_ignore_glob = ["*conftest.py"]  # they hold no doctests, and all have one name

settings.register_profile("wideopen", derandomize=True, deadline=None, database=None)
settings.load_profile("wideopen")


def pytest_report_header():
    return ["backends:", *(f"  {line}" for line in backend_lines())]


def pytest_configure():
    """Turn a backend that REQUIRE_BACKENDS names and that cannot run here into a failure."""
    rows = [line.split(maxsplit=2) for line in backend_lines()]
    for name in filter(None, os.environ.get("REQUIRE_BACKENDS", "").split(",")):
        found = [(operator, state) for operator, backend, state in rows if backend == name.strip()]
        missing = [f"{operator}: {state}" for operator, state in found if state != "usable"]
        if missing or not found:
            raise pytest.UsageError(f"REQUIRE_BACKENDS {name}: {'; '.join(missing) or 'no such backend'}")
