"""Reading: the right light from every format, depth, mode, profile and orientation."""

from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageCms, ImageFile
from sample_files import XMP, exif_block, smooth

from wideopen.arrays import transfer
from wideopen.color import ADOBE_RGB, DISPLAY_P3, REC2020, SRGB, Encoding, SampledCurve, srgb_decode
from wideopen.errors import InvalidInput
from wideopen.files import read, srgb_u8
from wideopen.files.containers import icc as profiles
from wideopen.files.containers import png
from wideopen.files.containers.icc import build_profile
from wideopen.files.containers.isobmff import Items, parse_items
from wideopen.photo import display_u8, to_srgb

PICTURE = smooth(48, 64)


def save(path, codes, name, **options):
    Image.fromarray(codes).save(path, name, **options)
    return path


def save_heic(path, codes, bits=8, **options):
    mode = "RGB" if bits == 8 else f"RGB;{bits}"
    height, width = codes.shape[:2]
    file = pillow_heif.from_bytes(mode, (width, height), codes.tobytes())
    file.save(path, bit_depth=bits, **options)
    return path


def light(codes, encoding=SRGB):
    """The plain formula, float64."""
    top = 255 if codes.dtype == np.uint8 else 65535
    channels = [encoding.curves[c].decode(codes[..., c] / top) for c in range(3)]
    return np.stack(channels, axis=-1)


FORMATS = {
    "JPEG": lambda path: save(path, PICTURE, "JPEG", quality=100, subsampling=0),
    "PNG": lambda path: save(path, PICTURE, "PNG"),
    "TIFF": lambda path: save(path, PICTURE, "TIFF", compression="tiff_lzw"),
    "WebP": lambda path: save(path, PICTURE, "WEBP", lossless=True),
    "AVIF": lambda path: save(path, PICTURE, "AVIF", quality=100, subsampling="4:4:4"),
    "HEIC": lambda path: save_heic(path, PICTURE, quality=100, chroma="444"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_recognised_by_content_and_decoded(name, tmp_path):
    photo = read(FORMATS[name](tmp_path / "photo.bin"))
    assert photo.metadata.format == name
    assert photo.metadata.notes == ()
    assert photo.encoding == SRGB
    assert photo.rgb.dtype == np.float32
    assert photo.source == tmp_path / "photo.bin"
    codes = 0 if name in ("PNG", "TIFF", "WebP") else 4  # worst seen 3, HEIC and JPEG
    assert np.abs(srgb_u8(photo).astype(int) - PICTURE).max() <= codes


def test_linear_light_is_the_formula(tmp_path):
    photo = read(save(tmp_path / "a.png", PICTURE, "PNG"))
    assert_allclose(photo.rgb, srgb_decode(PICTURE / 255), rtol=6e-8, atol=0)


def deep(rng):
    return rng.integers(0, 65536, (7, 5, 3), np.uint16)


def test_16_bit_png_keeps_every_bit(tmp_path, rng):
    codes = deep(rng)
    cv2.imwrite(str(tmp_path / "a.png"), codes[..., ::-1])
    photo = read(tmp_path / "a.png")
    assert photo.metadata.bit_depth == 16
    assert_array_equal(transfer.encode(photo.rgb, SRGB, bit_depth=16), codes)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_16_bit_tiff_keeps_every_bit(tmp_path, rng, planar, compression):
    codes = deep(rng)
    stored = codes if planar == "contig" else np.moveaxis(codes, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression=compression)
    photo = read(tmp_path / "a.tif")
    assert photo.metadata.bit_depth == 16
    assert_array_equal(transfer.encode(photo.rgb, SRGB, bit_depth=16), codes)


def test_16_bit_tiff_with_lzw_keeps_every_bit(tmp_path, rng):
    codes = deep(rng)
    cv2.imwrite(str(tmp_path / "a.tif"), codes[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    photo = read(tmp_path / "a.tif")
    assert_array_equal(transfer.encode(photo.rgb, SRGB, bit_depth=16), codes)


def test_10_bit_heic_is_not_cut_to_8_bits(tmp_path):
    ramp = np.repeat(np.linspace(200, 800, 256).astype(np.uint16)[None, :, None], 3, axis=2)
    codes = np.repeat(ramp, 64, axis=0)
    photo = read(save_heic(tmp_path / "a.heic", codes, bits=10, quality=100, chroma="444"))
    assert photo.metadata.bit_depth == 10
    back = transfer.encode(photo.rgb, SRGB, bit_depth=10)
    assert np.abs(back.astype(int) - codes).max() <= 3  # an 8-bit pass would merge 4 codes
    assert len(np.unique(back[32, :, 1])) > 200


@pytest.mark.parametrize("name", ["L", "I;16", "1", "P", "RGB;16 grey"])
def test_grey_palette_and_one_bit_pictures_are_read(tmp_path, name, rng):
    path = tmp_path / "a.png"
    if name == "L":
        want = rng.integers(0, 256, (6, 5), np.uint8)
        Image.fromarray(want).save(path)
    elif name == "1":
        want = (rng.integers(0, 2, (6, 5)) * 255).astype(np.uint8)
        Image.fromarray(want).convert("1").save(path)
    elif name == "P":
        image = Image.fromarray(PICTURE).convert("P", palette=Image.Palette.ADAPTIVE)
        image.save(path)
        want = np.asarray(image.convert("RGB"))
    else:
        want = rng.integers(0, 65536, (6, 5), np.uint16)
        if name == "I;16":
            path = tmp_path / "a.tif"
            Image.fromarray(want).save(path)
        else:
            cv2.imwrite(str(path), want)
    photo = read(path)
    want = want if want.ndim == 3 else np.repeat(want[..., None], 3, axis=2)
    assert_allclose(photo.rgb, light(want), rtol=6e-8, atol=0)
    assert photo.metadata.notes == ()


def over_white(rgba):
    top = 255 if rgba.dtype == np.uint8 else 65535
    alpha = rgba[..., 3:] / top
    return light(rgba[..., :3]) * alpha + (1 - alpha)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_transparency_is_placed_over_white_with_a_note(tmp_path, rng, kind):
    rgba = rng.integers(0, np.iinfo(kind).max + 1, (6, 5, 4), kind)
    cv2.imwrite(str(tmp_path / "a.png"), rgba[..., [2, 1, 0, 3]])
    photo = read(tmp_path / "a.png")
    assert photo.metadata.notes == ("transparent parts placed over white",)
    assert_allclose(photo.rgb, over_white(rgba), rtol=0, atol=3e-7)
    rgba[..., 3] = np.iinfo(kind).max
    cv2.imwrite(str(tmp_path / "b.png"), rgba[..., [2, 1, 0, 3]])
    opaque = read(tmp_path / "b.png")
    assert opaque.metadata.notes == ()
    depth = opaque.metadata.bit_depth
    assert_array_equal(transfer.encode(opaque.rgb, SRGB, bit_depth=depth), rgba[..., :3])


def test_transparency_of_palettes_and_grey_is_placed_over_white(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=bytes([255, 0]))
    assert_allclose(read(tmp_path / "p.png").rgb, [[[1, 0, 0], [1, 1, 1]]], rtol=0, atol=1e-7)
    grey = np.array([[[0, 255], [0, 0]]], np.uint8)
    Image.fromarray(grey, "LA").save(tmp_path / "la.png")
    assert_allclose(read(tmp_path / "la.png").rgb, [[[0, 0, 0], [1, 1, 1]]], rtol=0, atol=1e-7)


def test_premultiplied_16_bit_tiff_is_divided_by_its_alpha(tmp_path):
    rgba = np.array([[[10000, 20000, 30000, 32768], [0, 0, 0, 0]]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["assocalpha"])
    straight = np.array([[[20000, 39999, 59999, 32768], [0, 0, 0, 0]]], np.uint16)
    assert_allclose(read(tmp_path / "a.tif").rgb, over_white(straight), rtol=0, atol=2e-5)


def test_other_channels_of_a_tiff_are_dropped_with_a_note(tmp_path, rng):
    five = rng.integers(0, 65536, (4, 4, 4), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", five, photometric="rgb", extrasamples=["unspecified"])
    photo = read(tmp_path / "a.tif")
    assert "further channels" in photo.metadata.notes[0]
    assert_allclose(photo.rgb, light(five[..., :3]), rtol=6e-8, atol=0)


@pytest.mark.parametrize("mode", ["CMYK", "LAB"])
def test_cmyk_and_lab_become_srgb_with_a_note(tmp_path, mode):
    image = Image.fromarray(PICTURE)
    if mode == "CMYK":
        image.convert("CMYK").save(tmp_path / "a", "JPEG", quality=100, subsampling=0)
    else:
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB").save(tmp_path / "a", "TIFF")
    photo = read(tmp_path / "a")
    assert mode in photo.metadata.notes[0]
    assert photo.encoding == SRGB
    assert photo.metadata.icc is None
    off = np.abs(srgb_u8(photo).astype(int) - PICTURE)
    assert off.mean() < 1.5
    assert off.max() <= 20  # worst seen 15: 8-bit Lab in dark saturated colours


@pytest.mark.parametrize("encoding", [DISPLAY_P3, ADOBE_RGB], ids=lambda e: e.name)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_wide_gamut_keeps_its_primaries(tmp_path, encoding, name):
    icc = build_profile(encoding)
    options = {"lossless": True} if name == "WEBP" else {"quality": 100}
    photo = read(save(tmp_path / "a", PICTURE, name, icc_profile=icc, **options))
    assert photo.metadata.icc == icc
    assert photo.metadata.notes == ()
    assert photo.encoding.name == encoding.name
    exact = name in ("PNG", "TIFF", "WEBP")
    atol = 3e-5 if exact else 0.03  # rounding in the profile; lossy formats some codes
    assert_allclose(photo.rgb, light(PICTURE, encoding), rtol=0, atol=atol)


@pytest.mark.parametrize("encoding", [SRGB, DISPLAY_P3, ADOBE_RGB], ids=lambda e: e.name)
def test_networks_and_edges_see_the_files_own_bytes(tmp_path, encoding):
    """Codes with the curve of sRGB are taken as they are; small pictures become sRGB as the whole photo would."""
    photo = read(save(tmp_path / "a.png", PICTURE, "PNG", icc_profile=build_profile(encoding)))
    shown, known = display_u8(photo)
    assert_array_equal(shown, srgb_u8(photo) if encoding is ADOBE_RGB else PICTURE)
    assert_array_equal(to_srgb(shown, known), srgb_u8(photo))
    assert_array_equal(display_u8(replace(photo, codes=None))[0], srgb_u8(photo))


def test_wide_gamut_is_shown_to_the_network_in_srgb(tmp_path):
    icc = build_profile(DISPLAY_P3)
    photo = read(save(tmp_path / "a.png", PICTURE, "PNG", icc_profile=icc))
    srgb = np.clip(light(PICTURE, DISPLAY_P3) @ np.array(DISPLAY_P3.to_srgb).T, 0, 1)
    want = np.where(srgb <= 0.0031308, srgb * 12.92, 1.055 * srgb ** (1 / 2.4) - 0.055)
    assert np.abs(srgb_u8(photo) - 255 * want).max() <= 0.51
    grey = np.full((1, 1, 3), 128, np.uint8)
    photo = read(save(tmp_path / "b.png", grey, "PNG", icc_profile=icc))
    assert_array_equal(srgb_u8(photo), grey)


def test_p3_is_recognised_without_a_profile(tmp_path):
    path = save_heic(tmp_path / "a.heic", PICTURE, color_primaries=12, transfer_characteristics=13)
    assert read(path).encoding == DISPLAY_P3


def test_primaries_are_read_from_a_png_chunk(tmp_path):
    data = cv2.imencode(".png", PICTURE[..., ::-1])[1].tobytes()
    path = tmp_path / "a.png"
    for content, want in ((b"\x0c\x0d\0\x01", DISPLAY_P3), (b"\x01\x0d\0\x01", SRGB)):
        path.write_bytes(b"".join(png.with_chunks(data, [(b"cICP", content)])))
        assert read(path).encoding == want
    path.write_bytes(b"".join(png.with_chunks(data, [(b"cICP", b"\x09\x0d\0\x01")])))
    assert read(path).encoding == REC2020
    path.write_bytes(b"".join(png.with_chunks(data, [(b"cICP", b"\x04\x0d\0\x01")])))
    assert read(path).metadata.notes == ("colour primaries 4 of ITU-T H.273 treated as sRGB",)


def test_the_depth_of_an_avif_is_known(tmp_path):
    data = bytearray(save(tmp_path / "a.avif", PICTURE, "AVIF").read_bytes())
    assert parse_items(bytes(data)).bits == 8
    at = data.index(b"pixi") + 9
    data[at : at + 3] = b"\x0a\x0a\x0a"
    assert parse_items(bytes(data)).bits == 10
    assert Items().bits == 8


def test_adobe_rgb_is_recognised_by_exif_alone(tmp_path):
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner[0xA001] = 0xFFFF
    inner[0xA005] = {1: "R03"}
    photo = read(save(tmp_path / "a.jpg", PICTURE, "JPEG", exif=exif))
    assert photo.encoding == ADOBE_RGB


FLAT = Encoding("Flat", (SampledCurve((0.0, 0.0, 0.5, 1.0)),) * 3, SRGB.to_srgb)


def without_matrix(profile):
    return profile.replace(b"rXYZ", b"xXYZ").replace(b"gTRC", b"xTRC")


@pytest.mark.parametrize(
    ("icc", "note"),
    [
        (b"not a profile at all", "no ICC profile; treated as sRGB"),
        (build_profile(SRGB)[:300], "cut short; treated as sRGB"),
        (build_profile(SRGB).replace(b"RGB XYZ ", b"CMYKXYZ "), "for CMYK does not fit"),
        (build_profile(SRGB).replace(b"RGB XYZ ", b"GRAYXYZ "), "for GRAY does not fit"),
        (without_matrix(build_profile(SRGB)), "unusable; treated as sRGB"),
    ],
)
def test_profiles_that_cannot_be_used_are_left_out_with_a_note(tmp_path, icc, note):
    photo = read(save(tmp_path / "a.png", PICTURE, "PNG", icc_profile=icc))
    assert note in photo.metadata.notes[0]
    assert photo.metadata.icc is None
    assert photo.encoding == SRGB
    assert_array_equal(srgb_u8(photo), PICTURE)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_profiles_with_a_flat_curve_are_converted(tmp_path, kind):
    codes = PICTURE if kind == np.uint8 else PICTURE.astype(np.uint16) * 257
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, codes, photometric="rgb", iccprofile=build_profile(FLAT))
    photo = read(path)
    assert "(Flat) is made of tables; converted" in photo.metadata.notes[0]
    assert (photo.encoding, photo.metadata.icc) == (SRGB, None)
    assert photo.metadata.bit_depth == 8 * codes.itemsize
    atol = 0.02 if kind == np.uint8 else 2e-4  # worst seen at 16 bits 3e-5
    assert_allclose(photo.rgb, light(codes, FLAT), rtol=0, atol=atol)


def test_a_table_profile_is_converted_at_8_bits_without_imagecodecs(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "find_spec", lambda _name: None)
    tifffile.imwrite(tmp_path / "a", PICTURE.astype(np.uint16) * 257, photometric="rgb", iccprofile=build_profile(FLAT))
    photo = read(tmp_path / "a")
    assert "converted to sRGB at 8 bits (at 16 with pip install 'wideopen[jxl]')" in photo.metadata.notes[0]
    assert photo.metadata.bit_depth == 8


def test_grey_profiles_are_undone_by_their_curve(tmp_path):
    gamma = build_profile(ADOBE_RGB).replace(b"RGB XYZ ", b"GRAYXYZ ").replace(b"rTRC", b"kTRC")
    grey = np.arange(256, dtype=np.uint8)[None]
    photo = read(save(tmp_path / "a.png", grey, "PNG", icc_profile=gamma))
    assert "grey profile (Adobe RGB)" in photo.metadata.notes[0]
    assert (photo.encoding, photo.metadata.icc) == (SRGB, None)
    assert_allclose(photo.rgb[..., 1], (grey / 255) ** (563 / 256), rtol=0, atol=3e-5)


def test_cmyk_with_a_damaged_profile_is_converted_with_a_note(tmp_path):
    image = Image.fromarray(PICTURE).convert("CMYK")
    image.save(tmp_path / "a.jpg", icc_profile=b"garbage")
    assert "unreadable" in read(tmp_path / "a.jpg").metadata.notes[0]


# Row and column of the displayed picture's corners in the stored one, from Exif 3.0, Table 4.6.4.
ARROW = np.zeros((2, 3, 3), np.uint8)
ARROW[0, 0], ARROW[0, 1], ARROW[0, 2] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
ARROW[1, 0] = (255, 255, 255)
STORED = {
    1: ARROW,
    2: np.fliplr(ARROW),
    3: np.rot90(ARROW, 2),
    4: np.flipud(ARROW),
    5: ARROW.transpose(1, 0, 2),
    6: np.rot90(ARROW, 1),
    7: np.rot90(ARROW, 2).transpose(1, 0, 2),
    8: np.rot90(ARROW, -1),
}


@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP", "PNG 16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_once(tmp_path, name, orientation):
    stored = np.ascontiguousarray(STORED[orientation])
    exif = b"Exif\0\0" + exif_block(orientation, stored.shape[:2])
    path = tmp_path / "a"
    if name == "PNG 16":
        data = cv2.imencode(".png", stored[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
        path.write_bytes(b"".join(png.with_chunks(data, [(b"eXIf", exif[6:])])))
    else:
        options = {"lossless": True} if name == "WEBP" else {}
        save(path, stored, name, exif=exif, **options)
    photo = read(path)
    assert_array_equal(srgb_u8(photo), ARROW)
    kept = Image.Exif()
    kept.load(photo.metadata.exif)
    assert (kept[274], kept[271]) == (1, "Maker")
    assert (kept.get_ifd(0x8769)[0xA003], kept.get_ifd(0x8769)[0xA002]) == (2, 3)


def test_an_oriented_tiff_is_turned_once_at_16_bits_too(tmp_path):
    stored = np.ascontiguousarray(STORED[6]).astype(np.uint16) * 257
    tag = (274, "H", 1, 6, True)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extratags=[tag])
    assert_array_equal(srgb_u8(read(tmp_path / "a.tif")), ARROW)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "HEIC", "AVIF"])
def test_lossy_formats_are_turned_upright_once(tmp_path, name, orientation):
    stored = np.ascontiguousarray(np.kron(STORED[orientation], np.ones((32, 32, 1), np.uint8)))
    exif = b"Exif\0\0" + exif_block(orientation)
    if name == "HEIC":  # pillow_heif turns the EXIF number into a rotation of the container
        heif = pillow_heif.from_bytes("RGB", stored.shape[1::-1], stored.tobytes())
        heif.save(tmp_path / "a", quality=95, exif=exif)
    else:
        save(tmp_path / "a", stored, name, exif=exif, quality=95)
    photo = read(tmp_path / "a")
    small = srgb_u8(photo)[16::32, 16::32]
    assert small.shape == ARROW.shape
    assert np.abs(small.astype(int) - ARROW).max() < 40
    assert photo.metadata.notes == ()


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_orientations_that_do_not_exist_are_ignored_with_a_note(tmp_path, orientation):
    exif = b"Exif\0\0" + exif_block(orientation)
    photo = read(save(tmp_path / "a.png", PICTURE, "PNG", exif=exif))
    assert_array_equal(srgb_u8(photo), PICTURE)
    assert photo.metadata.notes == (f"EXIF orientation {orientation} is not one of 1 to 8, ignored",)


def test_garbage_exif_is_dropped_with_a_note(tmp_path):
    photo = read(save(tmp_path / "a.jpg", PICTURE, "JPEG", exif=b"Exif\0\0" + b"rubbish" * 9))
    assert photo.metadata.exif is None
    assert photo.metadata.notes == ("EXIF unreadable, dropped",)


def test_exif_with_invalid_offsets_is_noted_and_the_rest_used(tmp_path):
    exif = exif_block(6, size=PICTURE.shape[:2])
    cut = exif[: exif.index(b"Model 7")]
    photo = read(save(tmp_path / "a.jpg", PICTURE, "JPEG", exif=b"Exif\0\0" + cut))
    assert photo.rgb.shape == (64, 48, 3)  # turned
    assert photo.metadata.notes == ("EXIF is damaged: tags that point outside it are ignored",)


def test_a_misleading_extension_is_noted(tmp_path):
    photo = read(save(tmp_path / "a.JPG", PICTURE, "PNG"))
    assert_array_equal(srgb_u8(photo), PICTURE)
    assert photo.metadata.notes == ("named .JPG, but PNG inside",)
    assert read(save(tmp_path / "a.jpeg", PICTURE, "JPEG")).metadata.notes == ()


def test_xmp_is_read_and_reset(tmp_path):
    for name in ("JPEG", "WEBP", "TIFF"):
        options = {"tiffinfo": {700: XMP}} if name == "TIFF" else {"xmp": XMP}
        photo = read(save(tmp_path / name, PICTURE, name, **options))
        assert photo.metadata.xmp == XMP.replace(b'Orientation="6"', b'Orientation="1"')


@pytest.mark.parametrize("name", ["TIFF", "WEBP", "AVIF", "PNG"])
def test_of_several_pictures_the_first_is_read_with_a_note(tmp_path, name):
    first, second = Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())
    options = {"lossless": True} if name == "WEBP" else {}
    first.save(tmp_path / "a", name, save_all=True, append_images=[second], **options)
    photo = read(tmp_path / "a")
    assert photo.metadata.notes == ("the file holds 2 pictures, the first was read",)
    assert np.abs(srgb_u8(photo).astype(int) - PICTURE).max() < 20


def test_pictures_after_a_jpeg_are_noted(tmp_path):
    first, second = Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    assert "after the photo" in read(tmp_path / "a.jpg").metadata.notes[0]


def test_the_programs_own_pillow_settings_do_not_interfere(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = save(tmp_path / "a.jpg", PICTURE, "JPEG")
    assert read(path).rgb.shape == PICTURE.shape
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InvalidInput, match="damaged or incomplete JPEG"):
        read(path)
    assert (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS) == (True, 10)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (2, 3)])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIC"])
def test_tiny_photos_are_read(tmp_path, size, name):
    codes = np.full((*size, 3), 120, np.uint8)
    if name == "HEIC":
        save_heic(tmp_path / "a", codes)
    else:
        save(tmp_path / "a", codes, name)
    assert read(tmp_path / "a").rgb.shape == codes.shape


def test_bytes_of_a_file_are_not_held_twice(tmp_path):
    buffer = BytesIO()
    Image.fromarray(PICTURE).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    photo = read(tmp_path / "a.png")
    assert photo.rgb.base is None
    assert photo.rgb.flags.c_contiguous
