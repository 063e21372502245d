"""The receiver of a job's progress; the default one ignores it."""


class Steps:
    """Receives the steps of a job, the progress of downloads, and notes; this base class ignores them."""

    def __call__(self, step: str) -> None:
        """`step` begins."""

    def download(self, done: int, total: int) -> None:
        """`done` of `total` bytes are downloaded."""

    def note(self, line: str) -> None:
        """`line` is something that the user should know at once."""


SILENT = Steps()
