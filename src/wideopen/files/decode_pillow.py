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
from wideopen.files.containers import jpeg, png, tiff
from wideopen.files.containers.icc import image_to_srgb, profile_name
from wideopen.files.containers.isobmff import Items, parse_items, without_gain_map
from wideopen.files.formats import sniff
from wideopen.files.raster import HDR_TRANSFER, Facts, Raster, SizeCheck, guarded, several

_LOCK = threading.Lock()
_HEIC_CHROMA = {420: "4:2:0", 422: "4:2:2", 444: "4:4:4"}
_STRIP_ROWS = 512
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


def png_codes(data: bytes, check_size: SizeCheck) -> NDArray[Any]:
    """Return the codes of a PNG as `opencv_codes` does, in a third less time than Pillow; refuse a damaged one."""
    width, height, _ = png.read_header(data)
    check_size(width, height)
    png.check_integrity(data)
    return opencv_codes(data)


def raster_of_image(image: Image.Image, name: str) -> Raster:
    """Return the pixels of a loaded image, the ICC profile that describes them, and notes."""
    icc = image.info.get("icc_profile") or None
    if image.mode in ("CMYK", "LAB"):
        converted, note = image_to_srgb(image, icc)
        return Raster(codes=np.asarray(converted), format=name, notes=(note,))
    if image.mode.startswith("I"):  # "I;16" and its byte orders, or "I", 32 bits wide
        wide = np.asarray(image)
        require(int(wide.min()) >= 0 and int(wide.max()) <= 65535, "expected 8 or 16 bits, found 32")
        return Raster(codes=wide.astype(np.uint16), bit_depth=16, format=name, icc=icc)
    if image.mode == "F":
        return Raster(codes=np.asarray(image), bit_depth=32, format=name, icc=icc)
    alpha = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")  # the simplest that holds all of it
    plain = image if image.mode == mode else image.convert(mode)
    return Raster(codes=_array(plain), format=name, icc=icc)


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


def _decode(
    image: ImageFile.ImageFile, name: str, check_size: SizeCheck, *, deep: bytes = b"", bits: int = 8
) -> Raster:
    """Decode an opened file; the bytes of a `deep` one by OpenCV, which keeps `bits` and does not turn the picture."""
    check_size(*image.size)
    if deep:
        codes = opencv_codes(deep)
        bits = bits if codes.dtype == np.uint16 else 8
        raster = Raster(codes=codes, bit_depth=bits, format=name, icc=image.info.get("icc_profile") or None)
    else:
        image.load()
        raster = raster_of_image(image, name)
    raster = replace(raster, notes=several(getattr(image, "n_frames", 1)) + raster.notes)
    return raster.with_metadata(image.info.get("exif"), image.info.get("xmp"))


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
    return replace(raster, iptc=jpeg.iptc(image.info.get("photoshop")), jpeg=jpeg.coding(image))


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
    width, height, bit_depth = png.read_header(data)
    check_size(width, height)
    png.check_integrity(data)
    with strict_pillow():
        image = opened("PNG", data)
        deep = data if bit_depth == 16 else b""
        if deep:
            image.info.setdefault("exif", png.find_chunk(data, b"eXIf"))  # Pillow has not read chunks after the pixels
        raster = _decode(image, "PNG", check_size, deep=deep, bits=16)
    return replace(raster, cicp=png.cicp(data))


def _decode_webp(data: bytes, check_size: SizeCheck) -> Raster:
    if data[12:16] == b"VP8X" and len(data) >= 30:  # the decoder allocates this canvas when it is created
        width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
        check_size(width, height)
    with strict_pillow():
        return _decode(opened("WebP", data), "WebP", check_size)


def _decode_avif(data: bytes, check_size: SizeCheck) -> Raster:
    items, data = _items(data), without_gain_map(data)
    with strict_pillow():
        deep = data if items.bits > 8 else b""
        raster = _decode(opened("AVIF", data), "AVIF", check_size, deep=deep, bits=items.bits)
    return replace(raster, cicp=items.nclx_of(items.primary))


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
    return replace(raster.with_metadata(info.get("exif"), info.get("xmp")), orientation=None)


DECODERS = {"JPEG": _decode_jpeg, "PNG": _decode_png, "WebP": _decode_webp, "AVIF": _decode_avif, "HEIC": _decode_heic}


def facts_in(data: bytes) -> Facts | None:
    """Return the properties of the photo file `data` without decoding it; None if it is not of one of `DECODERS`."""
    name = sniff(data[:64]) or ""
    if name not in DECODERS:
        return None
    with guarded(f"damaged or incomplete {name} file"):
        with strict_pillow():
            file = opened(name, without_gain_map(data) if name == "AVIF" else data)
            (width, height), info = file.size, file.info
        block = tiff.strip_prefix(info.get("exif"))
        orientation = tiff.orientation(block) if block else None
        if orientation in (5, 6, 7, 8) and name != "HEIC":  # libheif turns the picture; EXIF only repeats it
            width, height = height, width
        bits = int(info.get("bit_depth", 8))
        if name == "PNG":
            (_, _, bits), cicp = png.read_header(data), png.cicp(data)
        else:
            items = _items(data) if name in ("AVIF", "HEIC") else Items()
            cicp, bits = items.nclx_of(items.primary), items.bits if name == "AVIF" else bits
        return Facts(
            format=name,
            width=width,
            height=height,
            bit_depth=bits,
            orientation=orientation,
            profile=profile_name(info.get("icc_profile")),
            portrait_mode=tiff.taken_in_portrait_mode(block),
            exif=block,
            hdr=HDR_TRANSFER.get(cicp[1]) if cicp else None,
        )
