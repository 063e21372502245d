"""Extended XMP: a packet over 64 KB, in pieces over several JPEG segments.

Reference: Adobe XMP Specification Part 3, 1.1.3.1. Each piece names the packet (32 hexadecimal digits), its full length
and the place of the piece in it. Nothing of that is trusted: pieces must cover the packet, without a gap or an overlap.
"""

import struct
from collections.abc import Sequence

from wideopen.checks import require

__all__ = ["joined"]

_GUID = 32


def joined(pieces: Sequence[bytes], guid: str) -> bytes:
    """Return the packet named `guid`; InvalidInput when its pieces do not make one.

    `pieces` are segments' payloads after their header. No more is allocated than the pieces hold.
    """
    own = [piece for piece in pieces if piece[:_GUID].upper() == guid.upper().encode("ascii", "replace")]
    own = [piece for piece in own if len(piece) > _GUID + 8]
    require(bool(own), "extended XMP: expected the packet that the photo's XMP names, found none of it")
    found = sorted((*struct.unpack_from(">II", piece, _GUID), piece[_GUID + 8 :]) for piece in own)
    full = {length for length, _, _ in found}
    require(len(full) == 1, f"extended XMP: expected one length in all pieces, found {len(full)}")
    (length,) = full
    at = 0
    for _, offset, body in found:
        require(offset == at, f"extended XMP: expected a piece at {at}, found one at {offset}")
        at += len(body)
    require(at == length, f"extended XMP: expected {length} bytes, found {at}")
    return b"".join(body for _, _, body in found)
