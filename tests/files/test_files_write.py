"""Writing: an unchanged photo comes back bit by bit with its metadata; originals stay."""

import importlib
import os
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sample_files import EXIF_IFD, GPS_IFD, XMP, exif_block, smooth

from wideopen import __version__
from wideopen.arrays import transfer
from wideopen.color import ADOBE_RGB, DISPLAY_P3, SRGB
from wideopen.errors import InvalidInput
from wideopen.files import Metadata, Photo, check_output, read, srgb_u8, write
from wideopen.files.containers.icc import build_profile

PICTURE = smooth(48, 64)
EXTENSIONS = ["jpg", "jpeg", "png", "tif", "tiff", "webp", "heic", "heif", "avif"]  # others: test_files_deep.py


def photo_of(codes, encoding=SRGB, **metadata):
    depth = 8 if codes.dtype == np.uint8 else 16
    rgb = transfer.decode(codes, encoding, bit_depth=depth)
    return Photo(rgb=rgb, encoding=encoding, metadata=Metadata(bit_depth=depth, **metadata))


@pytest.mark.parametrize("extension", ["png", "tif"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("encoding", [SRGB, DISPLAY_P3, ADOBE_RGB], ids=lambda e: e.name)
def test_lossless_formats_give_back_every_bit(tmp_path, rng, extension, kind, encoding):
    codes = rng.integers(0, np.iinfo(kind).max + 1, (13, 17, 3), kind)
    like = photo_of(codes, encoding)
    path = write(tmp_path / f"a.{extension}", like.rgb, like=like)
    back = read(path)
    assert back.metadata.bit_depth == 8 * codes.itemsize
    assert back.encoding.name == encoding.name
    got = transfer.encode(back.rgb, back.encoding, bit_depth=back.metadata.bit_depth)
    assert_array_equal(got, codes)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_other_readers_see_the_same_pixels(tmp_path, rng, kind):
    codes = rng.integers(0, np.iinfo(kind).max + 1, (13, 17, 3), kind)
    like = photo_of(codes, exif=exif_block(1), icc=build_profile(SRGB), xmp=XMP)
    png, tif = (write(tmp_path / f"a.{e}", like.rgb, like=like) for e in ("png", "tif"))
    assert_array_equal(cv2.imread(str(png), cv2.IMREAD_UNCHANGED)[..., ::-1], codes)
    assert_array_equal(cv2.imread(str(tif), cv2.IMREAD_UNCHANGED)[..., ::-1], codes)
    assert_array_equal(tifffile.imread(tif), codes)


def test_heic_of_more_than_two_megapixels_is_written(tmp_path):
    """From level 5 on HEVC has no blocks of 16 pixels, and x265 refuses them."""
    codes = cv2.resize(PICTURE, (2048, 1536))
    like = photo_of(codes)
    back = read(write(tmp_path / "a.heic", like.rgb, like=like))
    assert_allclose(srgb_u8(back).mean((0, 1)), codes.mean((0, 1)), rtol=0, atol=1)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("depth", [8, 16])
def test_metadata_and_light_survive_every_format(tmp_path, extension, depth):
    icc = build_profile(DISPLAY_P3)
    exif, xmp = exif_block(1), XMP.replace(b'Orientation="6"', b'Orientation="1"')
    codes = PICTURE if depth == 8 else PICTURE.astype(np.uint16) * 257
    like = photo_of(codes, DISPLAY_P3, exif=exif, icc=icc, xmp=xmp)
    back = read(write(tmp_path / f"a.{extension}", like.rgb, like=like))
    assert back.metadata.notes == ()
    assert back.metadata.icc == icc
    assert back.metadata.xmp == xmp
    kept = Image.Exif()
    kept.load(back.metadata.exif)
    assert (kept[271], kept[306], kept.get(274, 1)) == ("Maker", "2026:01:02 03:04:05", 1)
    assert kept.get_ifd(EXIF_IFD)[33434] == 0.01
    assert kept.get_ifd(GPS_IFD)[1] == "N"
    deep = {"png": 16, "tif": 16, "tiff": 16, "heic": 10, "heif": 10, "avif": 10}
    assert back.metadata.bit_depth == (deep.get(extension, 8) if depth == 16 else 8)
    off = np.abs(transfer.encode(back.rgb, DISPLAY_P3, bit_depth=8).astype(int) - PICTURE)
    assert off.max() <= 12
    assert off.mean() < 1.5


def test_exif_of_a_copy_is_the_same_bytes_with_the_software_noted(tmp_path):
    exif = exif_block(1)
    like = photo_of(PICTURE, exif=exif)
    for extension in ("jpg", "png", "webp", "heic", "tif"):
        first = read(write(tmp_path / f"a.{extension}", like.rgb, like=like))
        kept = first.metadata.exif
        if extension != "tif":  # the first directory moves; what it points at stays where it was
            assert (kept[:4], kept[8 : len(exif)]) == (exif[:4], exif[8:])
        tags = Image.Exif()
        tags.load(kept)
        assert tags[0x0131] == f"wideopen {__version__}"
        again = read(write(tmp_path / f"b.{extension}", first.rgb, like=first))
        assert len(again.metadata.exif) == len(kept)  # signed once, whatever the number of edits


def test_a_photo_without_exif_gets_only_the_software_tag(tmp_path):
    like = photo_of(PICTURE)
    tags = Image.Exif()
    tags.load(read(write(tmp_path / "a.jpg", like.rgb, like=like)).metadata.exif)
    assert dict(tags) == {0x0131: f"wideopen {__version__}"}


def test_a_photo_whose_primaries_had_no_profile_gets_one(tmp_path):
    like = photo_of(PICTURE, DISPLAY_P3)
    path = write(tmp_path / "a.png", like.rgb, like=like)
    back = read(path)
    assert back.metadata.icc == build_profile(DISPLAY_P3)
    assert_allclose(back.rgb, like.rgb, rtol=0, atol=3e-5)
    plain = photo_of(PICTURE)
    assert read(write(tmp_path / "b.png", plain.rgb, like=plain)).metadata.icc is None


def test_without_a_photo_to_be_like_it_is_srgb_at_8_bits(tmp_path):
    rgb = transfer.decode(PICTURE, SRGB, bit_depth=8)
    back = read(write(tmp_path / "a.png", rgb))
    assert_array_equal(srgb_u8(back), PICTURE)
    assert (back.metadata.bit_depth, back.metadata.exif, back.metadata.icc) == (8, None, None)


def test_light_above_white_clips(tmp_path):
    back = read(write(tmp_path / "a.png", np.full((2, 2, 3), 7.5, np.float32)))
    assert_array_equal(back.rgb, 1)


def test_jpeg_has_full_colour_resolution_and_the_asked_quality(tmp_path):
    rgb = transfer.decode(PICTURE, SRGB, bit_depth=8)
    sizes = []
    for quality in (None, 95, 60):
        path = write(tmp_path / f"{quality}.jpg", rgb, quality=quality)
        sizes.append(path.stat().st_size)
        with Image.open(path) as image:
            assert image.layer[0][1:3] == (1, 1)
    assert sizes[0] == sizes[1] > sizes[2]


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1)])
def test_tiny_photos_are_written(tmp_path, extension, size):
    rgb = np.full((*size, 3), 0.25, np.float32)
    assert_allclose(read(write(tmp_path / f"a.{extension}", rgb)).rgb, rgb, rtol=0, atol=0.02)


def test_exif_too_big_for_jpeg_is_left_out_and_logged(tmp_path, caplog):
    like = photo_of(PICTURE, exif=exif_block(1) + bytes(70000))
    assert read(write(tmp_path / "a.jpg", like.rgb, like=like)).metadata.exif is None
    assert "JPEG holds at most" in caplog.text


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_the_original_is_never_touched(tmp_path, name):
    source = tmp_path / name
    Image.fromarray(PICTURE).save(source)
    before = source.read_bytes(), source.stat().st_mtime_ns
    photo = read(source)
    link = tmp_path / "link.png"
    link.symlink_to(source)
    for target in (source, link, tmp_path / "." / name):
        with pytest.raises(InvalidInput, match="originals are never overwritten"):
            write(target, photo.rgb, like=photo, overwrite=True)
        with pytest.raises(InvalidInput, match="originals are never overwritten"):
            write(target, photo.rgb, like=photo)
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before


def test_existing_files_are_kept_unless_asked(tmp_path):
    rgb = np.zeros((2, 2, 3), np.float32)
    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    with pytest.raises(InvalidInput, match="exists already"):
        write(target, rgb)
    assert target.read_bytes() == b"mine"
    write(target, rgb, overwrite=True)
    assert read(target).rgb.shape == (2, 2, 3)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt])
def test_a_failing_encoder_leaves_nothing(tmp_path, monkeypatch, extension, error):
    def half_then_fail(*_args):
        yield b"half a file"
        raise error("broke")

    encoders = importlib.import_module("wideopen.files.write").ENCODERS
    for name in encoders:
        monkeypatch.setitem(encoders, name, half_then_fail)
    kept = tmp_path / f"a.{extension}"
    kept.write_bytes(b"old")
    expected = InvalidInput if error is OSError else error
    with pytest.raises(expected):
        write(kept, np.zeros((2, 2, 3), np.float32), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [kept.name]
    assert kept.read_bytes() == b"old"


def test_pictures_that_a_format_cannot_hold_are_refused_in_one_line(tmp_path):
    wide = np.zeros((1, 17000, 3), np.float32)
    with pytest.raises(InvalidInput, match="cannot be written as WebP") as caught:
        write(tmp_path / "a.webp", wide)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.gif", {}, r"expected one of \.jpg, .*\.exr, found \.gif$"),
        ("a", {}, "found no extension"),
        ("a.jpg", {"quality": 0}, "quality: expected 1 to 100, found 0"),
        ("a.jpg", {"quality": 101}, "quality: expected 1 to 100, found 101"),
        ("a.png", {"quality": 90}, "PNG is lossless, expected no quality"),
        ("no/a.png", {}, "expected an existing folder"),
        ("a.jpg", {"bits": 16}, r"a\.jpg: expected 8 bits in JPEG, found 16"),
        ("a.tif", {"bits": 12}, "expected 8 or 16 or 32 bits in TIFF, found 12"),
        ("a.exr", {"quality": 9}, "OpenEXR is lossless"),
    ],
)
def test_wrong_requests_are_refused_before_the_work(tmp_path, name, options, message):
    for attempt in (
        lambda: check_output(tmp_path / name, **options),
        lambda: write(tmp_path / name, np.zeros((2, 2, 3), np.float32), **options),
    ):
        with pytest.raises(InvalidInput, match=message):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_invalid_light_is_refused(tmp_path):
    for rgb in (np.zeros((2, 2), np.float32), np.full((2, 2, 3), np.nan, np.float32)):
        with pytest.raises(InvalidInput, match="rgb: expected"):
            write(tmp_path / "a.png", rgb)
    assert list(tmp_path.iterdir()) == []


def test_of_several_writers_to_one_name_one_wins(tmp_path):
    refused = []

    def attempt(level):
        try:
            write(tmp_path / "a.png", np.full((64, 64, 3), level, np.float32))
        except InvalidInput as error:
            refused.append(str(error))

    threads = [threading.Thread(target=attempt, args=(level,)) for level in np.linspace(0, 1, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert os.listdir(tmp_path) == ["a.png"]  # noqa: PTH208
    assert len(np.unique(read(tmp_path / "a.png").rgb)) == 1


def test_a_turned_photo_is_written_upright(tmp_path):
    exif = b"Exif\0\0" + exif_block(6, size=(48, 64))
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=exif, quality=100)
    photo = read(tmp_path / "a.jpg")
    for extension in EXTENSIONS:
        back = read(write(tmp_path / f"b.{extension}", photo.rgb, like=photo))
        assert back.rgb.shape == (64, 48, 3)
        assert np.abs(srgb_u8(back).astype(int) - srgb_u8(photo)).max() < 20


def test_a_smaller_result_states_its_own_size(tmp_path):
    like = photo_of(PICTURE, exif=exif_block(1))
    back = read(write(tmp_path / "a.jpg", like.rgb[:10, :20], like=replace(like)))
    kept = Image.Exif()
    kept.load(back.metadata.exif)
    assert (kept.get_ifd(EXIF_IFD)[0xA003], kept.get_ifd(EXIF_IFD)[0xA002]) == (10, 20)
