"""Fuzz one parser for a while: `python tests/fuzz/fuzz.py TARGET [SECONDS]`; needs `pip install wideopen[fuzz]`.

What fails is left as crash-* in the current folder: copy it to tests/fuzz/findings/TARGET, where the tests replay it.
"""

import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Start libFuzzer from the target's own files."""
    import atheris  # here, since the tests import every module

    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    with atheris.instrument_imports(include=["wideopen.io", "xml"]):
        import targets

    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    seeds = targets.TARGETS[name].seeds()
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        longest = 2 * max(map(len, seeds))
        limits = [f"-max_total_time={seconds}", f"-max_len={longest}", "-timeout=10", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *limits, corpus], lambda data: targets.run(name, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
