"""GDepth, with and without extended XMP, and Dynamic Depth: values, units, and bad files."""

import base64

import numpy as np
import pytest
from numpy.testing import assert_allclose

from embedded_files import (
    GDEPTH,
    GUID,
    disparity_xmp,
    dynamic_depth,
    gdepth,
    gdepth_extended,
    jpeg,
    multi_picture,
    photo,
    pieces,
    png,
    slope,
    with_xmp,
    xmp,
)
from wideopen.files.inside import embedded_in

CODES = slope()
N = CODES / 255
NEAR, FAR = 0.5, 5.0
DEPTH_INVERSE = FAR * NEAR / (FAR - N * (FAR - NEAR))  # as the specification prints it
DEPTH_LINEAR = NEAR + N * (FAR - NEAR)
SPACE = f'xmlns:GDepth="{GDEPTH}" xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'


def values_of(data, kind, name="GDepth"):
    found = embedded_in(data)
    assert found.ignored == ()
    assert (found.depth.kind, found.depth.name) == (kind, name)
    return found.depth.values


def refused(data):
    found = embedded_in(data)
    assert found.depth is None
    (line,) = found.ignored
    assert "\n" not in line
    assert len(line) < 250
    return line


def test_range_inverse_is_disparity():
    assert_allclose(values_of(gdepth(png(CODES)), "disparity"), 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)


def test_range_linear_is_metres():
    values = values_of(gdepth(png(CODES), Format="RangeLinear"), "depth_m")
    assert_allclose(values, DEPTH_LINEAR, rtol=0, atol=1e-6)


def test_millimetres_become_metres():
    values = values_of(gdepth(png(CODES), Format="RangeLinear", Near="500", Far="5000", Units="mm"), "depth_m")
    assert_allclose(values, DEPTH_LINEAR, rtol=0, atol=1e-5)
    values = values_of(gdepth(png(CODES), Near="500", Far="5000", Units="mm"), "disparity")
    assert_allclose(values, 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)


@pytest.mark.parametrize("style", ["RangeInverse", "RangeLinear"])
def test_without_units_depth_is_relative(style):
    values = values_of(gdepth(png(CODES), Format=style, Units=None), "relative_disparity")
    want = 1 / (DEPTH_INVERSE if style == "RangeInverse" else DEPTH_LINEAR)
    assert_allclose(values, want, rtol=0, atol=1e-6)


def test_an_infinite_far_end_has_disparity_0():
    values = values_of(gdepth(png(CODES), Far="inf"), "disparity")
    assert_allclose(values, (1 - N) / NEAR, rtol=0, atol=1e-6)


def test_sixteen_bits_are_kept():
    deep = CODES.astype(np.uint16) * 257 + 100 * (CODES == 0).astype(np.uint16)
    values = values_of(gdepth(png(deep), Format="RangeLinear"), "depth_m")
    assert_allclose(values, NEAR + deep / 65535 * (FAR - NEAR), rtol=0, atol=1e-6)


def test_a_jpeg_and_a_grey_picture_in_three_channels():
    values = values_of(gdepth(jpeg(CODES), Mime="image/jpeg"), "disparity")
    assert_allclose(values, 1 / DEPTH_INVERSE, rtol=0, atol=0.02)
    values = values_of(gdepth(png(np.dstack([CODES] * 3))), "disparity")
    assert_allclose(values, 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)
    assert "found colours" in refused(gdepth(png(np.dstack([CODES, CODES, 255 - CODES]))))


@pytest.mark.parametrize("orientation", [3, 6])
def test_the_map_turns_with_the_photo(orientation):
    values = values_of(gdepth(png(CODES), main=photo(orientation=orientation)), "disparity")
    assert_allclose(values, np.rot90(1 / DEPTH_INVERSE, {3: 2, 6: -1}[orientation]), rtol=0, atol=1e-6)


def test_depth_without_confidence_is_nan():
    confidence = np.where(CODES > 200, 0, 90).astype(np.uint8)
    text = base64.b64encode(png(confidence)).decode()
    values = values_of(gdepth(png(CODES), Confidence=text), "disparity")
    assert (np.isnan(values) == (CODES > 200)).all()
    for bad in (png(confidence[:-1]), png(confidence * 0), b"no picture"):
        found = embedded_in(gdepth(png(CODES), Confidence=base64.b64encode(bad).decode()))
        assert found.ignored[0].startswith("GDepth confidence: expected")
        assert np.isfinite(found.depth.values).all()


def test_data_with_line_breaks_and_without_padding_are_read():
    text = base64.b64encode(png(CODES)).decode().rstrip("=")
    body = f"<GDepth:Data>{text[:50]}\n  {text[50:]}</GDepth:Data>"
    packet = xmp('GDepth:Near="0.5" GDepth:Far="5" GDepth:Units="m"', body, SPACE)
    assert_allclose(values_of(with_xmp(photo(), packet), "disparity"), 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Format": "RangeLog"}, "expected RangeInverse or RangeLinear, found 'RangeLog'"),
        ({"Near": None}, "expected Near and Far, found none"),
        ({"Far": "far away"}, "expected Near and Far, found none"),
        ({"Near": "0"}, "expected 0 < Near < Far, found Near 0, Far 5"),
        ({"Near": "6"}, "expected 0 < Near < Far, found Near 6, Far 5"),
        ({"Near": "nan"}, "expected 0 < Near < Far, found Near nan, Far 5"),
        ({"Near": "-1", "Units": None}, "expected 0 < Near < Far"),
        ({"Format": "RangeLinear", "Far": "inf"}, "expected finite Near and Far for RangeLinear"),
        ({"Units": "furlongs"}, "expected a unit of length, found 'furlongs'"),
    ],
)
def test_impossible_ranges_are_refused(fields, message):
    assert message in refused(gdepth(png(CODES), **fields))


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (png(CODES)[:70], "damaged or incomplete PNG"),
        (jpeg(CODES)[:-30], "damaged or incomplete JPEG"),
        (b"GIF89a", "expected a JPEG or PNG, found neither"),
        (b"", "GDepth: its properties without their data"),
        (png(slope(24, 40)), "expected the aspect of the photo, 64 x 48, found 40 x 24"),
    ],
)
def test_invalid_pictures_are_refused(picture, message):
    assert message in refused(gdepth(picture))


def test_a_png_with_a_wrong_checksum_is_refused():
    picture = bytearray(png(CODES))
    picture[picture.index(b"IEND") - 5] ^= 1  # of the pixels' checksum
    assert "wrong checksum in IDAT" in refused(gdepth(bytes(picture)))


def test_extended_xmp_in_pieces_is_joined():
    assert_allclose(values_of(gdepth_extended(png(CODES)), "disparity"), 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)


def test_pieces_in_any_order_are_joined_without_those_of_another_packet():
    def spoil(bodies):
        stranger = pieces(b"<a>" + bytes(100), guid="F" * 32)
        return [*stranger, *reversed(bodies)]

    values = values_of(gdepth_extended(png(CODES), size=300, spoil=spoil), "disparity")
    assert_allclose(values, 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)


def changed(body, at, number):
    return body[: 32 + at] + number.to_bytes(4, "big") + body[36 + at :]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p[:0], "found none of it"),
        (lambda p: p[1:], "expected a piece at 0"),
        (lambda p: p[:1] + p[2:], "expected a piece at 200"),
        (lambda p: p[:-1], "bytes, found"),
        (lambda p: [*p, p[1]], "expected a piece at 400"),
        (lambda p: [changed(p[0], 0, 2**32 - 1), *p[1:]], "expected one length in all pieces, found 2"),
        (lambda p: [changed(body, 0, 2**32 - 1) for body in p], "expected 4294967295 bytes, found"),
        (lambda p: [changed(body, 4, 2**32 - 1) for body in p], "expected a piece at 0, found one at 4294967295"),
        (lambda p: [body[:36] for body in p], "found none of it"),
    ],
)
def test_contradictory_extended_xmp_is_refused(spoil, message):
    found = embedded_in(gdepth_extended(png(CODES), size=200, spoil=spoil))
    assert found.depth is None
    assert message in found.ignored[0]
    assert found.ignored[1] == "GDepth: its properties without their data"


def test_a_missing_or_unreadable_extension_is_reported():
    packet = xmp('GDepth:Near="1" xmpNote:HasExtendedXMP="Ω"', namespaces=SPACE)
    assert "found none of it" in embedded_in(with_xmp(photo(), packet, GUID.encode() + bytes(20))).ignored[0]


BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "prologue",
    [BOMB, b"<!DOCTYPE x>", b'<!DOCTYPE x SYSTEM "file:///etc/passwd">', b'<!DOCTYPE x [<!ENTITY e SYSTEM "x">]>'],
)
def test_document_types_are_refused(prologue):
    packet = gdepth(png(CODES))
    data = packet.replace(b"<x:xmpmeta", prologue + b"<x:xmpmeta", 1)
    at = data.index(b"http://ns.adobe.com/xap") - 2
    data = data[:at] + (int.from_bytes(data[at : at + 2], "big") + len(prologue)).to_bytes(2, "big") + data[at + 2 :]
    assert refused(data) == "XMP: expected no document type, found one (it could hold an entity bomb)"


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"<a>" * 5000 + b"</a>" * 5000, "expected at most 40 levels"),
        (b"<r>" + b"<a/>" * 15000 + b"</r>", None),
        (b"<r>" + b"<a/>" * 25000 + b"</r>", "expected at most 20000 elements"),
        (b"<x>&undefined;</x>", "XMP: unreadable"),
        (b"\xff\xfe<\0x", "XMP: unreadable"),
        (b"", "XMP: unreadable"),
        (b'<?xml version="1.0" encoding="klingon"?><x/>', "XMP: unreadable"),
        (b"<x><y></x>", "XMP: unreadable"),
    ],
)
def test_invalid_xmp_is_refused(packet, message):
    from wideopen.errors import InvalidInput
    from wideopen.files.containers.xmp import parse_xmp

    if message is None:
        assert parse_xmp(packet) == {}
        return
    with pytest.raises(InvalidInput, match=message):
        parse_xmp(packet)


def test_a_wrong_segment_length_loses_only_the_depth():
    data = bytearray(gdepth(png(CODES)))
    at = data.index(b"http://ns.adobe.com/xap") - 2
    for length in (0, 1, 2, 40, 65535):
        data[at : at + 2] = length.to_bytes(2, "big")
        assert embedded_in(bytes(data)).depth is None


@pytest.mark.parametrize("picture", [png(CODES), png(CODES.astype(np.uint16) * 257)])
def test_dynamic_depth_is_read(picture):
    values = values_of(dynamic_depth(picture), "disparity", "Dynamic Depth")
    assert_allclose(values, 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)


def test_dynamic_depth_with_confidence_and_padding_is_read():
    confidence = np.where(CODES > 200, 0, 90).astype(np.uint8)
    data = dynamic_depth(png(CODES), png(confidence), padding=11)
    values = values_of(data, "disparity", "Dynamic Depth")
    assert (np.isnan(values) == (CODES > 200)).all()


def test_dynamic_depth_in_diopters_and_without_units_is_read():
    data = dynamic_depth(png(CODES), Format="RangeLinear", Near=4, Far=0.5, Units="Diopters")
    assert_allclose(values_of(data, "disparity", "Dynamic Depth"), 4 - N * 3.5, rtol=0, atol=1e-6)
    data = dynamic_depth(png(CODES), Units="None")
    values = values_of(data, "relative_disparity", "Dynamic Depth")
    assert_allclose(values, 1 / DEPTH_INVERSE, rtol=0, atol=1e-6)
    bad = dynamic_depth(png(CODES), Near=0.5, Far=4, Units="Diopters")
    assert refused(bad) == "Dynamic Depth: expected Near > Far >= 0 in diopters, found Near 0.5, Far 4"
    bad = dynamic_depth(png(CODES), Near=4, Far=0, Units="Diopters")
    assert "expected Near and Far above 0 for RangeInverse" in refused(bad)


def test_dynamic_depth_lists_other_items():
    found = embedded_in(dynamic_depth(png(CODES), ItemSemantic="Segmentation"))
    assert found.depth is None
    assert found.others == ("Dynamic Depth segmentation: not a depth map",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": [10**9]}, "expected an item of 1000000000 bytes, found"),
        ({"lengths": [0]}, "expected an item of 0 bytes"),
        ({"lengths": [-5]}, "expected a length for Length, found -5"),
        ({"lengths": ["1e300"]}, "expected a length for Length"),
        ({"lengths": [100]}, "damaged or incomplete PNG"),
        ({"DepthURI": "elsewhere"}, "expected an item 'elsewhere' in the directory, found none"),
        ({"padding": 3, "Near": "x"}, "expected Near and Far, found none"),
    ],
)
def test_contradictory_dynamic_depth_is_refused(options, message):
    assert message in refused(dynamic_depth(png(CODES), **options))


def test_thousands_of_maps_in_one_picture_are_not_all_decoded(monkeypatch):
    decoded = []
    monkeypatch.setattr("wideopen.files.inside.google.grey_picture", lambda data: decoded.append(len(data)) or CODES)
    found = embedded_in(dynamic_depth(png(CODES), cameras=200))
    assert len(decoded) == 8
    assert found.depth is not None
    assert found.ignored == ("Dynamic Depth: expected at most 8 depth maps, found 200; the first were read",)


def test_truncated_dynamic_depth_is_refused():
    data = dynamic_depth(png(CODES))
    assert "expected an item of" in refused(data[:-20])
    end = data.index(b"\xff\xd9")
    assert "no end of the photo" in refused(data[:end])


def test_the_phones_own_map_is_preferred_and_the_other_named():
    main = gdepth(png(CODES))
    found = embedded_in(multi_picture(main, with_xmp(jpeg(CODES), disparity_xmp())))
    assert found.depth.name == "JPEG appended disparity"
    assert found.others == ("GDepth: a second one; JPEG appended disparity is used",)


def test_an_unsound_map_does_not_hide_a_sound_one():
    main = gdepth(png(CODES))
    found = embedded_in(multi_picture(main, with_xmp(jpeg(CODES), disparity_xmp(4, 1))))
    assert found.depth.name == "GDepth"
    assert "expected a range of values" in found.ignored[0]


def test_the_photo_before_the_phones_blur_is_named():
    space = SPACE + ' xmlns:GImage="http://ns.google.com/photos/1.0/image/"'
    found = embedded_in(with_xmp(photo(), xmp('GImage:Data="AAAA"', namespaces=space)))
    assert found.others == ("GImage: the photo before the phone's own blur; the picture itself is used",)
