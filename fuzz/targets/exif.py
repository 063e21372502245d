"""EXIF blocks: read, set upright, signed, given a thumbnail, copied out of a TIFF; nothing is ever raised."""

from wideopen.files.containers import tiff


def seeds():
    """Blocks of both byte orders, one with a thumbnail."""
    little = tiff.with_tags(None, {tiff.ORIENTATION: (3, 1, b"\6\0"), 271: (2, 6, b"Maker\0")})
    yield tiff.with_thumbnail(little, b"\xff\xd8\xff\xd9")
    yield b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"
    inner = tiff.with_tags(None, {0xA002: (4, 1, b"\0\1\0\0"), 0x927C: (7, 8, b"a note!!")})
    yield tiff.with_tags(inner, {0x8769: (4, 1, b"\x08\0\0\0"), 0x8825: (4, 1, b"\x08\0\0\0")})


def check(data: bytes) -> None:
    """What is called for the EXIF of every photo."""
    block = tiff.strip_prefix(data)
    copied = tiff.exif_of_tiff(data)
    assert copied is None or len(copied) < 9 * 2**20
    if block is None:
        return
    tiff.orientation(block)
    tiff.adobe_rgb_hint(block)
    tiff.is_damaged(block)
    tiff.taken_in_portrait_mode(block)
    upright = tiff.upright(block, (30, 40))
    assert len(upright) <= len(block)
    assert tiff.orientation(upright) in (None, 1) or tiff.orientation(block) == tiff.orientation(upright)
    signed = tiff.signed(upright, "wideopen")
    assert tiff.signed(signed, "wideopen") == signed
    assert tiff.orientation(signed) == tiff.orientation(upright)
    tiff.upright(tiff.with_thumbnail(signed, b"\xff\xd8\xff\xd9"), (30, 40))
