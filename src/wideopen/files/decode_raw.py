"""Camera raw files into linear light, by LibRaw (the extra raw).

A plain development: the camera's white balance, demosaicing, highlights clipped, no curve, and a gain
that leaves 0.1 % of the pixels clipped (LibRaw's own leaves 1 %, which takes the lights that make
bokeh). The result is 16-bit linear light in Display P3 primaries, upright.
"""

from io import BytesIO

import numpy as np

from wideopen.color import DISPLAY_P3, linear
from wideopen.files.containers.tiff import exif_of_tiff
from wideopen.files.metadata import exif as exif_tools
from wideopen.files.raster import Raster, SizeCheck

__all__ = ["decode_raw"]

_CLIPPED = 0.001


def decode_raw(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the photo of a raw file, developed."""
    import rawpy

    try:
        with rawpy.imread(BytesIO(data)) as raw:
            check_size(raw.sizes.width, raw.sizes.height)
            codes = raw.postprocess(
                gamma=(1, 1),
                output_bps=16,
                output_color=rawpy.ColorSpace.P3D65,
                use_camera_wb=True,
                auto_bright_thr=_CLIPPED,
            )
    except rawpy.LibRawError as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(reason) from error
    return Raster(
        codes=np.ascontiguousarray(codes),
        bit_depth=16,
        format="camera raw",
        exif=exif_tools.strip_prefix(exif_of_tiff(data)),
        encoding=linear(DISPLAY_P3),
        notes=("raw file developed plainly: the camera's white balance, no tone curve",),
    )
