"""Combine our network's matte (h, w) with a strong segmentation network's: ours, except where the other is right. Ours.

The two fail on different photos (docs/mattes.md). Ours adds bystanders and loses objects; the other marks what it is
unsure of in grey (backs, hats, white shirts on white), so what it is sure of is usually right. A small subject gets the
other's outline, since that network sees twice as many pixels. Our network gives a third opinion after one stage that
starts from the segmentation: what it then still calls subject is kept. An area on the photo's lower edge that touches
what both call subject is a body that continues there, whatever the other says: with a hand, a head or a hat in front,
it loses the dress below. Only broad areas are decided on; along an outline ours is better. Where the two found
different subjects there is no common outline, and an object that only the other found is added with its thin parts. The
limits were chosen on 192 validation photos; `SMALL`, `SAME` and `JOINED` also on ten composites of training photos,
whose mattes are exact.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from wideopen.checks import F32, Mask
from wideopen.matting.clean import SPECK

BROAD = 0.006  # radius of the smallest area that is decided on, as a fraction of the long side
GIVEN_UP = 0.5  # our network is against an area whose mean is below this once it has seen the segmentation
SURELY_NOT = 0.08  # the other is sure that an area does not belong to the subject,
LOOSE_NOT = 0.1  # and needs to be less so if the area does not touch what both call subject
GOES_ON = 0.15  # least share of the photo's lower edge where a body goes on
SURELY = 0.85, 0.8  # the other is sure that an area belongs to the subject, against our network and with it
JOINED = 0.05, 0.1
"""Least shares of such an area's edge that touch what both call subject, if they found different and the same subjects;
they do not count if ours found nothing."""
SMALL = 0.08  # radius of the largest disk inside a small subject, as a fraction of the long side
SAME = 0.6  # intersection over union of two mattes of the same subject


def agreed(ours: F32, other: F32, hinted: F32) -> F32:
    """`ours` with the areas of `other` that are right, all (h, w) in [0, 1].

    hinted: our network's matte after one stage with `other` as the matte so far.
    """
    both = _around((ours > 0.5) & (other > 0.5))
    same = _same_subject(ours, other)
    if same and _small(ours) and _small(other):
        near = np.where(_around(other > 0.5), other, np.minimum(ours, other))  # no veil far from the subject
        return np.where((ours > 0.5) & (other > 0.5), np.maximum(ours, other), near)  # and none within
    matte = ours.copy()
    for area, around in broad_areas((ours > 0.5) & (other < 0.5)):
        touches = (both & area).any()
        if touches and area[-1].mean() > GOES_ON:
            continue
        limit = SURELY_NOT if touches else LOOSE_NOT
        if hinted[area].mean() < GIVEN_UP and other[area].mean() < limit:
            matte[around] = other[around]
    nothing = (ours > 0.5).mean() < SPECK
    only_other = (ours < 0.5) & (other > 0.5)
    for area, around in broad_areas(only_other):
        accepted = not nothing and hinted[area].mean() > GIVEN_UP
        limit = SURELY[1] if accepted else SURELY[0]
        if other[area].mean() > limit and (nothing or _joins(area, both, JOINED[same])):
            thing = _all_of(area, only_other)
            taken = _around(thing) if not same and other[thing].mean() > limit else around
            matte[taken] = other[taken]
    return matte


def _same_subject(ours: F32, other: F32) -> bool:
    inside = [(matte > 0.5).astype(np.uint8) for matte in (ours, other)]
    return cv2.countNonZero(inside[0] & inside[1]) > SAME * cv2.countNonZero(inside[0] | inside[1])


def _all_of(area: Mask, where: Mask) -> Mask:
    """The part of a mask (h, w) that contains `area`, with its thin parts: a sign's posts, a needle's ends."""
    _, labels = cv2.connectedComponents(where.astype(np.uint8), connectivity=8)
    return np.isin(labels, np.unique(labels[area & where]))


def _small(alpha: F32) -> bool:
    """Whether a subject is so small that the other, with twice our pixels, sees it better."""
    inside = np.pad((alpha > 0.5).astype(np.uint8), 1)
    return float(cv2.distanceTransform(inside, cv2.DIST_L2, 5).max()) < SMALL * max(alpha.shape)


def _joins(area: Mask, both: Mask, least: float) -> bool:
    """Whether an area continues what both call subject: around a small person in a landscape, the other adds rocks."""
    inner = cv2.erode(area.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    edge = area & ~inner
    return bool((edge & both).sum() > least * edge.sum())


def _around(where: Mask) -> Mask:
    """A mask (h, w) with the pixels beside it."""
    return np.asarray(cv2.dilate(where.astype(np.uint8), np.ones((_side(where, 3),) * 2, np.uint8)) > 0)


def _side(alpha: F32 | Mask, beyond: int = 1) -> int:
    """Side in pixels of a window that reaches `BROAD`, and `beyond - 1` half pixels more, to each side."""
    return 2 * max(1, round(BROAD * max(alpha.shape))) + beyond


def broad_areas(where: Mask) -> Iterator[tuple[Mask, Mask]]:
    """The broad parts of a mask (h, w), each also with its surroundings, which contain the outline."""
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_side(where),) * 2)
    broad = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, window, borderType=cv2.BORDER_REPLICATE)
    count, labels = cv2.connectedComponents(broad, connectivity=8)
    for label in range(1, count):
        area = labels == label
        yield area, _around(area)
