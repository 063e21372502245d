"""Notes and errors on stderr."""

import sys

from wideopen.session.progress import Steps


def warn(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(" ".join(line.split()) + "\n")


class PlainSteps(Steps):
    """Notes on stderr, and no steps."""

    def note(self, line: str) -> None:
        """One line on stderr."""
        warn(line)
