"""numba's cache on disk: kernels built from code or constants that have changed since are not used."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from wideopen.arrays import jit

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


def test_without_a_folder_to_write_kernels_are_cached_in_a_temporary_one(monkeypatch, caplog):
    def no_locator(**_):
        def refuse(_):
            raise RuntimeError("cannot cache function: no locator available")

        return refuse

    monkeypatch.setattr(jit.numba, "njit", no_locator)
    monkeypatch.setattr(jit.numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    jit.keep_kernels_somewhere()
    folder = Path(jit.numba.config.CACHE_DIR)
    assert folder.is_dir()
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)
    assert [record.message for record in caplog.records if "compiled kernels" in record.message]
    folder.rmdir()


def test_pieces_cover_the_range_once_and_errors_come_back():
    hits = np.zeros(103, np.int64)

    def count(first, stop, out):
        out[first:stop] += 1

    jit.in_threads(count, 103, 10, hits)
    assert (hits == 1).all()
    with pytest.raises(ValueError, match="broken"):
        jit.in_threads(_broken, 103, 10)


def _broken(_first, _stop):
    raise ValueError("broken")
