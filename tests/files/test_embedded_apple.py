"""What iPhones store: auxiliary pictures in HEIC, pictures appended to JPEG; values, units, rotations, bad files."""

import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sample_files import smooth

from embedded_files import (
    APDI,
    DEPTH_URN,
    GAIN_URN,
    PORTRAIT_URN,
    URN,
    apple_xmp,
    disparity_xmp,
    heic,
    iphone_heic,
    jpeg,
    multi_picture,
    photo,
    png,
    slope,
    with_xmp,
    xmp,
)
from wideopen.errors import InvalidInput
from wideopen.files.inside import embedded_in, read_embedded

CODES = slope()
DISPARITY = 0.5 + CODES / 255 * 3.5
JPEG_ERROR = 3.5 * 2.5 / 255  # a grey JPEG of quality 100 keeps codes within 2


def upright(values, orientation):
    """What a stored map looks like when displayed, by the EXIF number; written out, not by the code under test."""
    return {
        1: values,
        2: np.fliplr(values),
        3: np.rot90(values, 2),
        4: np.flipud(values),
        5: values.T,
        6: np.rot90(values, -1),
        7: np.rot90(values, 2).T,
        8: np.rot90(values),
    }[orientation]


def one_depth(packet, codes=CODES, urn=DEPTH_URN):
    return embedded_in(heic(smooth(48, 64), [(codes, urn, packet)]))


def test_an_iphone_heic_has_depth_and_mattes():
    found = embedded_in(iphone_heic())
    assert (found.depth.kind, found.depth.name) == ("disparity", "HEIC auxiliary disparity")
    assert found.depth.accuracy == "relative"
    assert found.depth.values.dtype == np.float32
    assert_allclose(found.depth.values, DISPARITY, rtol=0, atol=1e-6)
    assert_allclose(found.portrait_matte, CODES / 255, rtol=0, atol=1e-6)
    assert list(found.semantic) == ["hair"]
    assert_allclose(found.semantic["hair"], 1 - CODES / 255, rtol=0, atol=1e-6)
    assert found.ignored == ()
    assert found.others == ("HEIC auxiliary picture: a gain map for HDR",)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_heic_parts_turn_with_the_photo(turns):
    found = embedded_in(iphone_heic(turns=turns))
    assert_allclose(found.depth.values, np.rot90(DISPARITY, turns), rtol=0, atol=1e-6)
    assert_allclose(found.portrait_matte, np.rot90(CODES / 255, turns), rtol=0, atol=1e-6)


@pytest.mark.parametrize("turns", [1, 2])
def test_a_heic_part_without_the_photos_turn_is_refused(turns):
    found = embedded_in(iphone_heic(turns=turns, turned=(True, False, True, True, True)))
    assert found.depth is None
    assert found.ignored == ("HEIC auxiliary picture 2: stored without the rotation of the photo",)
    assert found.portrait_matte is not None  # read what is sound


@pytest.mark.parametrize("name", ["hair", "skin", "teeth", "glasses", "sky"])
def test_semantic_mattes_are_named(name):
    found = embedded_in(heic(smooth(48, 64), [(CODES, URN.format(name), None)]))
    assert list(found.semantic) == [name]
    assert (found.depth, found.portrait_matte, found.ignored) == (None, None, ())


def test_metres_and_disparity_are_distinguished():
    depth = one_depth(disparity_xmp(0.25, 2.0, AuxiliaryImageType="depth")).depth
    assert (depth.kind, depth.name) == ("depth_m", "HEIC auxiliary depth")
    assert_allclose(depth.values, 0.25 + CODES / 255 * 1.75, rtol=0, atol=1e-6)


def test_metres_not_above_zero_are_unknown():
    values = one_depth(disparity_xmp(-1, 1, AuxiliaryImageType="depth")).depth.values
    assert np.isnan(values[CODES < 127]).all()
    assert np.isfinite(values[CODES > 128]).all()


def test_codes_count_from_the_ends_that_the_file_names():
    values = one_depth(disparity_xmp(1, 2, IntMinValue=55, IntMaxValue=155)).depth.values
    assert_allclose(values, 1 + np.clip((CODES.astype(float) - 55) / 100, 0, 1), rtol=0, atol=1e-6)


def test_disparity_without_a_range_is_relative():
    depth = one_depth(None).depth
    assert depth.kind == "relative_disparity"
    assert_allclose(depth.values, CODES / 255, rtol=0, atol=1e-6)
    assert one_depth(apple_xmp(AuxiliaryImageType="disparity")).depth.kind == "relative_disparity"


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (disparity_xmp("nan", 4), "expected a range of values, found nan to 4"),
        (disparity_xmp(0, "inf"), "expected a range of values, found 0 to inf"),
        (disparity_xmp(4, 0.5), "expected a range of values, found 4 to 0.5"),
        (disparity_xmp(1, 1), "expected a range of values, found 1 to 1"),
        (disparity_xmp(IntMinValue=9, IntMaxValue=9), "expected a range of codes within 0 to 255, found 9 to 9"),
        (disparity_xmp(IntMaxValue=65535), "expected a range of codes within 0 to 255, found 0 to 65535"),
        (apple_xmp(AuxiliaryImageType="depth"), "expected the range of its values, found none"),
        (disparity_xmp(-2, -1, AuxiliaryImageType="depth"), "expected depth somewhere, found none that is valid"),
        (b"<rdf:RDF", "XMP: unreadable"),
    ],
)
def test_impossible_ranges_are_refused(packet, message):
    found = one_depth(packet)
    assert found.depth is None
    (line,) = found.ignored
    assert message in line


def test_depth_of_more_than_8_bits_is_read():
    deep = CODES.astype(np.uint16) * 257
    depth = one_depth(disparity_xmp(1, 2, IntMaxValue=65535), deep).depth
    assert_allclose(depth.values, 1 + CODES / 255, rtol=0, atol=1.5 / 1023)  # HEVC keeps 10 bits


def representation(kind):
    """HEVC's depth representation information (ISO/IEC 23008-2, G.14.2.6) without ranges: four flags, and the type."""
    code = {0: "1", 1: "010", 2: "011"}[kind]  # Exp-Golomb
    bits = int(("0000" + code).ljust(8, "0"), 2)
    nal = bytes([0x4E, 1, 177, 1, bits, 0x80])
    return struct.pack(">II", len(nal) + 4, len(nal)) + nal


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_distances_without_a_unit_are_not_taken_for_disparity(kind):
    found = embedded_in(heic(smooth(48, 64), [(CODES, DEPTH_URN, None)], sei=representation(kind)))
    if kind == 2:  # uniform in distance; 0 and 1 are uniform in its inverse
        assert found.depth is None
        assert "expected disparity, found distances without a unit" in found.ignored[0]
    else:
        assert found.depth.kind == "relative_disparity"


def test_depth_of_another_aspect_is_refused():
    found = one_depth(disparity_xmp(), slope(24, 24))
    assert found.depth is None
    assert found.ignored == ("HEIC auxiliary disparity: expected the aspect of the photo, 64 x 48, found 24 x 24",)
    assert one_depth(disparity_xmp(), slope(32, 24)).depth is None  # on its side


def test_a_second_depth_map_is_named():
    pictures = [(CODES, DEPTH_URN, disparity_xmp(1, 2)), (255 - CODES, DEPTH_URN, disparity_xmp(3, 4))]
    found = embedded_in(heic(smooth(48, 64), pictures))
    assert_allclose(found.depth.values, 1 + CODES / 255, rtol=0, atol=1e-6)  # its picture with its range
    assert found.others == ("HEIC auxiliary disparity: a second one; HEIC auxiliary disparity is used",)


def test_depth_of_another_picture_in_the_file_is_not_the_photos():
    own = struct.pack(">4sHHH", b"auxl", 2, 1, 1)
    data = iphone_heic()
    assert own in data
    found = embedded_in(data.replace(own, struct.pack(">4sHHH", b"auxl", 2, 1, 3)))
    assert found.depth is None
    assert found.ignored == ()
    assert found.portrait_matte is not None


def test_at_most_32_auxiliary_pictures_are_decoded():
    found = embedded_in(heic(smooth(48, 64), [(CODES, DEPTH_URN, disparity_xmp())] * 40))
    assert found.depth is not None
    assert len(found.others) == 31  # a second one, 31 times
    assert found.ignored == ("HEIC: expected at most 32 auxiliary pictures, found 40",)


def test_auxiliary_pictures_of_an_unknown_kind_are_named():
    found = embedded_in(heic(smooth(48, 64), [(CODES, "urn:somebody:else", None)]))
    assert found.others == ("HEIC auxiliary picture: of a kind that is not read (urn:somebody:else)",)


def test_a_plain_heic_has_no_parts(tmp_path):
    found = embedded_in(heic(smooth(48, 64)))
    assert (found.depth, found.portrait_matte, found.semantic, found.ignored) == (None, None, {}, ())


@pytest.mark.parametrize("share", np.linspace(0.05, 0.99, 24))
def test_truncated_heic_files_are_ignored_with_a_reason(share, capfd):
    data = iphone_heic()
    found = embedded_in(data[: int(len(data) * share)])
    assert found.ignored
    assert all("\n" not in line and len(line) < 250 for line in found.ignored)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("spoiled", [2, 3, 4])
def test_a_heic_part_that_cannot_be_decoded_leaves_the_others(spoiled):
    found = embedded_in(iphone_heic(spoiled=spoiled))
    assert (found.depth is None) == (spoiled == 2)
    assert (found.portrait_matte is None) == (spoiled == 3)
    assert (found.semantic == {}) == (spoiled == 4)
    (line,) = found.ignored
    assert "damaged or incomplete" in line


def appended(*pictures, **options):
    return embedded_in(multi_picture(photo(), *pictures, **options))


def with_packet(codes, packet):
    return with_xmp(jpeg(codes), packet)


PORTRAIT = apple_xmp(AuxiliaryImageSubType="portraiteffectsmatte", AuxiliaryImageType="depth", StoredFormat=1278226488)


@pytest.mark.parametrize("order", [">", "<"])
def test_pictures_appended_to_a_jpeg_are_read(order):
    pictures = [
        with_packet(CODES, disparity_xmp()),
        with_packet(255 - CODES, PORTRAIT),
        with_packet(CODES, apple_xmp(AuxiliaryImageType=URN.format("skin"))),
        with_packet(CODES, apple_xmp(AuxiliaryImageType=GAIN_URN)),
        jpeg(smooth(12, 16)),
    ]
    found = appended(*pictures, order=order)
    assert (found.depth.kind, found.depth.name) == ("disparity", "JPEG appended disparity")
    assert_allclose(found.depth.values, DISPARITY, rtol=0, atol=JPEG_ERROR)
    assert_allclose(found.portrait_matte, 1 - CODES / 255, rtol=0, atol=2.5 / 255)  # although it says "depth"
    assert list(found.semantic) == ["skin"]
    assert found.ignored == ()
    assert found.others == ("JPEG picture 5: a gain map for HDR", "JPEG picture 6: a preview or another view")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_parts_turn_with_the_photo(orientation):
    data = multi_picture(photo(orientation=orientation), with_packet(CODES, disparity_xmp()))
    values = embedded_in(data).depth.values
    assert_allclose(values, upright(DISPARITY, orientation), rtol=0, atol=JPEG_ERROR)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_do_not_exist_turn_nothing(orientation):
    data = multi_picture(photo(orientation=orientation), with_packet(CODES, disparity_xmp()))
    assert_allclose(embedded_in(data).depth.values, DISPARITY, rtol=0, atol=JPEG_ERROR)


@pytest.mark.parametrize("shift", [-7, 5, 2**31])
def test_a_directory_with_wrong_offsets_is_repaired(shift):
    """As programs leave it that edit the photo's metadata and do not know the directory."""
    found = appended(with_packet(CODES, disparity_xmp()), with_packet(CODES, PORTRAIT), shift=shift)
    assert found.depth is not None
    assert found.portrait_matte is not None
    assert found.ignored == (
        "multi-picture directory: points where no picture is; pictures were looked for one after the other",
    )


def test_appended_pictures_in_a_progressive_photo_are_found_without_a_directory_that_is_right():
    main = jpeg(smooth(48, 64), progressive=True)
    found = embedded_in(multi_picture(main, with_packet(CODES, disparity_xmp()), shift=3))
    assert found.depth is not None


def test_the_end_of_a_picture_is_not_looked_for_inside_its_segments():
    """Between the scans of a progressive JPEG lie tables and comments, which may hold any bytes."""
    main = jpeg(smooth(48, 64), progressive=True)
    scan = main.index(b"\xff\xda", main.index(b"\xff\xda") + 2)
    between = main.rindex(b"\xff\xc4", 0, scan) if b"\xff\xc4" in main[scan - 40 : scan] else scan
    main = main[:between] + b"\xff\xfe\0\x08\xff\xd9\xff\xd8\xff\xe0" + main[between:]
    found = embedded_in(multi_picture(main, with_packet(CODES, disparity_xmp()), shift=3))
    assert found.depth is not None
    assert found.others == ()


def test_a_truncated_appended_picture_is_ignored():
    data = multi_picture(photo(), with_packet(255 - CODES, PORTRAIT), with_packet(CODES, disparity_xmp()))
    found = embedded_in(data[:-40])
    assert found.depth is None
    assert "JPEG picture 3: damaged or incomplete JPEG" in found.ignored[0]
    assert found.portrait_matte is not None


def test_every_length_of_a_cut_file_is_read_without_a_crash(capfd):
    data = multi_picture(photo(), with_packet(CODES, disparity_xmp()))
    for end in range(3, len(data), 17):
        embedded_in(data[:end])
    assert capfd.readouterr() == ("", "")


def test_a_directory_that_repeats_a_picture_is_limited(monkeypatch):
    decoded = []
    monkeypatch.setattr("wideopen.files.inside.apple.grey_picture", lambda data: decoded.append(len(data)) or CODES)
    data = bytearray(multi_picture(photo(), *[with_packet(CODES, disparity_xmp())] * 40))
    embedded_in(bytes(data))
    assert len(decoded) == 15  # of 16 pictures, the photo being one
    decoded.clear()
    first = data.index(b"MPF\0") + 4 + 50 + 16  # the entry of the second picture
    for at in range(first + 16, first + 16 * 40, 16):
        data[at : at + 16] = data[first : first + 16]
    assert embedded_in(bytes(data)).depth is not None
    assert len(decoded) == 1


def test_coloured_pictures_are_refused_as_depth():
    found = appended(with_packet(smooth(24, 32), disparity_xmp()))
    assert found.depth is None
    assert found.ignored == ("JPEG picture 2: expected a grey picture, found colours (channels differ by 165)",)


def test_a_huge_part_is_refused_before_it_is_decoded():
    small = with_packet(CODES, disparity_xmp())
    at = small.index(b"\xff\xc0") + 5
    huge = small[:at] + (60000).to_bytes(2, "big") + (64000).to_bytes(2, "big") + small[at + 4 :]
    found = appended(huge)
    assert found.ignored == ("JPEG picture 2: expected at most 64 megapixels, found 64000 x 60000 pixels",)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\0\2", photo()[:30], png(CODES), b"RIFF"])
def test_files_without_parts_give_an_empty_result(data):
    found = embedded_in(data)
    assert (found.depth, found.portrait_matte, found.semantic) == (None, None, {})


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="expected a photo, found no such file"):
        read_embedded(tmp_path / "none.heic")


def test_files_are_read_by_content(tmp_path):
    path = tmp_path / "lying.jpg"
    path.write_bytes(iphone_heic())
    assert read_embedded(path).depth is not None


def test_the_kind_may_be_stored_as_an_attribute():
    attributes = 'a:AuxiliaryImageType="disparity" a:FloatMinValue="1" a:FloatMaxValue="3"'
    depth = one_depth(xmp(attributes, namespaces=f'xmlns:a="{APDI}"')).depth
    assert (depth.kind, depth.values.max()) == ("disparity", 3)


def test_a_matte_is_known_by_its_heic_type_alone():
    assert embedded_in(heic(smooth(48, 64), [(CODES, PORTRAIT_URN, None)])).portrait_matte is not None
