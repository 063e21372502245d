"""Shell completion: the script that the command prints completes commands, options and their values in bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wideopen.session.presets import shipped

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def completed():
    """Complete the last word of a command line in bash, with the script that `--show-completion` prints."""
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    printed = subprocess.run(
        [BIN / "wideopen", "--show-completion", "bash"], env=env, capture_output=True, text=True, check=True
    )

    def complete(*words):
        typed = f'COMP_WORDS=("$@"); COMP_CWORD={len(words)}; _wideopen_completion wideopen; '
        shown = 'printf "%s\\n" "${COMPREPLY[@]}"'
        command = ["bash", "-c", printed.stdout + typed + shown, "bash", "wideopen", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        return done.stdout.split()

    return complete


def test_bash_completes_commands_and_flags(completed):
    assert completed("r") == ["render", "reproduce"]
    assert completed("render", "--foc") == ["--focus", "--focus-range"]


def test_bash_completes_the_values_of_an_option(completed):
    assert completed("render", "--look", "") == ["thin-lens", "paper"]
    assert completed("batch", "--preset", "") == shipped()


def test_photos_are_completed_by_the_shell(completed):
    assert completed("render", "") == []
