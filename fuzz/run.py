"""Fuzz one target: `python fuzz/run.py TARGET [libFuzzer's options]`; without TARGET, their names.

Needs `pip install -e '.[fuzz]'`. An input that fails is left in findings/TARGET, where the tests replay it.
"""

import sys
import tempfile
from pathlib import Path
from types import FunctionType
from typing import Any

HERE = Path(__file__).parent
SECONDS = 60


def instrument(atheris: Any) -> None:
    """Let atheris see which branches the functions of wideopen take; those of all libraries would take minutes."""
    for name, module in list(sys.modules.items()):
        for function in list(vars(module).values()) if name.startswith("wideopen.") else ():
            if isinstance(function, FunctionType) and function.__module__ == name:
                atheris.instrument_func(function)


def main() -> None:
    """Fuzz the named target for a minute, or as the options say."""
    sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]  # the latter for the files that embedded targets start from
    from targets import TARGETS

    name, options = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name not in TARGETS:
        sys.exit(f"target: expected one of {', '.join(TARGETS)}, found {name!r}")
    import atheris

    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        seeds = list(target.seeds())
        for number, seed in enumerate(seeds):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        findings = HERE / "findings" / name
        findings.mkdir(parents=True, exist_ok=True)
        limits = [f"-max_total_time={SECONDS}", f"-max_len={2 * max(map(len, seeds))}", "-timeout=10"]
        limits += ["-rss_limit_mb=2048", f"-artifact_prefix={findings}/"]
        instrument(atheris)
        atheris.Setup([sys.argv[0], *limits, *options, corpus], target.check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
