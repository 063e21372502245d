"""Where figures come from: command, commit, date, machine, versions."""

import os
import platform
import shlex
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
LIBRARIES = ("numpy", "numba", "onnxruntime", "opencv-python-headless", "pillow", "torch", "triton")


def provenance() -> dict[str, Any]:
    """Return what every result file begins with."""
    words = [word if not Path(word).is_absolute() else Path(word).name for word in sys.argv]  # nobody else has its path
    return {
        "command": shlex.join(words),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            **{name: found for name in LIBRARIES if (found := version_of(name))},
        },
    }


def version_of(name: str) -> str | None:
    """The version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:  # triton is for some machines only
        return None


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"cpu": cpu, "cores": os.cpu_count() or 0, "memory_gb": round(memory, 1), "system": platform.platform()}


def commit() -> str | None:
    """Return the commit that was measured, `+` for changes in the sources; None outside a checkout.

    Where the sources were copied without git, WIDEOPEN_COMMIT names it.
    """
    if named := os.environ.get("WIDEOPEN_COMMIT"):
        return named
    try:
        name = _git("rev-parse", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*words: str) -> str:
    return subprocess.check_output(["git", "-C", str(PACKAGE), *words], stderr=subprocess.DEVNULL, text=True).strip()  # noqa: S603, S607
