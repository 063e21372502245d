"""What the targets share: run one under atheris for a while, from seeds of its own.

A target is a module with `seeds()`, a few good inputs, and `check(data)`, which raises nothing but what is a bug.
Only `run` needs atheris, so the tests repeat seeds and findings without it.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType
from typing import Any

FINDINGS = Path(__file__).with_name("findings")
SECONDS = 60


def _instrument(atheris: Any) -> None:
    """Let atheris see which branches our functions take: ours only, since all would take minutes."""
    for name, module in list(sys.modules.items()):
        for function in list(vars(module).values()) if name.startswith("wideopen.") else ():
            if isinstance(function, FunctionType) and function.__module__ == name:
                atheris.instrument_func(function)


def run(name: str, check: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Fuzz `check` for a minute, or as libFuzzer's options on the command line say."""
    import atheris

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        findings = FINDINGS / name
        findings.mkdir(parents=True, exist_ok=True)
        options = [f"-max_total_time={SECONDS}", f"-artifact_prefix={findings}/", "-timeout=5", "-rss_limit_mb=2000"]
        _instrument(atheris)
        atheris.Setup([sys.argv[0], *options, *sys.argv[1:], corpus], check)
        atheris.Fuzz()
