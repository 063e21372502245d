"""EXIF: only orientation, size and thumbnail change; damaged blocks do no harm."""

import struct

import pytest
from PIL import Image
from sample_files import EXIF_IFD, GPS_IFD, exif_block, with_thumbnail

from wideopen.files.containers import tiff


def test_upright_changes_only_orientation_and_size():
    before = exif_block(6, size=(48, 64))
    after = tiff.upright(before, (64, 48))
    assert tiff.orientation(before) == 6
    assert tiff.orientation(after) == 1
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 3  # 6 -> 1, 48 <-> 64
    exif = Image.Exif()
    exif.load(after)
    assert (exif[271], exif[306]) == ("Maker", "2026:01:02 03:04:05")
    assert (exif.get_ifd(EXIF_IFD)[0xA002], exif.get_ifd(EXIF_IFD)[0xA003]) == (48, 64)
    assert exif.get_ifd(GPS_IFD)[1] == "N"


def test_the_thumbnail_of_the_sharp_photo_goes():
    thumbnail = b"\xff\xd8 a small sharp picture \xff\xd9"
    plain = exif_block(1)
    at_end = tiff.upright(with_thumbnail(plain, thumbnail), (48, 64))
    assert thumbnail not in at_end
    assert len(at_end) == len(plain)
    inside = tiff.upright(with_thumbnail(plain, thumbnail) + b"maker note", (48, 64))
    assert thumbnail not in inside
    assert inside.endswith(b"maker note")


def test_big_endian_blocks_are_read():
    block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"
    assert tiff.orientation(block) == 8
    assert tiff.orientation(tiff.upright(block, (2, 3))) == 1


@pytest.mark.parametrize("block", [None, b"", b"Exif\0\0", b"Exif\0\0garbage garbage", b"II*\0"])
def test_invalid_exif_is_dropped(block):
    assert tiff.strip_prefix(block) is None


def test_damaged_exif_is_recognised():
    good = with_thumbnail(exif_block(6), b"thumbnail")
    assert not tiff.is_damaged(good)
    assert not tiff.is_damaged(tiff.signed(good, "somebody"))
    assert tiff.is_damaged(exif_block(6)[:100])
    beyond = bytearray(good)
    order = "<" if good[:2] == b"II" else ">"
    struct.pack_into(order + "I", beyond, 8 + 2 + 8, len(good))  # the first value: the maker's name
    assert tiff.is_damaged(bytes(beyond))
    struct.pack_into(order + "I", beyond, 4, len(good))  # the first directory
    assert tiff.is_damaged(bytes(beyond))


def test_damaged_blocks_raise_nothing(rng):
    good = with_thumbnail(exif_block(6), b"thumbnail")
    for _ in range(2000):
        data = bytearray(good[: rng.integers(14, len(good) + 1)])
        for at in rng.integers(4, len(data), 3):
            data[at] = rng.integers(0, 256)
        tiff.orientation(bytes(data))
        tiff.adobe_rgb_hint(bytes(data))
        assert len(tiff.upright(bytes(data), (3, 4))) <= len(data)
