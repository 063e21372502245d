"""Results that can be refocused: the matte and disparity stored with a result, and a reference to the original.

A JPEG holds them as extended XMP: the disparity as GDepth (Google's depth map metadata, "range inverse", which other
programs read too), the matte in the namespace of this project. For other formats they are the two pages of a 16-bit
TIFF beside the result, NAME.EXT.depth.tif. The reference is the original's path relative to the result's folder and its
SHA-256; only a file with that digest is used. All of this is untrusted when read: invalid data are not used, and
`notes` lists them.
"""

import base64
import hashlib
import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require_unit_map
from wideopen.errors import InvalidInput, one_line, quiet
from wideopen.files.containers import Pieces, jpeg, png, xmp
from wideopen.files.formats import read_bytes, readable_path, sniff
from wideopen.files.maps import OUTLINE, stated_outline
from wideopen.files.raster import DAMAGE
from wideopen.matting import Outline
from wideopen.photo import Metadata
from wideopen.settings import MAX_MEGAPIXELS

LOG = logging.getLogger(__name__)
_GDEPTH = "http://ns.google.com/photos/1.0/depthmap/"
_OURS = "{" + xmp.OURS + "}"
# Disparity has no unit, so the metres that GDepth requires are arbitrary: 1 for disparity 1, 100 for 0.
_NEAR, _FAR = "1.0", "100.0"
_LARGEST_ORIGINAL = 4 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keep:
    """The maps to keep with a result."""

    matte: F32  # (H, W) in [0, 1]
    disparity: F32  # (H, W) in [0, 1], 1 = nearest; as rendered, not to be filtered again
    outline: Outline = Outline.FOUND  # of the matte; older results do not say whose


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """The maps read from a result: those of `Keep`, rounded to 16 bits."""

    photo: Path  # to render from: the original if found, else the result
    maps: Keep | None  # None: present but unusable
    notes: tuple[str, ...] = ()

    def fits(self, size: tuple[int, int]) -> bool:
        """Whether the maps are of a photo of `size` (H, W)."""
        return self.maps is not None and self.maps.matte.shape == size


def sidecar_of(result: Path) -> Path:
    """Return the path of the maps of a result whose format cannot hold them."""
    return result.with_name(f"{result.name}.depth.tif")


def in_jpeg(packet: bytes | None, keep: Keep, *, original: Path | None, result: Path) -> tuple[bytes, bytes]:
    """Return (the XMP `packet` with additions, segments of extended XMP) of a JPEG `result` that keeps the maps."""
    spaces = {"GDepth": _GDEPTH, "wideopen": xmp.OURS}
    far_is_white = 65535 - _codes("disparity", keep.disparity)
    data = {"GDepth:Data": _png64(far_is_white), "wideopen:Matte": _png64(_codes("matte", keep.matte))}
    guid, segments = jpeg.extended_xmp_segments(xmp.with_description(None, spaces, data))
    values = {"xmpNote:HasExtendedXMP": guid, "GDepth:Format": "RangeInverse"}
    values |= {"GDepth:Near": _NEAR, "GDepth:Far": _FAR, "GDepth:Mime": "image/png"}
    values |= {f"wideopen:{name}": text for name, text in _reference(keep, original, result).items()}
    spaces |= {"xmpNote": xmp.NOTE}
    main = xmp.with_description(packet, spaces, values)
    if len(main) > jpeg.XMP_LIMIT:
        LOG.warning("XMP of %d bytes left out: with the kept maps a JPEG holds %d", len(main), jpeg.XMP_LIMIT)
        main = xmp.with_description(None, spaces, values)
    return main, segments


def sidecar_pieces(keep: Keep, *, original: Path | None, result: Path, digest: str) -> Pieces:
    """Return the pieces of the file with the maps beside a `result` whose SHA-256 is `digest`."""
    import tifffile

    out = BytesIO()
    description = json.dumps({"wideopen": 1, "ResultSHA256": digest, **_reference(keep, original, result)})
    how: Any = {"photometric": "minisblack", "compression": "zlib", "metadata": None}
    with tifffile.TiffWriter(out) as file:
        file.write(_codes("disparity", keep.disparity), description=description, **how)
        file.write(_codes("matte", keep.matte), description="matte", **how)
    return [out.getbuffer()]


def read_kept(path: Path, *, max_megapixels: float = MAX_MEGAPIXELS, originals: bool = True) -> Kept | None:
    """Return the maps stored with the result at `path`; None for any other photo or file.

    With `originals` off, files that the result names are not opened: a service must not open paths from clients.
    """
    path = readable_path(path)
    try:
        data = read_bytes(path, expected="a photo")
    except InvalidInput:
        return None  # the photo's reader reports the reason
    try:
        if sniff(data[:64]) == "JPEG":
            found = _from_jpeg(data, max_megapixels)
        else:
            found = _from_sidecar(sidecar_of(path), max_megapixels)
    except DAMAGE as error:
        note = f"matte and disparity kept with the photo are damaged ({one_line(error, 120)})"
        return Kept(photo=path, maps=None, notes=(note,))
    if found is None:
        return None
    keep, reference = found
    if reference.get("ResultSHA256", "") not in ("", hashlib.sha256(data).hexdigest()):  # maps in a JPEG need none
        note = f"{sidecar_of(path).name} keeps the maps of another file of that name: not used"
        return Kept(photo=path, maps=None, notes=(note,))
    photo, notes = _original(reference if originals else {}, path)
    return Kept(photo=photo, maps=keep, notes=notes)


def _codes(name: str, values: F32) -> NDArray[np.uint16]:
    return np.rint(require_unit_map(name, values) * np.float32(65535)).astype(np.uint16)


def _png64(codes: NDArray[np.uint16]) -> str:
    return base64.b64encode(b"".join(png.encode_png(codes, Metadata()))).decode("ascii")


def _reference(keep: Keep, original: Path | None, result: Path) -> dict[str, str]:
    """Return the version, the matte's origin, and the reference to the original if there is one, on this drive."""
    reference = {"Version": "1", OUTLINE: keep.outline.value}
    with suppress(OSError, ValueError):
        if original is not None and (digest := _digest(original)) is not None:
            where = Path(os.path.relpath(original.resolve(), result.resolve().parent)).as_posix()
            # without characters that XML or ASCII cannot hold, safe inside quotes
            where = quote(where, safe="/. _-()+,", errors="surrogateescape")
            reference |= {"Original": where, "OriginalSHA256": digest}
    return reference


def _original(reference: dict[str, str], result: Path) -> tuple[Path, tuple[str, ...]]:
    """Return (the original that `reference` names, or the result if there is none; notes)."""
    named, digest = unquote(reference.get("Original", ""), errors="surrogateescape"), reference.get("OriginalSHA256")
    blurred = "rendered from the result itself, which is blurred already"
    if not named or "\0" in named or PurePosixPath(named).is_absolute() or Path(named).is_absolute():
        return result, (f"no original is named: {blurred}",)
    changed = False
    for candidate in (result.parent / named, result.parent / PurePosixPath(named).name):
        found = _digest(candidate)
        if found is not None and found == digest:
            return candidate, ()
        changed |= found is not None
    return result, (f"the original {named} {'has changed since' if changed else 'was not found'}: {blurred}",)


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if it is not a file or cannot be a photo (devices are small or endless)."""
    try:
        if not path.is_file() or not 0 < path.stat().st_size <= _LARGEST_ORIGINAL:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def _from_jpeg(data: bytes, max_megapixels: float) -> tuple[Keep, dict[str, str]] | None:
    try:
        head = jpeg.read_head(data)
    except InvalidInput:
        return None  # the photo's reader reports the error
    if xmp.OURS.encode() not in (head.xmp or b""):
        return None
    properties, complaint = head.properties()
    if _OURS + "Version" not in properties:
        return None
    if complaint is not None:
        raise ValueError(complaint)
    texts = {name: text for name, text in properties.items() if isinstance(text, str)}
    disparity = _from_png64(texts["{" + _GDEPTH + "}Data"], max_megapixels)
    matte = _from_png64(texts[_OURS + "Matte"], max_megapixels)
    reference = {name.removeprefix(_OURS): text for name, text in texts.items()}
    return _keep(matte, 65535 - disparity, reference), reference


def _from_png64(text: str, max_megapixels: float) -> NDArray[np.uint16]:
    from wideopen.files.decode_pillow import png_codes

    data = base64.b64decode(text, validate=True)
    return png_codes(data, lambda width, height: _check_size(width, height, max_megapixels))


def _from_sidecar(path: Path, max_megapixels: float) -> tuple[Keep, dict[str, str]] | None:
    import tifffile

    from wideopen.files.decode_tiff import LOGGERS

    if not path.is_file():
        return None
    data = read_bytes(path, expected="the maps kept with a result")
    with quiet(*LOGGERS), tifffile.TiffFile(BytesIO(data)) as file:
        stated: Any = json.loads(file.pages[0].description)
        if not isinstance(stated, dict) or "wideopen" not in stated or len(file.pages) != 2:
            raise ValueError(f"{path.name} is not as wideopen writes it")
        for page in file.pages:
            _check_size(page.imagewidth, page.imagelength, max_megapixels)
        disparity, matte = (page.asarray() for page in file.pages)
    reference = {name: text for name, text in stated.items() if isinstance(text, str)}
    return _keep(matte, disparity, reference), reference


def _check_size(width: int, height: int, max_megapixels: float) -> None:
    if width * height > max_megapixels * 1e6:
        raise ValueError(f"a map of {width} x {height}")


def _keep(matte: NDArray[Any], disparity: NDArray[Any], reference: dict[str, str]) -> Keep:
    if matte.ndim != 2 or matte.shape != disparity.shape or matte.dtype != np.uint16 or disparity.dtype != np.uint16:
        raise ValueError(f"matte {matte.dtype} {matte.shape} and disparity {disparity.dtype} {disparity.shape}")
    matte, disparity = (codes.astype(np.float32) / np.float32(65535) for codes in (matte, disparity))
    return Keep(matte=matte, disparity=disparity, outline=stated_outline(reference) or Outline.FOUND)
