"""Who is told how far a job is; by default nobody."""


class Steps:
    """Told the current step of a job; while something is downloaded, also how much of it is there."""

    def __call__(self, step: str) -> None:
        """`step` begins."""

    def download(self, done: int, total: int) -> None:
        """`done` of `total` bytes are there."""

    def note(self, line: str) -> None:
        """Something the user should know at once, in one line."""


SILENT = Steps()
