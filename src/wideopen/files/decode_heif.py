"""HEIC and HEIF into codes, at 8, 10 or 12 bits as they are stored.

libheif applies the rotation of the container. The EXIF orientation then only repeats it and must not
be applied again (ISO/IEC 23008-12, A.2.1.1); it is reset with the rest of the EXIF.
"""

from dataclasses import replace

import numpy as np

from wideopen.files.decode_pillow import strict_pillow, with_metadata
from wideopen.files.raster import Raster, SizeCheck

__all__ = ["decode_heif"]

_CHROMA = {420: "4:2:0", 422: "4:2:2", 444: "4:4:4"}


def decode_heif(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the primary picture of a HEIF file."""
    import pillow_heif

    with strict_pillow():
        file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        check_size(*file.size)
        codes = np.array(file)  # a copy: the decoder frees its own memory
    info = file.info
    nclx = info.get("nclx_profile")
    count = len(file)
    notes = (f"the file holds {count} pictures, the main one was read",) if count > 1 else ()
    raster = Raster(
        codes=codes,
        bit_depth=8 if codes.dtype == np.uint8 else int(info["bit_depth"]),
        format="HEIC",
        icc=info.get("icc_profile") or None,
        chroma=_CHROMA.get(info.get("chroma")),
        cicp=nclx and (nclx["color_primaries"], nclx["transfer_characteristics"]),
        notes=notes,
    )
    raster = with_metadata(raster, info.get("exif"), info.get("xmp"))
    return replace(raster, orientation=None)
