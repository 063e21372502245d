"""The fuzz targets of our parsers: their seeds, their findings, and seeded damage, without atheris."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

FUZZ = Path(__file__).parents[2] / "fuzz"
TARGETS = ("exif", "icc", "jpeg", "jxl", "kept", "png", "tiff", "xmp")


@pytest.fixture
def target(request, monkeypatch):
    monkeypatch.syspath_prepend(str(FUZZ))
    yield importlib.import_module(f"fuzz_{request.param}")
    for name in [name for name in sys.modules if name == "common" or name.startswith("fuzz_")]:
        del sys.modules[name]


@pytest.mark.parametrize("target", TARGETS, indirect=True)
def test_good_inputs_and_damaged_ones_raise_nothing(target):
    rng = np.random.default_rng(2)
    for seed in target.seeds():
        target.check(seed)
        for _ in range(60):
            damaged = bytearray(seed[: rng.integers(len(seed) // 2, len(seed) + 1)])
            for at in rng.integers(0, len(damaged), rng.integers(0, 5)):
                damaged[at] = rng.integers(0, 256)
            target.check(bytes(damaged))


@pytest.mark.parametrize("target", TARGETS, indirect=True)
def test_findings_stay_fixed(target):
    for finding in sorted((FUZZ / "findings" / target.__name__.removeprefix("fuzz_")).glob("*")):
        target.check(finding.read_bytes())


def test_every_target_is_run_here():
    ours = {
        path.stem.removeprefix("fuzz_")
        for path in FUZZ.glob("fuzz_*.py")
        if "from common import run" in path.read_text()
    }
    assert ours == set(TARGETS)
