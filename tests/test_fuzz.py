"""The fuzz targets, without atheris: valid files, damaged ones, and everything that fuzzing found."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FUZZ = Path(__file__).parents[1] / "fuzz"
sys.path.insert(0, str(FUZZ))
from targets import TARGETS, embedded  # noqa: E402  # its folder is no package of ours

FINDINGS = sorted(path for path in (FUZZ / "findings").glob("*/*"))


@pytest.mark.parametrize("name", embedded.PARSERS)
def test_sound_files_are_read(name):
    parse, seeds = embedded.PARSERS[name]
    for seed in seeds():
        parse(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_and_damaged_ones_raise_nothing(name, capfd):
    rng = np.random.default_rng(2)
    seeds = list(TARGETS[name].seeds())
    for number in range(max(60 * len(seeds), 120)):
        seed = seeds[number % len(seeds)]
        damaged = bytearray(seed)
        for at in rng.integers(0, len(damaged), rng.integers(0, 5)):
            damaged[at] = rng.integers(0, 256)
        cut = rng.integers(0, len(damaged)) if number % 5 == 0 else len(damaged)
        TARGETS[name].check(seed if number < len(seeds) else bytes(damaged[:cut]))
    if name != "tiff":  # libtiff speaks to the terminal itself
        assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_findings_of_fuzzing_stay_fixed(path):
    TARGETS[path.parent.name].check(path.read_bytes())


def test_every_target_of_the_folder_is_in_the_list():
    files = {path.stem for path in (FUZZ / "targets").glob("*.py")} - {"__init__", "embedded"}
    assert files == {name for name in TARGETS if not name.startswith("embedded-")}


def test_an_unknown_target_is_answered_with_the_names():
    done = subprocess.run([sys.executable, FUZZ / "run.py", "gif"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("target: expected one of exif, icc, ")
    assert done.stderr.endswith("found 'gif'\n")
