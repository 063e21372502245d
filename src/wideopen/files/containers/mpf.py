"""Pictures appended to a JPEG: where the multi-picture directory says, or one after the other.

Reference: CIPA DC-007-2009, 5.2. Programs that edit the photo without knowing the directory leave its offsets wrong;
the pictures are then found by walking from the end of one to the beginning of the next.
"""

import struct

from wideopen.files.containers.jpeg_segments import JpegHead, image_end

__all__ = ["appended_pictures"]

_ENTRIES = 0xB002
_COUNT_LIMIT = 16  # each may cost a decoding; phones append up to 8
_SOI = b"\xff\xd8\xff"


def appended_pictures(data: bytes, head: JpegHead) -> tuple[list[bytes], list[str]]:
    """Return (the JPEGs behind the first, what was wrong with the directory).

    One that the file cuts short is returned as far as it goes: its decoder will say so.
    """
    if head.mpf is None:
        return [], []
    base = head.mpf.at + 4  # offsets count from the byte order mark
    places = dict.fromkeys(_directory(data[base : head.mpf.at + len(head.mpf.payload)]))  # each once
    wrong = [(offset, size) for offset, size in places if size < 4 or data[base + offset : base + offset + 3] != _SOI]
    if places and not wrong:
        return [data[base + offset : base + offset + size] for offset, size in places], []
    walked = _walk(data)
    if not places and not walked:
        return [], ["multi-picture directory: unreadable or without pictures"]
    return walked, ["multi-picture directory: points where no picture is; pictures were looked for one after the other"]


def _directory(tiff: bytes) -> list[tuple[int, int]]:
    """The (offset, size) of every picture but the first; empty when the directory is unreadable."""
    order = {b"MM": ">", b"II": "<"}.get(tiff[:2])
    try:
        if order is None:
            return []
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, first)
        for at in range(first + 2, first + 2 + 12 * min(count, _COUNT_LIMIT), 12):
            tag, _, length, value = struct.unpack_from(order + "HHII", tiff, at)
            if tag == _ENTRIES:
                number = min(length // 16, _COUNT_LIMIT)
                rows = [struct.unpack_from(order + "III", tiff, value + 16 * i) for i in range(number)]
                return [(offset, size) for _, size, offset in rows if offset]
    except struct.error:
        return []
    return []


def _walk(data: bytes) -> list[bytes]:
    pictures: list[bytes] = []
    end = image_end(data)
    while end is not None and len(pictures) < _COUNT_LIMIT:
        start = data.find(_SOI, end)
        if start < 0:
            break
        end = image_end(data, start)
        pictures.append(data[start:end])
    return pictures
