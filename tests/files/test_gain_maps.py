"""Gain maps: the light of photos that have one, and photos whose map is unusable."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from embedded_files import heic, jpeg, multi_picture, photo, scene, with_xmp, xmp
from hdr_files import apple_jpeg, gain_picture, grey, hdrgm, heic_with_tmap, iso, ultra_hdr
from wideopen.color import srgb_decode
from wideopen.files import read, srgb_u8
from wideopen.files.containers.tiff import apple_gain
from wideopen.files.inside.gain_maps import apple_headroom

HALF = np.full((12, 16), 128, np.uint8)
RAMP = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (12, 1))
MAIN = grey(48, 64, 180)
WHITE = 180


def saved(folder, data, name="a.jpg"):
    (folder / name).write_bytes(data)
    return read(folder / name)


def want(code, log2, offset_sdr=0.0, offset_hdr=0.0):
    return (srgb_decode(code / 255) + offset_sdr) * 2**log2 - offset_hdr


@pytest.mark.parametrize("order", "<>")
def test_ultra_hdr_is_brighter_by_its_map(tmp_path, order):
    found = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, order=order))
    assert (found.hdr.kind, found.hdr.headroom) == ("Ultra HDR", 8.0)
    assert_allclose(found.rgb, want(WHITE, 3 * 128 / 255), rtol=2e-3, atol=0)
    assert found.metadata.notes == ()
    assert_array_equal(srgb_u8(found), MAIN)  # networks and previews see the standard picture


def test_gamma_offsets_and_minimum_are_applied(tmp_path):
    values = {"low": -0.5, "high": 2.5, "gamma": 2.2, "offset_sdr": 0.01, "offset_hdr": 0.02}
    log2 = -0.5 + 3 * (128 / 255) ** (1 / 2.2)
    light = want(WHITE, log2, 0.01, 0.02)
    by_xmp = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, hdrgm(**values)))
    assert_allclose(by_xmp.rgb, light, rtol=2e-3, atol=0)
    for common in (False, True):
        by_iso = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, block=iso(common=common, **values)))
        assert_allclose(by_iso.rgb, light, rtol=2e-3, atol=0)
        assert by_iso.hdr.kind == "ISO 21496-1"
    both = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, hdrgm(**values), iso(**values)))
    assert_array_equal(both.rgb, by_iso.rgb)


def test_gains_may_differ_by_channel(tmp_path):
    codes = np.stack([np.full((48, 64), c, np.uint8) for c in (0, 128, 255)], axis=2)
    for packet, block in ((hdrgm(high=[1, 2, 3]), None), (None, iso(high=[1, 2, 3]))):
        found = saved(tmp_path, ultra_hdr(jpeg(MAIN), codes, packet, block))
        assert_allclose(found.rgb.mean((0, 1)), want(WHITE, np.array([0, 2 * 128 / 255, 3])), rtol=0.03, atol=0)


def test_gains_for_other_primaries_are_noted(tmp_path):
    found = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, block=iso(flags=0)))
    assert found.metadata.notes == ("the gain map is for other primaries, and is applied in the photo's",)
    assert_allclose(found.rgb, want(WHITE, 3 * 128 / 255), rtol=2e-3)
    found = saved(tmp_path, heic_with_tmap(scene(48, 64), HALF, iso(flags=0)), "a.heic")
    assert found.metadata.notes == ()  # the brighter picture names no others


def test_maps_of_odd_sizes_lie_over_the_whole_photo(tmp_path):
    for size in ((48, 64), (5, 7), (37, 49), (96, 128)):
        ramp = np.tile(np.linspace(0, 255, size[1]), (size[0], 1)).astype(np.uint8)
        found = saved(tmp_path, ultra_hdr(jpeg(MAIN), ramp))
        gain = np.log2(found.rgb[24, :, 1] / want(WHITE, 0))
        assert_allclose(gain[32], 1.5, rtol=0, atol=0.1)
        assert gain[0] < 0.2
        assert gain[-1] > 2.8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_map_is_turned_with_the_photo(tmp_path, orientation):
    codes = np.zeros((12, 16), np.uint8)
    codes[:6, :8] = 255
    found = saved(tmp_path, ultra_hdr(photo(orientation=orientation), codes))
    marked = np.zeros((48, 64, 3), np.uint8)
    marked[:20, :28] = 255
    turned = saved(tmp_path, jpeg(marked, exif=exif_of(orientation)), "b.jpg").rgb[..., 0] > 0.5
    standard = srgb_decode(found.hdr.standard / 255)
    gain = (found.rgb / standard).max(axis=2)
    assert_allclose(gain[turned].min(), 8, rtol=0.05)


def exif_of(orientation):
    from PIL import Image

    exif = Image.Exif()
    exif[274] = orientation
    return exif


def test_a_base_that_is_the_brighter_picture_keeps_its_light(tmp_path):
    for packet, block in ((hdrgm(base_is_hdr="True"), None), (None, iso(base_is_hdr=True))):
        found = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, packet, block))
        assert_allclose(found.rgb, want(WHITE, 0), rtol=1e-3)
        assert_allclose(srgb_decode(found.hdr.standard / 255), want(WHITE, -3 * 128 / 255), rtol=0, atol=2e-3)


def test_apple_maps_take_the_headroom_from_xmp(tmp_path):
    found = saved(tmp_path, apple_jpeg(jpeg(MAIN), HALF))
    g = ((128 / 255 + 0.099) / 1.099) ** (1 / 0.45)
    assert (found.hdr.kind, found.hdr.headroom) == ("Apple gain map", 4.0)
    assert_allclose(found.rgb, want(WHITE, math.log2(1 + 3 * g)), rtol=2e-3)


def apple_exif(first, second):
    from struct import pack

    rows = [(0x21, first), (0x30, second)]
    rows = [(tag, value) for tag, value in rows if value is not None]
    at = 14 + 2 + 12 * len(rows) + 4
    note = b"Apple iOS\0\0\x01MM" + pack(">H", len(rows))
    note += b"".join(pack(">HHII", tag, 10, 1, at + 8 * i) for i, (tag, _) in enumerate(rows)) + bytes(4)
    note += b"".join(pack(">ii", round(value * 1000), 1000) for _, value in rows)
    head = b"MM\0*" + pack(">IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
    return head + pack(">HHHIII", 1, 0x927C, 7, len(note), 44, 0) + note


@pytest.mark.parametrize(
    ("first", "second", "stops"),
    [(1.5, 0.0, 3.0), (1.5, 0.02, 2.303 - 0.303 * 0.02), (0.5, 0.005, 1.7), (0.5, 1.0, 1.5), (0.8, None, 1.8)],
)
def test_apple_headroom_is_read_from_the_maker_note(first, second, stops):
    assert_allclose(math.log2(apple_headroom(apple_exif(first, second))), stops, rtol=1e-6)


def test_a_maker_note_without_headroom_gives_none():
    assert apple_gain(apple_exif(None, 1.0)) is None
    assert apple_gain(apple_exif(1.0, 0.5)[:60]) is None
    assert apple_headroom(None) is None


def test_a_tone_mapped_item_of_a_heic_is_applied(tmp_path):
    found = saved(tmp_path, heic_with_tmap(scene(48, 64), HALF, iso()), "a.heic")
    plain = saved(tmp_path, heic(scene(48, 64)), "b.heic")
    assert found.hdr.kind == "ISO 21496-1"
    assert_allclose(found.rgb, plain.rgb * 2 ** (3 * 128 / 255), rtol=0.03)
    assert_array_equal(srgb_u8(found), srgb_u8(plain))


def test_apples_auxiliary_gain_map_of_a_heic_is_applied(tmp_path):
    urn = "urn:com:apple:photo:2020:aux:hdrgainmap"
    space = 'xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/"'
    packet = xmp('HDRGainMap:HDRGainMapHeadroom="8"', namespaces=space)
    found = saved(tmp_path, heic(scene(48, 64), [(RAMP, urn, packet)]), "a.heic")
    plain = saved(tmp_path, heic(scene(48, 64)), "b.heic")
    assert found.hdr.headroom == 8
    gain = (found.rgb / np.maximum(plain.rgb, 1e-3)).max(axis=2)
    assert gain[:, 0].max() < 1.1
    assert gain[:, -1].min() > 5


BAD = {
    "gamma 0": hdrgm(gamma=0),
    "gamma below 0": hdrgm(gamma=-1),
    "maximum below minimum": hdrgm(low=2, high=1),
    "not a number": hdrgm(high="nan"),
    "infinite": hdrgm(high="inf", most=3),
    "a thousand stops": hdrgm(high=1000),
    "no maximum": hdrgm(high=None),
    "no headroom": hdrgm(most=None),
    "equal headrooms": hdrgm(most=0),
    "two channels": hdrgm(high=[1, 2]),
    "text": hdrgm(high="many"),
    "large offset": hdrgm(offset_sdr=50),
    "another version": hdrgm(version="7.0"),
    "broken XMP": b"<x:xmpmeta hdrgm http://ns.adobe.com/hdr-gain-map/1.0/",
}


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_absurd_metadata_leaves_the_standard_picture(tmp_path, packet):
    found = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, packet))
    assert found.hdr is None
    assert_allclose(found.rgb, want(WHITE, 0), rtol=1e-3)
    (note,) = found.metadata.notes
    assert note.startswith("the photo is read without its gain map: ")


@pytest.mark.parametrize(
    "block", [iso(version=1), iso(denominator=0), iso()[:20], b"", iso(gamma=0), iso(low=4), iso(high=99), iso(most=0)]
)
def test_absurd_iso_metadata_leaves_the_standard_picture(tmp_path, block):
    found = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, block=block))
    assert found.hdr is None
    assert len(found.metadata.notes) == 1
    inside = saved(tmp_path, heic_with_tmap(scene(48, 64), HALF, block), "a.heic")
    assert inside.hdr is None
    assert len(inside.metadata.notes) == 1


def test_descriptions_that_contradict_each_other_are_not_used(tmp_path):
    found = saved(tmp_path, ultra_hdr(jpeg(MAIN), HALF, hdrgm(), iso(high=1)))
    assert found.hdr is None
    assert "differ" in found.metadata.notes[0]


def test_a_map_that_cannot_be_decoded_or_fits_no_photo_is_not_used(tmp_path):
    whole = gain_picture(RAMP, hdrgm())
    spoiled = {
        "cut": multi_picture(jpeg(MAIN), whole[:-40]),
        "offset": multi_picture(jpeg(MAIN), whole, shift=10**8),
        "one pixel": ultra_hdr(jpeg(MAIN), HALF[:1, :1]),
        "aspect": ultra_hdr(jpeg(MAIN), HALF[:, :6]),
        "large": multi_picture(jpeg(MAIN), gain_picture(np.zeros((9000, 12000), np.uint8), hdrgm())),
    }
    for name, data in spoiled.items():
        found = saved(tmp_path, data)
        assert found.hdr is None, name
        assert_allclose(found.rgb, want(WHITE, 0), rtol=1e-3)
        assert [note.startswith("the photo is read without its gain map") for note in found.metadata.notes] == [True]


def test_a_second_picture_other_than_a_map_is_noted(tmp_path):
    found = saved(tmp_path, multi_picture(jpeg(MAIN), with_xmp(jpeg(MAIN), xmp())))
    assert found.hdr is None
    assert found.metadata.notes == ("pictures stored after the photo (preview, depth) are not kept",)


def test_a_truncated_gain_map_leaves_a_readable_photo(tmp_path):
    data = ultra_hdr(jpeg(scene(48, 64)), RAMP)
    for length in range(len(jpeg(scene(48, 64))), len(data), 97):
        found = saved(tmp_path, data[:length])
        assert found.rgb.shape == (48, 64, 3)
        assert np.isfinite(found.rgb).all()
