"""Decoders for JPEG, PNG, WebP, AVIF and HEIC: Pillow and pillow-heif; OpenCV above 8 bits.

Pillow's classes are called directly, because `Image.open` applies its own global size limit and accepts formats that
are not supported here.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.color_managed import image_to_srgb
from wideopen.files.containers import jpeg, png
from wideopen.files.containers.isobmff import Items, parse_items
from wideopen.files.metadata import exif as exif_tools
from wideopen.files.raster import Raster, SizeCheck, several

_LOCK = threading.Lock()
_HEIC_CHROMA = {420: "4:2:0", 422: "4:2:2", 444: "4:4:4"}
_STRIP_ROWS = 64
_BLOCK, _GREY = 8, 128  # missing blocks of a JPEG become grey
_MOST_MISSING = 0.1  # share of the rows; with more missing, the photo is refused
_PILLOWS_PIXELS = 1024**3 // 4 // 3  # Pillow's limit; it refuses twice as many, also in crops (Pillow 12)


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Make Pillow refuse truncated files, silence its warnings and fix its size limit, whatever the program has set.

    These settings are global, so only one thread runs at a time.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, _PILLOWS_PIXELS
        try:
            yield
        except Image.DecompressionBombError as error:  # raised by TIFF's own check; not a ValueError
            raise ValueError(str(error)) from error
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = lenient, most


def opened(name: str, data: bytes) -> Any:
    """Return a picture file as opened by Pillow or pillow-heif, not yet decoded. Needs `strict_pillow`."""
    if name == "HEIC":
        import pillow_heif

        return pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    from PIL import AvifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    kinds = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "WebP": WebPImagePlugin.WebPImageFile,
        "AVIF": AvifImagePlugin.AvifImageFile,
    }
    return kinds[name](BytesIO(data))


def opencv_codes(data: bytes) -> NDArray[Any]:
    """Return the codes (H, W[, 3 or 4]) of an encoded picture in RGB order, at their stored depth."""
    import cv2

    try:
        codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(str(error)) from error
    if codes is None:
        raise ValueError("its pixels cannot be decoded")
    swap = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    if codes.ndim == 3:
        codes = cv2.cvtColor(codes, swap[codes.shape[2]])
    return np.asarray(codes)


def codes_of_image(image: Image.Image) -> tuple[NDArray[Any], int, bytes | None, tuple[str, ...]]:
    """Return (codes, bit depth, the ICC profile that describes them, notes) of a loaded image."""
    icc = image.info.get("icc_profile") or None
    if image.mode in ("CMYK", "LAB"):
        converted, note = image_to_srgb(image, icc)
        return np.asarray(converted), 8, None, (note,)
    if image.mode.startswith("I"):  # "I;16" and its byte orders, or "I", 32 bits wide
        wide = np.asarray(image)
        require(int(wide.min()) >= 0 and int(wide.max()) <= 65535, "expected 8 or 16 bits, found 32")
        return wide.astype(np.uint16), 16, icc, ()
    if image.mode == "F":
        return np.asarray(image), 32, icc, ()
    mode = _plain_mode(image)
    plain = image if image.mode == mode else image.convert(mode)
    return _array(plain), 8, icc, ()


def _array(image: Image.Image) -> NDArray[Any]:
    """Return `np.asarray(image)`, made in strips to avoid two temporary copies.

    12 megapixels RGB take 14 ms instead of 50, and 36 MB less.
    """
    width, height = image.size
    bands = len(image.getbands())
    codes = np.empty((height, width) if bands == 1 else (height, width, bands), np.uint8)
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, height)
        codes[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return codes


def _plain_mode(image: Image.Image) -> str:
    """Return the simplest of L, LA, RGB, RGBA that holds all of an 8-bit image."""
    alpha = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    grey = image.mode in ("1", "L", "LA", "La")
    return ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")


def _decode(image: ImageFile.ImageFile, name: str, check_size: SizeCheck) -> Raster:
    check_size(*image.size)
    image.load()
    codes, bit_depth, icc, notes = codes_of_image(image)
    raster = Raster(codes=codes, bit_depth=bit_depth, format=name, icc=icc, notes=_count(image) + notes)
    return with_metadata(raster, image.info.get("exif"), image.info.get("xmp"))


def _count(image: Image.Image) -> tuple[str, ...]:
    return several(getattr(image, "n_frames", 1))


def with_metadata(raster: Raster, exif: bytes | None, xmp: bytes | str | None) -> Raster:
    """Return `raster` with the EXIF and XMP of its file, and the orientation in the EXIF."""
    body = exif_tools.strip_prefix(exif)
    notes: tuple[str, ...] = ("EXIF unreadable, dropped",) if exif and body is None else ()
    if body is not None and exif_tools.is_damaged(body):
        notes = ("EXIF is damaged: some of its tags point outside of it; what is sound is used",)
    return raster.noted(
        *notes,
        exif=body,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
        orientation=exif_tools.orientation(body) if body else None,
    )


def _decode_jpeg(data: bytes, check_size: SizeCheck) -> Raster:
    with strict_pillow():
        image = opened("JPEG", data)
        try:
            raster = _decode(image, "JPEG", check_size)
        except OSError as error:
            if "truncated" not in str(error):
                raise
            image = opened("JPEG", data)
            raster = _cut_short(image, check_size, error)
    raster = replace(raster, iptc=jpeg.iptc(image.info.get("photoshop")), jpeg=jpeg.coding(image))
    if "mp" not in image.info:
        return raster
    return raster.noted("pictures stored behind the photo (gain map, preview) are not kept")


def _cut_short(image: Any, check_size: SizeCheck, error: OSError) -> Raster:
    """Return the readable part of a truncated JPEG, with a note; raise `error` if it is too small.

    The missing part is grey. A progressive file lacks detail everywhere, which its pixels do not show.
    """
    if "progressive" in image.info or image.mode not in ("L", "RGB"):
        raise error
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # `strict_pillow` holds the lock and resets it
    raster = _decode(image, "JPEG", check_size)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    height = len(raster.codes)
    corner = raster.codes[:, -_BLOCK:].reshape(height, -1)
    sound = np.flatnonzero((corner != _GREY).any(axis=1))
    missing = height - 1 - int(sound[-1]) if len(sound) else height
    if missing > _MOST_MISSING * height:
        raise error
    return raster.noted(f"the file is cut short: {missing} of {height} rows at its end are missing or incomplete, grey")


def _decode_png(data: bytes, check_size: SizeCheck) -> Raster:
    header = png.read_header(data)
    check_size(header.width, header.height)
    png.check_integrity(data)
    with strict_pillow():
        image = opened("PNG", data)
        if header.bit_depth < 16:
            raster = _decode(image, "PNG", check_size)
        else:
            image.info.setdefault("exif", png.find_chunk(data, b"eXIf"))  # Pillow has not read chunks after the pixels
            raster = _deep(data, image, "PNG", 16)
    return replace(raster, cicp=png.cicp(data))


def _decode_webp(data: bytes, check_size: SizeCheck) -> Raster:
    if data[12:16] == b"VP8X" and len(data) >= 30:  # the decoder allocates this canvas when it is created
        width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
        check_size(width, height)
    with strict_pillow():
        return _decode(opened("WebP", data), "WebP", check_size)


def _decode_avif(data: bytes, check_size: SizeCheck) -> Raster:
    bits = avif_bits(data)
    with strict_pillow():
        image = opened("AVIF", data)
        if bits > 8:
            check_size(*image.size)
            raster = _deep(data, image, "AVIF", bits)
        else:
            raster = _decode(image, "AVIF", check_size)
    return replace(raster, cicp=_nclx(data))


def _deep(data: bytes, image: ImageFile.ImageFile, name: str, bits: int) -> Raster:
    """Decode more than 8 bits by OpenCV, which does not rotate the picture; Pillow reads the metadata."""
    codes = opencv_codes(data)
    raster = Raster(
        codes=codes,
        bit_depth=bits if codes.dtype == np.uint16 else 8,
        format=name,
        icc=image.info.get("icc_profile") or None,
        notes=_count(image),
    )
    return with_metadata(raster, image.info.get("exif"), image.info.get("xmp"))


def avif_bits(data: bytes) -> int:
    """Return the bits per channel in an AVIF file's header; 8 if it has none."""
    items = _items(data)
    bits = items.property_of(items.primary, b"pixi")
    return bits[5] if bits is not None and len(bits) > 5 else 8


def _nclx(data: bytes) -> tuple[int, int] | None:
    items = _items(data)
    found = items.property_of(items.primary, b"colr", b"nclx")
    if found is None or len(found) < 8:
        return None
    return int.from_bytes(found[4:6], "big"), int.from_bytes(found[6:8], "big")


def _items(data: bytes) -> Items:
    try:
        return parse_items(data)
    except InvalidInput:
        return Items()


def _decode_heic(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the primary picture, at its stored depth of 8, 10 or 12 bits.

    libheif applies the rotation of the container. The EXIF orientation only repeats it and must not be applied again
    (ISO/IEC 23008-12, A.2.1.1); it is reset with the rest of the EXIF.
    """
    with strict_pillow():
        file = opened("HEIC", data)
        check_size(*file.size)
        codes = np.array(file)  # a copy: the decoder frees its own memory
    info = file.info
    nclx = info.get("nclx_profile")
    raster = Raster(
        codes=codes,
        bit_depth=8 if codes.dtype == np.uint8 else int(info["bit_depth"]),
        format="HEIC",
        icc=info.get("icc_profile") or None,
        chroma=_HEIC_CHROMA.get(info.get("chroma")),
        cicp=nclx and (nclx["color_primaries"], nclx["transfer_characteristics"]),
        notes=several(len(file), "main one"),
    )
    return replace(with_metadata(raster, info.get("exif"), info.get("xmp")), orientation=None)


DECODERS = {
    "JPEG": _decode_jpeg,
    "PNG": _decode_png,
    "WebP": _decode_webp,
    "AVIF": _decode_avif,
    "HEIC": _decode_heic,
}
