"""Reading and writing of photo files and maps. Decoders are imported on demand."""

from wideopen.files.maps import read_depth_m, read_disparity, read_matte, write_map
from wideopen.files.read import read
from wideopen.files.refocusable import Keep, Kept, read_kept
from wideopen.files.write import check_output, write
from wideopen.photo import Metadata, Photo, srgb_u8

__all__ = [
    "Keep", "Kept", "Metadata", "Photo", "check_output", "read", "read_depth_m", "read_disparity", "read_kept",
    "read_matte", "srgb_u8", "write", "write_map",
]  # fmt: skip
