"""Writing of light above white: Ultra HDR, PQ and floats; what we write is read by libultrahdr, too."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from embedded_files import jpeg, scene
from hdr_files import grey, hdrgm, ultra_hdr
from wideopen.errors import InvalidInput
from wideopen.files import read, srgb_u8, write
from wideopen.files.containers.jpeg import appended_pictures, read_head
from wideopen.files.gain_metadata import code_map, read_hdrgm, read_iso
from wideopen.files.write import lost_hdr
from wideopen.hdr import GainMap
from wideopen.hdr.standard import to_standard

SIZE = (120, 160)


def night(folder, channels=1, **values):
    """Return an Ultra HDR photo: a dark gradient with two lamps, whose map is 3 stops inside them."""
    main = scene(*SIZE) // 3
    codes = np.zeros((30, 40), np.uint8)
    for y, x in ((5, 5), (20, 30)):
        main[4 * y : 4 * y + 20, 4 * x : 4 * x + 20] = 250
        codes[y : y + 5, x : x + 5] = 255
    codes += np.linspace(0, 30, 40).astype(np.uint8)[None] * (codes == 0)
    if channels == 3:
        codes = np.stack([codes, codes // 2, codes // 3], axis=2)
    (folder / "night.jpg").write_bytes(ultra_hdr(jpeg(main), codes, hdrgm(**values)))
    return read(folder / "night.jpg")


def spread(photo):
    """Return a result of the photo: its right half blurred, light kept."""
    import cv2

    out = cv2.blur(photo.rgb, (31, 31))
    out[:, : SIZE[1] // 2] = photo.rgb[:, : SIZE[1] // 2]
    return out


@pytest.mark.parametrize("channels", [1, 3])
def test_an_unchanged_photo_comes_back(tmp_path, channels):
    photo = night(tmp_path, channels)
    found = read(write(tmp_path / "a.jpg", photo.rgb, like=photo))
    plain = read(write(tmp_path / "b.jpg", photo.rgb, like=photo, hdr="off"))
    assert (found.hdr.kind, found.hdr.headroom) == ("Ultra HDR", 8)
    assert_array_equal(found.hdr.standard, srgb_u8(plain))
    assert plain.hdr is None
    gains = [(p.rgb + 1e-4) / (decoded(p) + 1e-4) for p in (photo, found)]
    error = np.abs(gains[1] / gains[0] - 1)
    assert error.mean() < 0.005
    assert error.max() < (0.03 if channels == 1 else 0.2)  # a map's colours are coded as JPEG codes them


@pytest.mark.parametrize("stops", [3, 7, 10])
def test_lights_far_above_white_keep_their_light(stops):
    """At quality 95, rims of 10 stops ring by 20 %."""
    y, x = np.mgrid[0:96, 0:96]
    disks = [np.clip(r + 0.5 - np.hypot(y - 48, x - at), 0, 1) for r, at in ((4, 12), (10, 34), (16, 70))]
    levels = np.array([1, 0.8, 0.9])[:, None, None] * stops
    log2 = (levels * disks).max(axis=0).astype(np.float32)
    coded = code_map(GainMap(log2=log2), 2.0**stops, encoded)
    found = np.asarray(Image.open(BytesIO(coded)), np.float32) / 255 * stops
    error = np.abs(2 ** (found - log2) - 1)[log2 > 0.5 * stops]
    assert error.mean() < 0.02
    assert error.max() < 0.1


def encoded(codes, *, quality, subsampling, **_):
    out = BytesIO()
    Image.fromarray(codes).save(out, "JPEG", quality=quality, subsampling=subsampling)
    return out.getvalue()


def decoded(photo):
    from wideopen.color import srgb_decode

    return srgb_decode(photo.hdr.standard / 255)


@pytest.mark.parametrize("values", [{}, {"offset_sdr": 1 / 64, "offset_hdr": 1 / 64, "low": -0.5, "gamma": 1.5}])
def test_a_result_has_its_own_light_and_its_own_standard_picture(tmp_path, values):
    photo = night(tmp_path, **values)
    light = spread(photo)
    found = read(write(tmp_path / "a.jpg", light, like=photo, quality=100))
    codes, _ = to_standard(light, photo.rgb, photo.hdr, photo.encoding)
    assert_array_equal(codes[:, :70], photo.hdr.standard[:, :70])  # the very values; JPEG changes them a little
    again = to_standard(light, None, photo.hdr, photo.encoding)  # without the photo's light
    assert_array_equal(again[0], codes)
    error = np.abs(found.rgb - light) / (light + 0.05)
    assert error.mean() < 0.01
    assert np.percentile(error, 99) < 0.06
    lamp = 90, 130  # in the blurred half: a disk that is brighter than white, and bright in the standard picture
    assert light[lamp].max() > 1.2
    assert found.hdr.standard[lamp].min() > 190


def test_the_standard_picture_has_no_step_where_the_blur_begins(tmp_path):
    photo = night(tmp_path)
    found = read(write(tmp_path / "a.jpg", spread(photo), like=photo, quality=100))
    across = found.hdr.standard[60, 60:100].astype(int).sum(axis=1)
    assert np.abs(np.diff(across)).max() < 30


def test_no_map_of_the_photo_is_left_on_a_result_that_differs(tmp_path):
    photo = night(tmp_path)
    dark = np.full_like(photo.rgb, 0.05)
    found = read(write(tmp_path / "a.jpg", dark, like=photo))
    assert_allclose(found.rgb, 0.05, rtol=0.05)


def test_both_descriptions_and_the_directory_are_written(tmp_path):
    photo = night(tmp_path)
    data = write(tmp_path / "a.jpg", spread(photo), like=photo).read_bytes()
    (picture,), complaints = appended_pictures(data, read_head(data))
    assert complaints == []
    assert data.endswith(picture)
    properties, _ = read_head(picture).properties()
    by_xmp, by_iso = read_hdrgm(properties), read_iso(read_head(picture).gain_map)
    assert by_xmp.agrees_with(by_iso)
    assert by_iso.other_stops == pytest.approx(3)
    assert f'Item:Length="{len(picture)}"'.encode() in read_head(data).xmp
    assert read_head(data).gain_map == bytes(4)


@pytest.mark.parametrize("values", [{}, {"offset_sdr": 1 / 64, "offset_hdr": 1 / 64, "low": -0.5}])
def test_libultrahdr_reads_the_same_light(tmp_path, values):
    imagecodecs = pytest.importorskip("imagecodecs")
    photo = night(tmp_path, **values)
    path = write(tmp_path / "a.jpg", spread(photo), like=photo, quality=100)
    other = imagecodecs.ultrahdr_decode(path.read_bytes())[..., :3].astype(np.float32)
    ours = read(path).rgb
    assert_allclose(other.mean(), ours.mean(), rtol=0.01)
    flat = np.s_[60:110, 110:140]
    assert_allclose(other[flat].mean((0, 1)), ours[flat].mean((0, 1)), rtol=0.01)


@pytest.mark.parametrize("kept", [False, True])
def test_an_ultra_hdr_result_can_keep_its_maps(tmp_path, kept):
    from wideopen.files import Keep, read_kept

    photo = night(tmp_path)
    half = np.full(SIZE, 0.5, np.float32)
    path = write(tmp_path / "a.jpg", photo.rgb, like=photo, keep=Keep(matte=half, disparity=half) if kept else None)
    assert read(path).hdr.kind == "Ultra HDR"
    assert (read_kept(path) is not None) == kept


def test_an_avif_is_written_in_pq_on_request(tmp_path):
    photo = night(tmp_path)
    light = spread(photo)
    found = read(write(tmp_path / "a.avif", light, like=photo, hdr="keep", quality=100))
    assert (found.hdr.kind, found.metadata.bit_depth) == ("PQ", 10)
    assert_allclose(found.rgb.mean(), light.mean(), rtol=0.01)
    error = np.abs(found.rgb - light) / (light + 0.02)
    assert np.percentile(error, 95) < 0.05
    plain = read(write(tmp_path / "b.avif", light, like=photo))
    assert plain.hdr is None
    note = lost_hdr(tmp_path / "b.avif", photo, None, "auto")
    assert note.startswith("AVIF written without the photo's light above white; AVIF keeps it with --hdr keep")
    again = read(write(tmp_path / "c.avif", found.rgb, like=found))
    assert again.hdr.kind == "PQ"  # as the photo


def test_formats_that_cannot_hold_it_get_the_standard_picture(tmp_path):
    photo = night(tmp_path)
    for name in ("a.png", "a.webp", "a.heic", "a.tif"):
        assert lost_hdr(tmp_path / name, photo, None, "auto").endswith(
            "JPEG, AVIF, OpenEXR and TIFF of 32 bits keep it"
        )
        assert lost_hdr(tmp_path / name, photo, None, "off") is None
        found = read(write(tmp_path / name, photo.rgb, like=photo))
        assert found.hdr is None
        assert np.abs(srgb_u8(found).astype(int) - photo.hdr.standard).mean() < 2, name
        with pytest.raises(InvalidInput, match="expected JPEG, AVIF, OpenEXR and TIFF of 32 bits for HDR"):
            write(tmp_path / f"b{name}", photo.rgb, like=photo, hdr="keep")
    assert_array_equal(srgb_u8(read(tmp_path / "a.png")), photo.hdr.standard)


@pytest.mark.parametrize(("name", "bits"), [("a.exr", 32), ("a.tif", 32)])
def test_floats_hold_the_light_itself(tmp_path, name, bits):
    photo = night(tmp_path)
    light = spread(photo)
    found = read(write(tmp_path / name, light, like=photo, bits=bits))
    assert_allclose(found.rgb, light, rtol=1e-6)
    plain = read(write(tmp_path / f"off-{name}", photo.rgb, like=photo, bits=bits, hdr="off"))
    assert plain.rgb.max() <= 1
    assert_array_equal(srgb_u8(plain), photo.hdr.standard)


def test_floats_above_white_become_ultra_hdr_on_request(tmp_path):
    light = np.full((*SIZE, 3), 0.2, np.float32)
    light[50:70, 50:70] = 12
    assert read(write(tmp_path / "a.jpg", light)).hdr is None
    found = read(write(tmp_path / "b.jpg", light, hdr="keep"))
    assert found.hdr.headroom == pytest.approx(12, rel=1e-3)
    assert_allclose(found.rgb[60, 60], 12, rtol=0.02)
    assert_allclose(found.rgb[10, 10], 0.2, rtol=0.02)


def test_a_photo_in_pq_has_a_standard_picture_with_a_shoulder(tmp_path):
    photo = night(tmp_path)
    pq = read(write(tmp_path / "a.avif", photo.rgb, like=photo, hdr="keep", quality=100))
    found = read(write(tmp_path / "b.jpg", pq.rgb, like=pq, quality=100))
    assert (found.hdr.kind, found.hdr.standard.max() > 240) == ("Ultra HDR", True)
    bright = pq.rgb.max(axis=2) > 0.3
    assert_allclose(found.rgb[bright].mean(), pq.rgb[bright].mean(), rtol=0.01)


def test_the_result_of_a_photo_in_grey_is_an_ultra_hdr(tmp_path):
    (tmp_path / "a.jpg").write_bytes(ultra_hdr(jpeg(grey(*SIZE, 200)[..., 0]), np.full((30, 40), 128, np.uint8)))
    photo = read(tmp_path / "a.jpg")
    found = read(write(tmp_path / "b.jpg", photo.rgb, like=photo))
    assert_allclose(found.rgb, photo.rgb, rtol=0.01)


def test_xmp_is_dropped_if_it_leaves_no_room_for_the_map(tmp_path):
    photo = night(tmp_path)
    filled = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    filled += b"<!--" + b"x" * 65000 + b"--></rdf:RDF></x:xmpmeta>"
    photo = replace(photo, metadata=replace(photo.metadata, xmp=filled))
    assert read(write(tmp_path / "a.jpg", photo.rgb, like=photo)).hdr.kind == "Ultra HDR"


def test_the_middle_of_a_clipped_sun_is_not_what_the_lens_left_sharp():
    import cv2

    from wideopen.color import SRGB, srgb_decode
    from wideopen.hdr import GainMap, Hdr
    from wideopen.hdr.standard import brighten

    codes, log2 = np.full((480, 640, 3), 120, np.uint8), np.full((480, 640), 0.7, np.float32)
    codes[:, :60] += np.random.default_rng(0).integers(0, 40, (480, 60, 1), np.uint8)  # detail, left as it is
    for x, radius, code, stops in ((200, 20, 255, 3.0), (480, 100, 200, 3.8)):  # light of 8, shown in two ways
        cv2.circle(codes, (x, 240), radius, (code,) * 3, -1)
        cv2.circle(log2, (x, 240), radius, stops, -1)
    hdr = Hdr(kind="Ultra HDR", headroom=8, gain=GainMap(log2=log2), standard=codes)
    photo = srgb_decode(codes / 255).astype(np.float32)
    brighten(photo, hdr.gain)
    light = cv2.blur(photo, (9, 9))
    light[:, :60] = photo[:, :60]
    assert_allclose(light[230:250, 190:210], photo[230:250, 190:210], rtol=1e-6)  # flat there, so unchanged
    standard, _ = to_standard(light, photo, hdr, SRGB)
    assert np.abs(np.diff(standard[240, 187:214].astype(int), axis=0)).max() <= 2
    assert_array_equal(standard[:, :50], codes[:, :50])
