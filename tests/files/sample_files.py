"""Pictures and profiles that the tests of files share; all made here, none from disk."""

import struct

import numpy as np
from PIL import Image

EXIF_IFD, GPS_IFD = 0x8769, 0x8825


def smooth(height, width):
    """Return (H, W, 3) uint8: gradients that lossy formats keep within a few codes."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x / max(width - 1, 1), y / max(height - 1, 1), (x + y) / max(width + height - 2, 1)]
    return np.rint(40 + 170 * np.stack(channels, axis=-1)).astype(np.uint8)


def exif_block(orientation, size=(48, 64)):
    """Return an EXIF block as cameras write it, from its TIFF header on."""
    exif = Image.Exif()
    exif[271], exif[272], exif[306] = "Maker", "Model 7", "2026:01:02 03:04:05"
    exif[274] = orientation
    inner = exif.get_ifd(EXIF_IFD)
    inner[0xA002], inner[0xA003] = size[1], size[0]
    inner[33434] = 0.01  # exposure time
    exif.get_ifd(GPS_IFD)[1] = "N"
    return exif.tobytes().removeprefix(b"Exif\0\0")


def with_thumbnail(exif, thumbnail):
    """Return `exif` with a second directory that holds `thumbnail` at the end."""
    out = bytearray(exif)
    order = "<" if out[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", out, 4)
    (count,) = struct.unpack_from(order + "H", out, first)
    struct.pack_into(order + "I", out, first + 2 + 12 * count, len(out))
    data_at = len(out) + 2 + 24 + 4
    out += struct.pack(order + "H", 2)
    out += struct.pack(order + "HHII", 0x0201, 4, 1, data_at)
    out += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    return bytes(out + bytes(4) + thumbnail)


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" xmp:Rating="4"/></x:xmpmeta>'
