"""Results that can be refocused: the matte and disparity stored with a result, and a reference to the original.

A JPEG holds them as extended XMP: the disparity as GDepth (Google's depth map metadata, "range inverse", which other
programs read too), the matte in the namespace of this project. For other formats they are the two pages of a 16-bit
TIFF beside the result, NAME.EXT.depth.tif. The reference is the original's path relative to the result's folder and its
SHA-256; only a file with that digest is used. All of this is untrusted when read: invalid data are not used, and
`notes` lists them.
"""

import base64
import binascii
import hashlib
import json
import logging
import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require_unit_map
from wideopen.errors import InvalidInput
from wideopen.files.containers import jpeg
from wideopen.files.encode import JPEG_XMP_LIMIT, Attached, Pieces, encode_png
from wideopen.files.formats import read_bytes, readable_path, sniff
from wideopen.files.metadata import xmp as xmp_tools
from wideopen.files.raster import DAMAGE, one_line

LOG = logging.getLogger(__name__)
_GDEPTH = "http://ns.google.com/photos/1.0/depthmap/"
_OURS = "{" + xmp_tools.OURS + "}"
# Disparity has no unit, so the metres that GDepth requires are arbitrary: 1 for disparity 1, 100 for 0.
_NEAR, _FAR = "1.0", "100.0"
_NO_DIGEST = ""  # maps inside a result need none
_LARGEST_ORIGINAL = 4 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keep:
    """The maps to keep with a result."""

    matte: F32  # (H, W) in [0, 1]
    disparity: F32  # (H, W) in [0, 1], 1 = nearest; as rendered, not to be filtered again


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


def in_jpeg(xmp: bytes | None, keep: Keep, *, original: Path | None, result: Path) -> tuple[bytes, bytes]:
    """Return (main XMP packet: `xmp` with additions, extended XMP packet) of a JPEG `result` that keeps the maps."""
    namespaces = {"GDepth": _GDEPTH, "wideopen": xmp_tools.OURS}
    far_is_white = 65535 - _codes("disparity", keep.disparity)
    extension = xmp_tools.with_description(
        None,
        namespaces,
        {"GDepth:Data": _png64(far_is_white), "wideopen:Matte": _png64(_codes("matte", keep.matte))},
    )
    guid, _ = jpeg.extended_xmp_segments(extension)
    values = {
        "xmpNote:HasExtendedXMP": guid,
        "GDepth:Format": "RangeInverse",
        "GDepth:Near": _NEAR,
        "GDepth:Far": _FAR,
        "GDepth:Mime": "image/png",
    }
    values |= {f"wideopen:{name}": text for name, text in _reference(original, result).items()}
    namespaces |= {"xmpNote": xmp_tools.NOTE}
    main = xmp_tools.with_description(xmp, namespaces, values)
    if len(main) > JPEG_XMP_LIMIT:
        LOG.warning("XMP of %d bytes left out: with the kept maps a JPEG holds %d", len(main), JPEG_XMP_LIMIT)
        main = xmp_tools.with_description(None, namespaces, values)
    return main, extension


def sidecar_pieces(keep: Keep, *, original: Path | None, result: Path, digest: str) -> Pieces:
    """Return the pieces of the file with the maps beside a `result` whose SHA-256 is `digest`."""
    import tifffile

    out = BytesIO()
    description = json.dumps({"wideopen": 1, "ResultSHA256": digest, **_reference(original, result)})
    with tifffile.TiffWriter(out) as file:
        for name, values, text in (("disparity", keep.disparity, description), ("matte", keep.matte, "matte")):
            file.write(
                _codes(name, values), photometric="minisblack", compression="zlib", description=text, metadata=None
            )
    return [out.getbuffer()]


def read_kept(path: Path, *, max_megapixels: float = 150, originals: bool = True) -> Kept | None:
    """Return the maps stored with the result at `path`; None for any other photo or file.

    With `originals` off, files that the result names are not opened: a service must not open paths from clients.
    """
    path = readable_path(path)
    try:
        data = read_bytes(path, expected="a photo")
    except InvalidInput:
        return None  # the photo's reader reports the reason
    return kept_in(data, path, max_megapixels=max_megapixels, originals=originals)


def kept_in(data: bytes, path: Path, *, max_megapixels: float = 150, originals: bool = True) -> Kept | None:
    """`read_kept` for the bytes of the file at `path`."""
    try:
        if sniff(data[:64]) == "JPEG":
            found = _from_jpeg(data, max_megapixels)
        else:
            found = _from_sidecar(sidecar_of(path), max_megapixels)
    except DAMAGE as error:
        note = f"matte and disparity kept with the photo are damaged ({one_line(error)})"
        return Kept(photo=path, maps=None, notes=(note,))
    if found is None:
        return None
    keep, reference = found
    if reference.get("ResultSHA256", _NO_DIGEST) not in (_NO_DIGEST, hashlib.sha256(data).hexdigest()):
        note = f"{sidecar_of(path).name} keeps the maps of another file of that name: not used"
        return Kept(photo=path, maps=None, notes=(note,))
    original, blurred = _original(reference if originals else {}, path)
    return Kept(photo=original or path, maps=keep, notes=(blurred,) if blurred else ())


def _codes(name: str, values: F32) -> NDArray[np.uint16]:
    return np.rint(require_unit_map(name, values) * np.float32(65535)).astype(np.uint16)


def _png64(codes: NDArray[np.uint16]) -> str:
    return base64.b64encode(b"".join(encode_png(codes, Attached()))).decode("ascii")


def _reference(original: Path | None, result: Path) -> dict[str, str]:
    """Return the reference to the original; empty if there is none, or none on this drive."""
    if original is None:
        return {"Version": "1"}
    try:
        where = PurePosixPath(Path(os.path.relpath(original.resolve(), result.resolve().parent)).as_posix())
    except (OSError, ValueError):
        return {"Version": "1"}
    digest = _digest(original)
    if digest is None:
        return {"Version": "1"}
    return {"Version": "1", "Original": _ascii(str(where)), "OriginalSHA256": digest}


def _ascii(text: str) -> str:
    """Return `text` without characters that XML or ASCII cannot hold, safe inside quotes; undone by `unquote`."""
    from urllib.parse import quote

    return quote(text, safe="/. _-()+,", errors="surrogateescape")


def _original(reference: dict[str, str], result: Path) -> tuple[Path | None, str | None]:
    from urllib.parse import unquote

    named, digest = unquote(reference.get("Original", ""), errors="surrogateescape"), reference.get("OriginalSHA256")
    blurred = "rendered from the result itself, which is blurred already"
    if not named or "\0" in named or PurePosixPath(named).is_absolute() or Path(named).is_absolute():
        return None, f"no original is named: {blurred}"
    changed = False
    for candidate in (result.parent / named, result.parent / PurePosixPath(named).name):
        found = _digest(candidate)
        if found is not None and found == digest:
            return candidate, None
        changed |= found is not None
    return None, f"the original {named} {'has changed since' if changed else 'was not found'}: {blurred}"


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
        main = xmp_tools.parse_xmp(head.xmp) if head.xmp is not None and xmp_tools.OURS.encode() in head.xmp else {}
    except InvalidInput:
        return None  # the photo's reader reports the error
    reference = {name.removeprefix(_OURS): text for name, text in main.items() if name.startswith(_OURS)}
    if "Version" not in reference:
        return None
    guid = xmp_tools.as_text(main.get(xmp_tools.EXTENDED_XMP)) or ""
    try:
        extension = jpeg.extended_xmp(head.extended, guid)
    except InvalidInput as error:
        raise ValueError("the extended XMP is not all there") from error
    if hashlib.md5(extension, usedforsecurity=False).hexdigest().upper() != guid.upper():
        raise ValueError("the extended XMP is not all there")
    maps = xmp_tools.parse_xmp(extension)
    disparity = _from_png64(maps["{" + _GDEPTH + "}Data"], max_megapixels)
    matte = _from_png64(maps[_OURS + "Matte"], max_megapixels)
    return _keep(matte, 65535 - disparity), {name: text for name, text in reference.items() if isinstance(text, str)}


def _from_png64(text: str, max_megapixels: float) -> NDArray[np.uint16]:
    from wideopen.files.containers import png
    from wideopen.files.decode_pillow import opencv_codes

    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("a map is no base64") from error
    header = png.read_header(data)
    if header.width * header.height > max_megapixels * 1e6 or header.bit_depth != 16:
        raise ValueError(f"a map of {header.width} x {header.height} at {header.bit_depth} bits")
    png.check_integrity(data)
    return opencv_codes(data)


def _from_sidecar(path: Path, max_megapixels: float) -> tuple[Keep, dict[str, str]] | None:
    import tifffile

    from wideopen.files.decode_tiff import quiet

    if not path.is_file():
        return None
    data = read_bytes(path, expected="the maps kept with a result")
    with quiet(), tifffile.TiffFile(BytesIO(data)) as file:
        stated: Any = json.loads(file.pages[0].description)
        if not isinstance(stated, dict) or "wideopen" not in stated or len(file.pages) != 2:
            raise ValueError(f"{path.name} is not as wideopen writes it")
        for page in file.pages:
            if page.imagewidth * page.imagelength > max_megapixels * 1e6 or page.dtype != np.uint16:
                raise ValueError(f"a map of {page.imagewidth} x {page.imagelength}, {page.dtype}")
        disparity, matte = (page.asarray() for page in file.pages)
    return _keep(matte, disparity), {name: text for name, text in stated.items() if isinstance(text, str)}


def _keep(matte: NDArray[np.uint16], disparity: NDArray[np.uint16]) -> Keep:
    if matte.ndim != 2 or matte.shape != disparity.shape or 0 in matte.shape:
        raise ValueError(f"matte {matte.shape} and disparity {disparity.shape}")
    white = np.float32(65535)
    return Keep(matte=matte.astype(np.float32) / white, disparity=disparity.astype(np.float32) / white)
