"""numba's cache on disk: kernels built from code or constants that have changed since are not used."""

import os
import subprocess
import sys
import time
from pathlib import Path

KERNELS = """
from numba import njit
from constants import FACTOR

@njit(cache=True)
def scaled(x):
    return x * FACTOR
"""
RUN = """
import constants, kernels
from wideopen.arrays.jit import forget_stale_kernels
if {watch}:
    forget_stale_kernels(kernels, constants)
print(kernels.scaled(1.0))
"""


def _run(folder: Path, *, watch: bool) -> float:
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(watch=watch)], cwd=folder, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_a_changed_constant_in_another_file_is_noticed(tmp_path):
    (tmp_path / "kernels.py").write_text(KERNELS, encoding="utf-8")
    constants = tmp_path / "constants.py"
    constants.write_text("FACTOR = 2.0\n", encoding="utf-8")
    assert _run(tmp_path, watch=True) == 2.0
    constants.write_text("FACTOR = 3.5\n", encoding="utf-8")
    later = time.time() + 5
    os.utime(constants, (later, later))
    assert _run(tmp_path, watch=False) == 2.0  # what numba does by itself
    assert _run(tmp_path, watch=True) == 3.5
