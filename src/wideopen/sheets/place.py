"""Pieces of a photo."""

from typing import NamedTuple

from wideopen.checks import F32


class Place(NamedTuple):
    """Where a piece lies in a photo of height x width pixels."""

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int

    @staticmethod
    def of_all(shape: tuple[int, ...]) -> "Place":
        """The whole of a photo (H, W)."""
        return Place(0, shape[0], 0, shape[1], shape[0], shape[1])

    def of(self, rows: F32) -> F32:
        """The piece of `rows` (n, width, ...), which hold its rows of the photo only."""
        return rows[:, self.left : self.right]
