"""PNG chunks: header, checksums, colours and added chunks; only ValueError, for files that are not PNG."""

import struct
import zlib

from wideopen.files.containers import png


def seeds():
    """A small PNG, and one with colours, XMP and EXIF named."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n"
    for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\1\2\3")), (b"IEND", b"")):
        body += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    yield body
    chunks = [(b"cICP", b"\x0c\x0d\0\1"), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"), (b"eXIf", b"II*\0")]
    yield b"".join(png.with_chunks(body, chunks))


def check(data: bytes) -> None:
    """What is called for every PNG, in the same order."""
    try:
        header = png.read_header(data)
        assert min(header) >= 0
        png.check_integrity(data)
        png.cicp(data)
        png.find_chunk(data, b"eXIf")
    except ValueError:
        return
    added = b"".join(png.with_chunks(data, [(b"eXIf", b"II*\0")]))
    png.check_integrity(added)
    assert png.read_header(added) == header
