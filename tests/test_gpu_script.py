"""benchmarks/gpu.sh as far as possible without a GPU: a script replaces its parts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = """#!/bin/sh
case "$*" in
*gpu_report*) exec {python} "$@" ;;
"-m pytest"*)
    for argument; do case $argument in --junitxml=*) file=${{argument#*=}} ;; esac; done
    cp {xml} "$file"
    exit {kernels} ;;
*render_cuda.py*) exit 3 ;;
esac
"""
XML = """<testsuites><testsuite>
<testcase name="test_device[wide]"><properties>
<property name="errors" value="{&quot;tiles&quot;: [3e-7, 1e-7], &quot;segments&quot;: [2e-7, 4e-7]}"/>
</properties></testcase>
<testcase name="test_device[fast]"><failure/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def run(tmp_path):
    def run(*arguments, kernels=0):
        (tmp_path / "kernels.xml").write_text(XML, "utf-8")
        stand_in = tmp_path / "python"
        stand_in.write_text(
            STAND_IN.format(python=sys.executable, xml=tmp_path / "kernels.xml", kernels=kernels), "utf-8"
        )
        stand_in.chmod(0o755)
        return subprocess.run(
            ["bash", ROOT / "benchmarks" / "gpu.sh", "--out", tmp_path / "out", *arguments],
            env={**os.environ, "PYTHON": str(stand_in), "GPU_SH_NO_INSTALL": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize("kernels", [0, 1])
def test_a_wrong_kernel_fails_the_run(run, dry, kernels):
    done = run(*dry, "kernels", kernels=kernels)
    assert done.returncode == kernels, done.stdout
    assert ("FAILED: kernels, status 1" in done.stdout) == bool(kernels)


def test_all_other_parts_run_after_one_that_failed(run, tmp_path):
    assert run().returncode == 1
    found = json.loads((tmp_path / "out" / "gpu.json").read_text("utf-8"))
    states = [(part["part"], part["status"]) for part in found["parts"]]
    assert states == [("kernels", 0), ("render", 3), ("others", 0), ("training_mobile", 0), ("training_paper", 0)]
    assert found["command"] == "gpu.sh kernels render others training_mobile training_paper"
    assert found["kernels"] == {
        "passed": 1,
        "skipped": 0,
        "failed": ["test_device[fast]"],
        "largest_errors_thin_lens_paper": {"wide": [3e-7, 4e-7]},
    }


def test_an_unknown_part_is_refused(run):
    done = run("kernel")
    assert done.returncode == 2
    assert "found kernel" in done.stderr
