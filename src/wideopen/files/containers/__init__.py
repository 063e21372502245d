"""The layout of photo files and their blocks: JPEG segments, PNG chunks, TIFF, HEIF boxes, EXIF, XMP and ICC."""

from typing import TypeAlias

Pieces: TypeAlias = list[bytes | memoryview]  # of a file, in order
