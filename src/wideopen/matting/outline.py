"""How far a matte's outline can be trusted, which decides what is done about rims of the subject beside it."""

from enum import StrEnum


class Outline(StrEnum):
    """Whose matte it is."""

    EXACT = "exact"  # somebody vouches that it ends where the subject does
    GIVEN = "given"  # somebody's own, perhaps exact: the photo beside it is examined
    FOUND = "found"  # by a network or a phone, which end early here and there
