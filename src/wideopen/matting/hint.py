"""A matte from a hint: painted strokes, or a mask from elsewhere, replace the previous matte in stage 1. Ours.

A hint is white on the subject, black elsewhere, grey where unknown. Without grey it is a rough mask: the network, which
was trained on damaged masks, decides about outline, bites and blobs; the mask wins only where the two differ over more
than `LARGE` of it. With grey it is a scribble or a trimap: white and black are certain. The network was trained to
repair masks and would remove a lone stroke, so the area that a contradicted stroke stands for is found by the photo's
colours (Rother et al., "GrabCut", SIGGRAPH 2004, in OpenCV, started from the network's matte, with similar colours on
the stroke's side). The network then rates how much of a white stroke's region is subject; above `MOST`, all but its rim
is. Maps are (h, w) float32 in [0, 1], of the network's size.
"""

from collections.abc import Callable

import cv2
import numpy as np

from wideopen.checks import F32, U8, Mask
from wideopen.matting.agree import broad_areas

Stage = Callable[[U8, int, F32 | None], F32]  # as `predict.Engine` is called
KNOWN = 0.1  # values this close to 0 or 1 are black or white
GREY, SPREAD = 0.02, 0.05
"""A hint with this share of values this close to 0.5 says that it does not know; a matte's soft hair has fewer."""
LARGE = 0.25  # of a rough mask: areas larger than this are meant, whatever the network says
ROUGH = 0.02  # how far a rough mask's outline may be off, as a fraction of the long side
ROUNDS = 3  # of GrabCut
MOST = 0.4  # mean of the network's matte in a white stroke's region, with the region as the matte so far
RIM = 0.008  # width of a region's rim to each side, in which the network decides, as a fraction of the long side
ALIKE = 18.0  # distance in 8-bit CIE Lab from the nearest of a stroke's colours
COLOURS = 4  # of a stroke
AROUND = 2.0  # how far what looks like a stroke may lie from it, in lengths of the stroke


def matte_from_hint(engine: Stage, srgb_u8: U8, hint: F32, stages: int) -> F32:
    """The matte (h, w) of a photo (h, w, 3) in network pixels, after `stages` stages that start from `hint` (h, w)."""
    matte = engine(srgb_u8, stages, hint)
    white, black = hint >= 1 - KNOWN, hint <= KNOWN
    if (np.abs(hint - 0.5) < SPREAD).mean() < GREY:
        return _meant(srgb_u8, matte, hint)
    added, taken = (_grown(srgb_u8, matte, where, to=to, strokes=True) for where, to in ((white, 1), (black, 0)))
    if added.any():
        start = np.where(added, np.float32(1), matte)
        matte = _with_region(matte, engine(srgb_u8, 1, start), added)
    matte = np.where(taken | black, np.float32(0), matte)
    return np.where(white, np.float32(1), matte)


def _with_region(matte: F32, hinted: F32, region: Mask) -> F32:
    """`matte` with a white stroke's region as in `hinted`, the network's matte, or filled up to the rim."""
    window = np.ones((2 * max(1, round(RIM * max(matte.shape))) + 1,) * 2, np.uint8)
    wide = cv2.dilate(region.astype(np.uint8), window) > 0
    matte = np.where(wide, np.maximum(hinted, matte), matte)
    if hinted[region].mean() > MOST:
        matte = np.where(cv2.erode(region.astype(np.uint8), window) > 0, np.float32(1), matte)
    return matte


def _alike(srgb_u8: U8, strokes: Mask) -> Mask:
    """Where a photo (h, w, 3) looks like the strokes, near them and connected with them."""
    lab = cv2.GaussianBlur(cv2.cvtColor(np.ascontiguousarray(srgb_u8), cv2.COLOR_RGB2LAB), (0, 0), 1).astype(np.float32)
    alike = strokes.copy()
    count, labels, stats, _ = cv2.connectedComponentsWithStats(strokes.astype(np.uint8), connectivity=8)
    cv2.setRNGSeed(0)
    for label in range(1, count):
        stroke = labels == label
        colours = min(COLOURS, int(stats[label, cv2.CC_STAT_AREA]))
        centres = cv2.kmeans(lab[stroke], colours, None, (cv2.TERM_CRITERIA_COUNT, 20, 0), 1, cv2.KMEANS_PP_CENTERS)[2]
        far = np.min([np.linalg.norm(lab - centre, axis=2) for centre in centres], axis=0)
        away = cv2.distanceTransform((~stroke).astype(np.uint8), cv2.DIST_L2, 5)
        reach = AROUND * stats[label, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max()
        alike |= _touching((far < ALIKE) & (away < reach), stroke)
    return alike


def _touching(where: Mask, seeds: Mask) -> Mask:
    """The connected parts of `where` (h, w) that contain a seed."""
    _, labels = cv2.connectedComponents(where.astype(np.uint8), connectivity=4)
    return np.asarray(where & np.isin(labels, np.unique(labels[seeds & where])))


def _meant(srgb_u8: U8, matte: F32, mask: F32) -> F32:
    """`matte` with the large areas in which it contradicts a rough mask (h, w) decided by mask and colours."""
    side = 2 * max(1, round(ROUGH * max(matte.shape))) + 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    inside = (mask > 0.5).astype(np.uint8)
    surely, maybe = cv2.erode(inside, window, borderValue=1) > 0, cv2.dilate(inside, window) > 0
    for to, differs in ((1, surely & (matte < 0.5)), (0, ~maybe & (matte > 0.5))):
        for area, around in broad_areas(differs):
            if area.sum() <= LARGE * inside.sum():
                continue
            reach = cv2.dilate(around.astype(np.uint8), window, iterations=2) > 0
            matte = np.where((area | _grown(srgb_u8, matte, area, to=to)) & reach, np.float32(to), matte)
    return matte


def _grown(srgb_u8: U8, matte: F32, certain: Mask, *, to: int, strokes: bool = False) -> Mask:
    """The area that changes sides with the `certain` pixels (h, w) that contradict `matte`, by GrabCut.

    to: 1 subject, 0 background. Only areas that contain such a pixel; empty if there are none, or if one side would be
    empty. strokes: whether the certain pixels are only samples of the area meant.
    """
    subject = matte > 0.5
    wrong = certain & (subject != bool(to))
    nothing = np.zeros(matte.shape, bool)
    if not wrong.any():
        return nothing
    sides = np.where(subject, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if strokes:
        sides[_alike(srgb_u8, wrong)] = cv2.GC_PR_FGD if to else cv2.GC_PR_BGD
    sides[certain] = cv2.GC_FGD if to else cv2.GC_BGD
    if len(np.unique(sides & 1)) < 2:  # odd: subject
        return certain
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(srgb_u8[..., ::-1]), sides, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    changed = ((sides & 1) == to) & (subject != bool(to))
    return _touching(changed, wrong)
