"""Sources of disparity behind one interface: the phone's own depth, networks, and the matte alone.

Every source but the last gives a `DepthMap`, and all of these are converted to disparity and upsampled by the same
code. A named source is used or refused; only "auto" chooses, and reports why. Nothing here uses files or the network.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wideopen.arrays.maps import resize_map, shows_outline
from wideopen.checks import F32, U8, require
from wideopen.disparity import hub
from wideopen.disparity.depth_map import DepthMap, normalise, to_disparity
from wideopen.disparity.planar import planar
from wideopen.disparity.upsample import upsample
from wideopen.errors import InvalidInput

WORDS = ("auto", "embedded", "small", "planar")
SMALL = "predicted by small"
ASPECT_TOLERANCE = 0.02
"""Tolerance of embedded depth's aspect: sizes are rounded to even numbers, and small maps round coarsely."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundDisparity:
    """The result of a source."""

    disparity: F32  # (H, W) in [0, 1]
    source: str  # its name, for the report
    along_matte: bool = False  # whether it ends where the matte does, so that there is no spill to clean
    notes: tuple[str, ...] = ()


def require_depth(depth: str | Path) -> None:
    """Raise InvalidInput for a word that cannot name a source."""
    if depth not in WORDS:
        hub.resolve(depth)


def find_disparity(
    matte: Callable[[], F32],
    photo_u8: Callable[[], U8],
    depth: str | Path,
    embedded: DepthMap | None,
    device: str = "auto",
    guide: Callable[[], U8] | None = None,
) -> FoundDisparity:
    """Disparity of a photo from the source that `depth` names: auto, embedded, small, planar, or a model.

    matte: returns the matte (H, W); photo_u8: returns the photo (H, W, 3), sRGB-encoded; guide: returns it with any
    primaries, for embedded depth to follow its edges; each is called only if needed, the matte last. embedded: the
    depth map in the photo's file, if any. A model is one of `disparity.hub.ROWS`, a folder, a .onnx file or a hub id;
    its weights must be on disk. "auto": embedded if usable, else the default model if it is on disk, else small.
    Raises InvalidInput for "embedded" without a map, or one of another aspect; WeightsError for an unusable model.
    """
    if depth == "planar":
        alpha = matte()
        one_kind = not shows_outline(alpha)  # nobody to stand on a floor: it would be made up
        disparity = np.zeros_like(alpha) if one_kind else planar(alpha)
        return FoundDisparity(disparity=disparity, source="planar", along_matte=True)
    if depth == "small":
        return from_small(photo_u8(), matte)
    if depth == "embedded":
        require(embedded is not None, "depth embedded: expected depth inside the photo's file, found none")
        assert embedded is not None  # for the type checker
        return from_embedded(embedded, (guide or photo_u8)())
    if depth != "auto":
        return from_model(depth, photo_u8(), device)
    notes: tuple[str, ...] = ()
    if embedded is not None:
        try:
            return from_embedded(embedded, (guide or photo_u8)())
        except InvalidInput as error:
            notes = (f"the depth inside the photo cannot be used ({error})",)
    on_disk = hub.on_disk(hub.DEFAULT, device)
    found = from_model(hub.DEFAULT, photo_u8(), device) if on_disk else from_small(photo_u8(), matte)
    return replace(found, notes=notes)


def from_model(model: str | Path, photo_u8: U8, device: str) -> FoundDisparity:
    """Predict at the network's size, then upsample to the photo's size along its edges."""
    from wideopen.disparity.predict import predict_depth

    predicted = predict_depth(photo_u8, model=model, device=device)
    disparity = upsample(to_disparity(predicted), photo_u8)
    return FoundDisparity(disparity=disparity, source=f"predicted by {predicted.name}")


def from_small(photo_u8: U8, matte: Callable[[], F32]) -> FoundDisparity:
    """Predict with the network inside the package, with the matte's subject and without it, and composite the subject,
    which ends at the matte, over the background, which is upsampled along the photo's edges.
    """
    from wideopen.disparity.small import predict_small
    from wideopen.disparity.subject import put_before, shaped_by_matte

    predicted = predict_small(photo_u8)
    whole, alpha = predicted.whole, matte()
    small = resize_map(alpha, whole.shape)
    if not shows_outline(small):
        return FoundDisparity(disparity=upsample(normalise(whole), photo_u8), source=SMALL)
    behind, subject = shaped_by_matte(whole, predicted.behind(small), small)
    disparity = put_before(upsample(behind, photo_u8), subject, alpha)
    return FoundDisparity(disparity=disparity, source=SMALL, along_matte=True)


def from_embedded(depth: DepthMap, photo_u8: U8) -> FoundDisparity:
    """Upsample the file's own map to the photo's size, along its edges. Raises InvalidInput for another aspect."""
    height, width = photo_u8.shape[:2]
    disparity = to_disparity(depth)
    rows, columns = disparity.shape
    off = abs(columns * height / (rows * width) - 1)
    require(
        off <= max(ASPECT_TOLERANCE, 1 / min(rows, columns)),
        f"{depth.name}: expected the aspect of the photo, {width} x {height}, found {columns} x {rows}",
    )
    return FoundDisparity(disparity=upsample(disparity, photo_u8), source=f"embedded: {depth.name}")
