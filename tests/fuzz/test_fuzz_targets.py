"""The fuzzing targets run, on sound files, on damaged ones, and on everything that fuzzing found."""

from pathlib import Path

import numpy as np
import pytest
from targets import TARGETS, run

FINDINGS = sorted((Path(__file__).parent / "findings").rglob("*.bin"))


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_are_read(name):
    for seed in TARGETS[name].seeds():
        TARGETS[name].parse(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_refused_in_one_line(name, capfd):
    rng = np.random.default_rng(5)
    seeds = TARGETS[name].seeds()
    for number in range(120):
        data = bytearray(seeds[number % len(seeds)])
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(0, 256)
        cut = rng.integers(0, len(data)) if number % 5 == 0 else len(data)
        run(name, bytes(data[:cut]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_fuzzing_found(path):
    run(path.parent.name, path.read_bytes())
