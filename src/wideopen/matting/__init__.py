"""Matting: find the subject and its coverage of each pixel (paper 3.1)."""

from enum import StrEnum


class Outline(StrEnum):
    """The origin of a matte: how far its outline can be trusted, which decides how rims beside it are cleaned."""

    EXACT = "exact"  # known to end where the subject does
    GIVEN = "given"  # the user's own, perhaps exact: the photo beside it is examined
    FOUND = "found"  # by a network or a phone, which end early here and there
