"""A matte from a hint: what somebody painted, or a mask from elsewhere, stands for the matte so far in stage 1. Ours.

A hint is white where the subject is, black where it is not, grey where nobody knows. Without grey it is a rough mask:
the network, which has been trained on spoiled ones, decides about outline, bites and blobs, and only where it differs
from the mask in more than `LARGE` of it does the mask win. With grey it is a scribble or a trimap: white and black are
certain. The network heals a lone stroke (it was trained to), so what a contradicted stroke stands for is found by the
photo's colours (Rother et al., "GrabCut", SIGGRAPH 2004, in OpenCV, started from the network's matte), and the network
then says how much of that it takes for subject. Maps are (h, w) float32 in [0, 1], of the network's size.
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


def matte_from_hint(engine: Stage, srgb_u8: U8, hint: F32, stages: int) -> F32:
    """The matte (h, w) of a photo (h, w, 3) in network pixels, after `stages` stages that start from `hint` (h, w)."""
    matte = engine(srgb_u8, stages, hint)
    white, black = hint >= 1 - KNOWN, hint <= KNOWN
    if (np.abs(hint - 0.5) < SPREAD).mean() < GREY:
        return _meant(srgb_u8, matte, hint)
    added, taken = (_grown(srgb_u8, matte, where, to=to) for where, to in ((white, 1), (black, 0)))
    if added.any():
        start = np.where(added, np.float32(1), matte)
        matte = np.where(added, np.maximum(engine(srgb_u8, 1, start), matte), matte)
    matte = np.where(taken | black, np.float32(0), matte)
    return np.where(white, np.float32(1), matte)


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


def _grown(srgb_u8: U8, matte: F32, certain: Mask, *, to: int) -> Mask:
    """What changes sides with the `certain` pixels (h, w) that contradict `matte`, by GrabCut; `to`: 1 subject, 0 not.

    Only areas that such a pixel lies in; empty if there are none, or if one side would be empty.
    """
    subject = matte > 0.5
    wrong = certain & (subject != bool(to))
    nothing = np.zeros(matte.shape, bool)
    if not wrong.any():
        return nothing
    sides = np.where(subject, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    sides[certain] = cv2.GC_FGD if to else cv2.GC_BGD
    if len(np.unique(sides & 1)) < 2:  # odd: subject
        return certain
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(srgb_u8[..., ::-1]), sides, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    changed = ((sides & 1) == to) & (subject != bool(to))
    _, labels = cv2.connectedComponents(changed.astype(np.uint8), connectivity=4)
    return np.asarray(changed & np.isin(labels, np.unique(labels[wrong & changed])))
