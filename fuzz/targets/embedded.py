"""Depth and mattes inside photos: each of their parsers, with files to start from.

A parser takes any bytes and must return, or raise InvalidInput with one line; nothing else is ever right.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from embedded_files import (
    DEPTH_DATA,
    GDEPTH,
    GUID,
    disparity_xmp,
    dynamic_depth,
    gdepth,
    gdepth_extended,
    gdepth_fields,
    heic,
    iphone_heic,
    jpeg,
    multi_picture,
    photo,
    pieces,
    png,
    scene,
    slope,
    with_xmp,
    xmp,
)
from hdr_files import apple_jpeg, hdrgm, heic_with_tmap, iso, ultra_hdr
from wideopen.color import DISPLAY_P3
from wideopen.errors import InvalidInput
from wideopen.files.containers.icc import build_profile
from wideopen.files.containers.isobmff import parse_items
from wideopen.files.containers.jpeg import JpegHead, Segment, appended_pictures, extended_xmp, image_end, read_head
from wideopen.files.containers.tiff import apple_gain
from wideopen.files.containers.xmp import parse_xmp
from wideopen.files.decode_pillow import facts_in
from wideopen.files.gain_metadata import Description, read_hdrgm, read_iso
from wideopen.files.inside import embedded_in
from wideopen.files.inside.apple import auxiliary_kind, part_of
from wideopen.files.inside.gain_maps import apple_headroom, find_gain_map
from wideopen.files.inside.google import read_dynamic_depth, read_gdepth
from wideopen.files.inside.parts import Findings

CODES = slope(6, 8)
SPLIT = b"\0--\0"


Parser = Callable[[bytes], object]
Seeds = Callable[[], list[bytes]]


def one_line(parser: Parser, data: bytes) -> None:
    """Feed `data` to a parser; whatever this raises is a bug."""
    try:
        parser(data)
    except InvalidInput as error:
        message = str(error)
    else:
        return
    assert "\n" not in message
    assert len(message) < 1000


def _apple(data: bytes) -> None:
    properties = parse_xmp(data)
    auxiliary_kind(properties)
    part = part_of("depth", CODES, properties, container="a")
    assert part.values.shape == CODES.shape
    assert np.isfinite(part.values).all()


def _gdepth(data: bytes) -> None:
    found = Findings()
    read_gdepth(parse_xmp(data), found)
    for part in found.parts:
        assert part.values.dtype == np.float32


def _head(data: bytes) -> None:
    image_end(data)
    image_end(data, 7)
    head = read_head(data)
    assert 1 <= head.orientation <= 8


def _mpf(data: bytes) -> None:
    head = JpegHead((1, 1), 1, None, (), Segment(0xE2, 0, data))
    for picture in appended_pictures(data, head)[0]:
        assert len(picture) <= len(data)


def _items(data: bytes) -> None:
    items = parse_items(data)
    for item in items.auxiliary():
        items.xmp_of(item)
        items.turns(item)
    assert sum(map(len, items.payloads.values())) <= 64 * len(data)


def _whole(data: bytes) -> None:
    found = embedded_in(data)
    for values in (found.portrait_matte, *found.semantic.values()):
        assert values is None or (values.min() >= 0 and values.max() <= 1)
    if found.depth is not None:
        assert np.isfinite(found.depth.values).any()
        assert not np.isinf(found.depth.values).any()


def _dynamic(data: bytes) -> None:
    packet, _, file = data.partition(SPLIT)
    found = Findings()
    read_dynamic_depth(file, parse_xmp(packet), found)
    for part in found.parts:
        assert part.values.dtype == np.float32


def _described(description: Description | None) -> None:
    if description is not None:
        assert np.isfinite(description.gain_map(CODES).log2).all()


def _gain_map(data: bytes) -> None:
    found = find_gain_map(data, data)
    assert (found.gain is None) != (found.kind != "")
    assert 1 <= found.headroom <= 1024
    if found.gain is not None:
        assert np.abs(found.gain.log2).max() <= 10


def _maker_note(data: bytes) -> None:
    values, headroom = apple_gain(data), apple_headroom(data)
    assert (values is None) == (headroom is None)
    assert headroom is None or 1 <= headroom <= 1024


def _gain_maps() -> list[bytes]:
    main = jpeg(scene(12, 16))
    return [
        ultra_hdr(main, CODES),
        ultra_hdr(main, CODES, hdrgm(high=[1, 2, 3]), iso(high=[1, 2, 3])),
        apple_jpeg(main, CODES),
        heic_with_tmap(scene(12, 16), CODES, iso()),
    ]


def _noted() -> list[bytes]:
    """EXIF with Apple's maker note, which holds the two tags of a headroom."""
    note = b"Apple iOS\0\0\x01MM\0\x02" + bytes.fromhex("0021000a0000000100000030 0030000a0000000100000038 00000000")
    note = note.ljust(48, b"\0") + bytes.fromhex("00000003000000020000000100000064")
    head = bytes.fromhex("4d4d002a00000008 0001 8769000400000001 0000001a 00000000")
    return [
        head + bytes.fromhex("0001 927c0007") + len(note).to_bytes(4, "big") + bytes.fromhex("0000002c 00000000") + note
    ]


def _facts(data: bytes) -> None:
    facts = facts_in(data)
    assert facts is None or (facts.width > 0 and facts.height > 0)


def _packets() -> list[bytes]:
    space = f'xmlns:GDepth="{GDEPTH}" xmlns:dd="{DEPTH_DATA}"'
    struct = '<dd:a rdf:parseType="Resource"><dd:b>1</dd:b></dd:a><dd:c><rdf:Seq><rdf:li>2</rdf:li></rdf:Seq></dd:c>'
    return [disparity_xmp(), disparity_xmp(AuxiliaryImageType="depth"), xmp(gdepth_fields(png(CODES)), struct, space)]


def _photos() -> list[bytes]:
    main = photo(12, 16, orientation=6)
    directory = multi_picture(main, with_xmp(jpeg(CODES), disparity_xmp()), jpeg(scene(6, 8)))
    return [
        directory,
        gdepth(png(CODES), main=main),
        gdepth_extended(png(CODES), size=200, main=main),
        dynamic_depth(png(CODES), png(CODES), main=main),
    ]


def marked() -> bytes:
    """A JPEG with a profile, and EXIF as an iPhone's portrait mode has it."""
    exif = Image.Exif()
    exif[274] = 6
    exif.get_ifd(0x8769)[0xA401] = 8
    return jpeg(CODES, exif=exif, icc_profile=build_profile(DISPLAY_P3))


def _listed() -> bytes:
    """Dynamic Depth's list of pictures, and the file that holds them."""
    data = dynamic_depth(png(CODES), png(CODES), main=photo(6, 8), padding=2)
    packet = read_head(data).xmp
    assert packet is not None
    return packet + SPLIT + data


def _directory() -> bytes:
    data = multi_picture(photo(6, 8), jpeg(CODES))
    return data[data.index(b"MPF\0") :]


PARSERS: dict[str, tuple[Parser, Seeds]] = {
    "xmp": (parse_xmp, _packets),
    "extended_xmp": (
        lambda data: extended_xmp(data.split(SPLIT), GUID),
        lambda: [SPLIT.join(pieces(b"<x>" + bytes(90), size=40))],
    ),
    "apple": (_apple, _packets),
    "gdepth": (_gdepth, _packets),
    "dynamic_depth": (_dynamic, lambda: [_listed()]),
    "jpeg_head": (_head, lambda: [photo(6, 8, orientation=3), *_photos()]),
    "mpf": (_mpf, lambda: [_directory()]),
    "heif_items": (_items, lambda: [iphone_heic(12, 16, CODES), heic(scene(6, 8), turns=1)]),
    "jpeg": (_whole, _photos),
    "facts": (_facts, lambda: [*_photos()[:2], iphone_heic(12, 16, CODES), png(CODES), marked()]),
    "gain_iso": (lambda data: _described(read_iso(data)), lambda: [iso(), iso(common=True), iso(high=[1, 2, 3])]),
    "gain_hdrgm": (lambda data: _described(read_hdrgm(parse_xmp(data))), lambda: [hdrgm(), hdrgm(high=[1, 2, 3])]),
    "gain_map": (_gain_map, _gain_maps),
    "maker_note": (_maker_note, _noted),
    "heic": (_whole, lambda: [iphone_heic(12, 16, CODES, turns=1)]),
}
