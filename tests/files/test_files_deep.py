"""More than 8 bits, floats, JPEG XL, OpenEXR and raw files: nothing passes through 8 bits on its way."""

import struct
from io import BytesIO

import cv2
import imagecodecs
import numpy as np
import OpenEXR
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sample_files import XMP, exif_block, smooth

from wideopen import errors
from wideopen.arrays import transfer
from wideopen.color import ADOBE_RGB, DISPLAY_P3, SRGB, Encoding, ParametricCurve, chromaticities
from wideopen.errors import InvalidInput
from wideopen.files import Metadata, Photo, check_output, read, srgb_u8, write
from wideopen.files.containers import tiff
from wideopen.files.containers.icc import build_profile

PICTURE = smooth(48, 64)
RAMP = np.repeat(np.repeat(np.linspace(8000, 40000, 512).astype(np.uint16)[None, :, None], 3, axis=2), 32, axis=0)
ENCODINGS = pytest.mark.parametrize("encoding", [SRGB, DISPLAY_P3, ADOBE_RGB], ids=lambda e: e.name)


def photo_of(codes, encoding=SRGB, bits=16, **metadata):
    rgb = transfer.decode(codes, encoding, bit_depth=bits)
    return Photo(rgb=rgb, encoding=encoding, metadata=Metadata(bit_depth=bits, **metadata))


def bright(rng, size=(13, 17)):
    """Light from far below one code to far above white."""
    return np.exp(rng.uniform(-9, 3, (*size, 3))).astype(np.float32)


# Levels seen in a ramp of 512 that spans half the codes; 8 bits have 125.
@pytest.mark.parametrize(
    ("extension", "levels"), [("png", 512), ("tif", 512), ("exr", 512), ("avif", 480), ("heic", 400)]
)
def test_a_smooth_ramp_keeps_its_levels(tmp_path, extension, levels):
    like = photo_of(RAMP)
    back = read(write(tmp_path / f"a.{extension}", like.rgb, like=like, **({"quality": 100} if levels < 512 else {})))
    assert len(np.unique(back.rgb[16, :, 1])) >= levels
    assert_allclose(back.rgb[16], like.rgb[16], rtol=0.02, atol=0)


@ENCODINGS
@pytest.mark.parametrize("extension", ["tif", "exr"])
def test_floats_come_back_bit_by_bit_in_their_primaries(tmp_path, rng, extension, encoding):
    light = bright(rng)
    like = Photo(rgb=light, encoding=encoding, metadata=Metadata(bit_depth=32))
    path = write(tmp_path / f"a.{extension}", light, like=like)
    back = read(path)
    assert_array_equal(back.rgb, light)
    assert (back.metadata.bit_depth, back.encoding.name, back.metadata.notes) == (32, encoding.name, ())
    assert_allclose(back.encoding.to_srgb, encoding.to_srgb, rtol=0, atol=2e-4)


def test_pixels_that_a_tiff_cannot_reach_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "_MOST_BYTES", 100)
    with pytest.raises(InvalidInput, match=r"a\.tif: cannot be written as TIFF \(its offsets reach 4 GB"):
        write(tmp_path / "a.tif", np.zeros((8, 8, 3), np.float32))


def test_other_programs_see_the_floats_and_the_colours(tmp_path, rng):
    light = bright(rng)
    like = Photo(rgb=light, encoding=DISPLAY_P3, metadata=Metadata(bit_depth=32, exif=exif_block(1)))
    assert_array_equal(tifffile.imread(write(tmp_path / "a.tif", light, like=like)), light)
    path = write(tmp_path / "a.exr", light, like=like)
    with OpenEXR.File(str(path)) as file:
        assert_array_equal(file.channels()["RGB"].pixels, light)
        assert_allclose(np.ravel(file.header()["chromaticities"]), chromaticities(DISPLAY_P3), rtol=0, atol=1e-6)


def test_half_floats_hold_8_bits_exactly(tmp_path, rng):
    codes = rng.integers(0, 256, (13, 17, 3), np.uint8)
    like = photo_of(codes, bits=8)
    path = write(tmp_path / "a.exr", like.rgb, like=like)
    with OpenEXR.File(str(path)) as file:
        assert file.channels()["RGB"].pixels.dtype == np.float16
    assert_array_equal(srgb_u8(read(path)), codes)


def test_bits_can_be_asked_for(tmp_path):
    like = photo_of(PICTURE, bits=8)
    smoother = like.rgb * np.float32(0.777)
    for name, bits in (("a.png", 16), ("a.tif", 32), ("a.avif", 10), ("a.heic", 10), ("a.exr", 32)):
        back = read(write(tmp_path / name, smoother, like=like, bits=bits))
        assert back.metadata.bit_depth == (32 if name.endswith("exr") else bits)
        assert_allclose(back.rgb, smoother, rtol=0.1, atol=0.01)
    deep = photo_of(RAMP)
    assert read(write(tmp_path / "b.png", deep.rgb, like=deep, bits=8)).metadata.bit_depth == 8


@pytest.mark.parametrize("depth", [10, 12])
def test_deep_avif_is_read_as_deep_as_it_is(tmp_path, depth):
    codes = np.sort((np.arange(64 * 48 * 3).reshape(48, 64, 3) * 7 % 2**depth).astype(np.uint16), axis=1)
    data = imagecodecs.avif_encode(codes, level=100, bitspersample=depth, pixelformat="444", speed=8)
    (tmp_path / "a.avif").write_bytes(data)
    photo = read(tmp_path / "a.avif")
    assert (photo.metadata.bit_depth, photo.metadata.notes) == (depth, ())
    assert_array_equal(transfer.encode(photo.rgb, SRGB, bit_depth=depth), codes)


def test_a_turned_deep_avif_is_upright(tmp_path):
    ramp = RAMP[:, :64]
    blocks = {cv2.IMAGE_METADATA_EXIF: np.frombuffer(exif_block(6, size=ramp.shape[:2]), np.uint8)}
    _, data = cv2.imencodeWithMetadata(
        ".avif", ramp >> 6, list(blocks), list(blocks.values()), [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_SPEED, 9]
    )
    (tmp_path / "a.avif").write_bytes(data)
    photo = read(tmp_path / "a.avif")
    assert photo.rgb.shape == (64, 32, 3)
    assert (np.diff(photo.rgb[:, 16, 1]) >= -1e-3).all()  # dark at the left became dark at the top
    assert photo.rgb[-1, 16, 1] > photo.rgb[0, 16, 1]


def test_floats_with_a_curve_are_decoded_by_it_and_clipped_with_a_note(tmp_path):
    codes = np.array([[[0.25, 0.5, 1.5]]], np.float32)
    gamma = Encoding("Gamma 2", (ParametricCurve(2.0),) * 3, SRGB.to_srgb)
    tifffile.imwrite(tmp_path / "a.tif", codes, photometric="rgb", iccprofile=build_profile(gamma))
    photo = read(tmp_path / "a.tif")
    assert_allclose(photo.rgb, [[[0.0625, 0.25, 1]]], rtol=0, atol=1e-6)
    assert photo.metadata.notes == ("floats above 1 clipped: their profile (Gamma 2) ends there",)
    tifffile.imwrite(tmp_path / "b.tif", codes, photometric="rgb")
    plain = read(tmp_path / "b.tif")
    assert_array_equal(plain.rgb, codes)
    assert plain.metadata.notes == ("floats without a profile taken as linear sRGB light",)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_floats_of_16_and_64_bits_are_read(tmp_path, kind):
    codes = np.array([[[0.25, 0.5, 1.5]]], kind)
    tifffile.imwrite(tmp_path / "a.tif", codes, photometric="rgb")
    assert_array_equal(read(tmp_path / "a.tif").rgb, codes.astype(np.float32))


def test_negative_and_non_finite_floats_are_noted(tmp_path):
    codes = np.array([[[np.nan, np.inf, -0.5], [1, 2, 3]]], np.float32)
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": codes}) as file:
        file.write(str(tmp_path / "a.exr"))
    photo = read(tmp_path / "a.exr")
    assert_array_equal(photo.rgb, [[[0, 0, 0], [1, 2, 3]]])
    assert len(photo.metadata.notes) == 2


def test_grey_and_transparent_exr_are_read(tmp_path):
    grey, half_there = np.full((3, 4), 0.5, np.float32), np.full((3, 4), 0.25, np.float32)
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Y": grey}) as file:
        file.write(str(tmp_path / "y.exr"))
    assert_array_equal(read(tmp_path / "y.exr").rgb, np.full((3, 4, 3), 0.5))
    channels = {"R": half_there, "G": half_there, "B": half_there, "A": grey}
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, channels) as file:
        file.write(str(tmp_path / "a.exr"))
    photo = read(tmp_path / "a.exr")  # premultiplied 0.25 at half coverage, and half of white behind it
    assert_allclose(photo.rgb, 0.75, rtol=0, atol=1e-6)
    assert photo.metadata.notes == ("transparent parts placed over white",)
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": grey}) as file:
        file.write(str(tmp_path / "z.exr"))
    with pytest.raises(InvalidInput, match=r"z\.exr: expected channels R, G, B or Y, found Z"):
        read(tmp_path / "z.exr")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_lossless_jpeg_xl_gives_back_every_bit(tmp_path, rng, kind):
    codes = rng.integers(0, np.iinfo(kind).max + 1, (13, 17, 3), kind)
    like = photo_of(codes, bits=8 * codes.itemsize, exif=exif_block(1), xmp=XMP.replace(b'"6"', b'"1"'))
    back = read(write(tmp_path / "a.jxl", like.rgb, like=like, quality=100))
    assert (back.metadata.format, back.metadata.bit_depth) == ("JPEG XL", 8 * codes.itemsize)
    assert_array_equal(transfer.encode(back.rgb, SRGB, bit_depth=8 * codes.itemsize), codes)
    assert back.metadata.xmp == like.metadata.xmp
    tags = Image.Exif()
    tags.load(back.metadata.exif)
    assert (tags[271], tags.get_ifd(0x8769)[33434]) == ("Maker", 0.01)
    assert back.metadata.notes == ()


def test_lossy_jpeg_xl_of_a_deep_photo_is_smooth_and_right(tmp_path):
    like = photo_of(RAMP)
    back = read(write(tmp_path / "a.jxl", like.rgb, like=like))
    assert back.metadata.bit_depth == 16
    assert len(np.unique(back.rgb[16, :, 1])) > 300
    assert_allclose(back.rgb[16], like.rgb[16], rtol=0.03, atol=0)  # worst seen 0.019


@ENCODINGS
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_jpeg_xl_keeps_the_photos_colours(tmp_path, kind, encoding):
    codes = PICTURE.astype(kind) * (np.iinfo(kind).max // 255)
    like = photo_of(codes, encoding, bits=8 * codes.itemsize)
    back = read(write(tmp_path / "a.jxl", like.rgb, like=like, quality=100))
    assert back.encoding.name == encoding.name
    assert_array_equal(transfer.encode(back.rgb, encoding, bit_depth=8 * codes.itemsize), codes)
    assert back.metadata.notes == ()
    lossy = read(write(tmp_path / "b.jxl", like.rgb, like=like))
    assert np.abs(srgb_u8(lossy).astype(int) - srgb_u8(like)).mean() < 1.5  # worst seen 0.94


def read_jxl(folder, codes, **options):
    (folder / "a").write_bytes(imagecodecs.jpegxl_encode(codes, lossless=True, **options))
    return read(folder / "a")


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize("codes", [PICTURE, PICTURE[:1, :1], np.repeat(PICTURE, 30, axis=1), PICTURE[..., 1]])
def test_a_jpeg_xl_of_another_encoder_is_read(tmp_path, codes, container):
    photo = read_jxl(tmp_path, codes, usecontainer=container)
    assert photo.encoding == SRGB
    assert_array_equal(srgb_u8(photo), codes if codes.ndim == 3 else np.repeat(codes[..., None], 3, axis=2))


def test_a_jpeg_xl_of_10_bits_is_as_bright_as_one_of_16(tmp_path):
    deep = (PICTURE.astype(np.uint16) * 1023) // 255
    photo = read_jxl(tmp_path, deep, bitspersample=10)  # the encoder calls what is deeper than 8 bits light
    assert_allclose(photo.rgb, deep / 1023, rtol=0, atol=1e-4)


def test_floats_of_a_jpeg_xl_are_light(tmp_path):
    photo = read_jxl(tmp_path, PICTURE.astype(np.float32) / 255)
    assert_allclose(photo.rgb, PICTURE / 255, rtol=0, atol=1e-6)


def test_hdr_in_a_jpeg_xl_is_refused(tmp_path):
    data = imagecodecs.jpegxl_encode(PICTURE.astype(np.uint16), lossless=True)
    messages = set()
    header = 8 * data.index(b"\xff\x0a") + 16
    for bit in range(header, header + 64):  # one bit is between "linear" (8) and "PQ" (16)
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "a.jxl").write_bytes(changed)
        try:
            read(tmp_path / "a.jxl", max_megapixels=1)
        except InvalidInput as error:
            messages.add(str(error))
    assert f"{tmp_path / 'a.jxl'}: expected a photo of standard range, found HDR (PQ)" in messages


def test_a_large_jpeg_xl_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    import OpenImageIO

    limits = []
    attribute = OpenImageIO.attribute
    monkeypatch.setattr(OpenImageIO, "attribute", lambda name, value: limits.append(value) or attribute(name, value))
    before = OpenImageIO.get_int_attribute("limits:imagesize_MB")
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(np.zeros((3000, 1000), np.uint8), effort=1))
    with pytest.raises(InvalidInput, match=r"at most 2 megapixels \(max_megapixels\), found 1000 x 3000 pixels"):
        read(tmp_path / "a.jxl", max_megapixels=2)
    assert limits == [1, before]  # the library decodes what is within its limit, in megabytes
    assert read(tmp_path / "a.jxl", max_megapixels=3).rgb.shape == (3000, 1000, 3)


def dng(codes, orientation=1):
    """A raw file as small as LibRaw takes it: RGGB, 16 bits, the camera's primaries those of XYZ."""
    identity = [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]
    tags = [
        (271, 2, 6, b"Maker\0", True),
        (272, 2, 6, b"Model\0", True),
        (274, 3, 1, orientation, True),
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, b"\0\1\1\2", True),
        (50706, 1, 4, b"\1\4\0\0", True),
        (50708, 2, 6, b"Model\0", True),
        (50717, 4, 1, 65535, True),
        (50721, 10, 9, identity, True),
        (50728, 5, 3, [1, 1, 1, 1, 1, 1], True),
        (50778, 3, 1, 21, True),
    ]
    out = BytesIO()
    tifffile.imwrite(out, codes, photometric=32803, extratags=tags, metadata=None)
    return out.getvalue()


def test_a_raw_file_becomes_linear_light_at_16_bits_upright(tmp_path):
    scene = np.full((96, 128), 3000, np.uint16)
    scene[:, 64:] = 12000
    (tmp_path / "a.dng").write_bytes(dng(scene))
    photo = read(tmp_path / "a.dng")
    assert (photo.metadata.format, photo.metadata.bit_depth, photo.encoding) == ("camera raw", 16, DISPLAY_P3)
    assert photo.rgb.shape == (96, 128, 3)
    dark, light = photo.rgb[48, 30, 1], photo.rgb[48, 100, 1]
    assert_allclose(light / dark, 4, rtol=0.02, atol=0)  # proportional to what the sensor counted
    assert "without a tone curve" in photo.metadata.notes[0]
    tags = Image.Exif()
    tags.load(photo.metadata.exif)
    assert (tags[271], 33422 in tags, 50721 in tags) == ("Maker", False, False)
    (tmp_path / "b.dng").write_bytes(dng(scene, orientation=6))
    turned = read(tmp_path / "b.dng")
    assert turned.rgb.shape == (128, 96, 3)
    assert turned.rgb[100, 48, 1] > 3 * turned.rgb[20, 48, 1]
    tags.load(turned.metadata.exif)
    assert tags.get(274, 1) == 1
    back = read(write(tmp_path / "a.tif", photo.rgb, like=photo))
    assert back.metadata.bit_depth == 16
    assert_allclose(back.rgb, photo.rgb, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "extra"),
    [
        ("a.jxl", b"\xff\x0a" + bytes(20), "JPEG XL needs OpenImageIO, .* 'wideopen\\[jxl\\]'"),
        ("a.exr", b"\x76\x2f\x31\x01" + bytes(20), "OpenEXR needs OpenImageIO, .* 'wideopen\\[exr\\]'"),
        ("a.raf", b"FUJIFILMCCD-RAW " + bytes(20), "camera raw needs rawpy, .* 'wideopen\\[raw\\]'"),
        ("a.dng", dng(np.zeros((32, 32), np.uint16)), "camera raw needs rawpy, .* 'wideopen\\[raw\\]'"),
    ],
)
def test_a_format_whose_library_is_missing_names_the_extra(tmp_path, monkeypatch, name, content, extra):
    monkeypatch.setattr(errors, "find_spec", lambda _name: None)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=extra) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)
    if name in ("a.jxl", "a.exr"):
        with pytest.raises(InvalidInput, match=extra):
            check_output(tmp_path / f"b{name[1:]}")


@pytest.mark.parametrize("name", ["JPEG XL", "OpenEXR", "DNG"])
def test_damaged_files_of_these_formats_are_one_line(tmp_path, capfd, rng, name):
    path = tmp_path / "a"
    if name == "JPEG XL":
        data = imagecodecs.jpegxl_encode(PICTURE, usecontainer=True)
    elif name == "OpenEXR":
        write(tmp_path / "a.exr", transfer.decode(PICTURE, SRGB, bit_depth=8))
        data = (tmp_path / "a.exr").read_bytes()
    else:
        data = dng(rng.integers(0, 65536, (48, 64), np.uint16))
    for part in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(InvalidInput, match=r"damaged or incomplete|found another kind") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    for _ in range(40):
        damaged = bytearray(data)
        for at in rng.integers(8, len(damaged), 4):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read(path, max_megapixels=1)
        except InvalidInput as error:
            assert "\n" not in str(error)  # noqa: PT017
    output = capfd.readouterr()
    assert output.out == ""
    assert name != "JPEG XL" or output.err == ""  # LibRaw and OpenEXR cannot be kept from writing to it


def test_a_jpeg_xl_whose_end_is_damaged_is_read_with_a_note(tmp_path):
    data = imagecodecs.jpegxl_encode(PICTURE, lossless=True, usecontainer=True)
    (tmp_path / "a").write_bytes(data + struct.pack(">I4sI", 40, b"Exif", 0) + bytes(8))
    photo = read(tmp_path / "a")
    assert_array_equal(srgb_u8(photo), PICTURE)
    assert photo.metadata.notes == ("the end of the file is damaged and ignored",)
