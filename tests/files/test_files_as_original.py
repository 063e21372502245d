"""A result is coded as its original was, with its IPTC; what is not blurred stays what it was."""

import struct
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import ExifTags, Image, JpegImagePlugin
from sample_files import exif_block, smooth, with_thumbnail

from wideopen.arrays import transfer
from wideopen.color import SRGB
from wideopen.errors import InvalidInput
from wideopen.files import Metadata, Photo, read, srgb_u8, write
from wideopen.files.containers import jpeg
from wideopen.lens import Lens
from wideopen.pipeline import analyze, render
from wideopen.settings import MapSettings

IPTC = b"\x1c\x02\x00\x00\x02\x00\x04" + b"\x1c\x02\x78\x00\x0bA caption, \xfc"


def detailed(rng, size=(48, 64)):
    """A picture that JPEG has to work for: gradients, edges and noise."""
    codes = smooth(*size).astype(int) + rng.integers(-20, 21, (*size, 3))
    codes[size[0] // 4 : size[0] // 2, size[1] // 3 : size[1] // 2] = (200, 60, 40)
    return np.clip(codes, 0, 255).astype(np.uint8)


def save(path, codes, **options):
    Image.fromarray(codes).save(path, "JPEG", **options)
    return path


def coding_of(path):
    with Image.open(path) as image:
        return image.quantization, JpegImagePlugin.get_sampling(image), "progressive" in image.info


@pytest.mark.parametrize("quality", [40, 75, 92, 100, "web_low"])
@pytest.mark.parametrize(("chroma", "progressive"), [(0, False), (1, False), (2, True)])
def test_tables_chroma_and_order_are_the_original_s(tmp_path, rng, quality, chroma, progressive):
    options = {} if isinstance(quality, str) else {"subsampling": chroma}
    source = save(tmp_path / "a.jpg", detailed(rng), quality=quality, progressive=progressive, **options)
    photo = read(source)
    assert coding_of(write(tmp_path / "b.jpg", photo.rgb, like=photo)) == coding_of(source)


def test_a_quality_asked_for_replaces_the_tables_but_not_the_chroma(tmp_path, rng):
    source = save(tmp_path / "a.jpg", detailed(rng), quality=60, subsampling=2)
    photo = read(source)
    asked = coding_of(write(tmp_path / "b.jpg", photo.rgb, like=photo, quality=98))
    alone = coding_of(save(tmp_path / "c.jpg", detailed(rng), quality=98, subsampling=2))
    assert asked == alone


def test_a_progressive_original_too_noisy_for_pillow_s_buffer_gives_a_sequential_result(tmp_path, rng):
    codes = rng.integers(0, 256, (256, 256, 3), np.uint8)
    photo = read(save(tmp_path / "a.jpg", smooth(256, 256), quality=98, subsampling=0, progressive=True))
    noisy = transfer.decode(codes, SRGB, bit_depth=8)
    tables, _, progressive = coding_of(write(tmp_path / "b.jpg", noisy, like=photo))
    assert (tables, progressive) == (coding_of(tmp_path / "a.jpg")[0], False)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_originals_of_one_or_four_colours_give_a_result_of_three(tmp_path, rng, mode):
    Image.fromarray(detailed(rng)).convert(mode).save(tmp_path / "a.jpg", "JPEG", quality=80)
    photo = read(tmp_path / "a.jpg")
    tables, chroma, _ = coding_of(write(tmp_path / "b.jpg", photo.rgb, like=photo))
    assert tables[0] == coding_of(tmp_path / "a.jpg")[0][0]
    assert chroma == 0


def test_invalid_quantisation_tables_fall_back_to_the_default(tmp_path, rng):
    data = bytearray(save(tmp_path / "a.jpg", detailed(rng), quality=80).read_bytes())
    at = data.index(b"\xff\xdb")
    data[at + 4] = 3  # the first table says it is the fourth
    for section in (at, data.index(b"\xff\xdb", at + 2)):
        assert data[section : section + 2] == b"\xff\xdb"
    frame = data.index(b"\xff\xc0")
    data[frame + 4 + 6 + 2] = 3  # and the first component uses that one
    (tmp_path / "a.jpg").write_bytes(data)
    photo = read(tmp_path / "a.jpg")
    assert photo.metadata.jpeg is None
    assert coding_of(write(tmp_path / "b.jpg", photo.rgb, like=photo))[1] == 0


# Codes by which a JPEG coded again differs: the mean, and the share that differs by more than 2.
@pytest.mark.parametrize(("quality", "chroma", "mean", "share"), [(95, 0, 0.6, 0.02), (80, 2, 0.6, 0.05)])
def test_untouched_pixels_stay_within_the_codecs_own_error(tmp_path, rng, quality, chroma, mean, share):
    codes = detailed(rng, (96, 128))
    photo = read(save(tmp_path / "a.jpg", codes, quality=quality, subsampling=chroma))
    first = srgb_u8(photo).astype(int)
    again = srgb_u8(read(write(tmp_path / "b.jpg", photo.rgb, like=photo))).astype(int)
    off = np.abs(again - first)
    codec = np.abs(first - codes)
    assert off.mean() < mean < codec.mean()
    assert (off > 2).mean() < share
    assert off.mean() < 0.5 * codec.mean()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("radius", [0.0, 0.05])
def test_a_photo_in_focus_comes_through_the_whole_method_bit_by_bit(tmp_path, rng, bits, radius):
    kind = np.uint8 if bits == 8 else np.uint16
    codes = rng.integers(0, 2**bits, (40, 30, 3)).astype(kind)
    cv2.imwrite(str(tmp_path / "a.png"), codes[..., ::-1])
    photo = read(tmp_path / "a.png")
    matte = np.zeros((40, 30), np.float32)
    matte[10:, 8:22] = 1
    disparity = np.full((40, 30), 0.5, np.float32)
    scene = analyze(photo, MapSettings(filter_disparity=False), matte=matte, disparity=disparity, backend="reference")
    image = render(scene, Lens(focus_disparity=0.5, max_radius=radius, grain=0.0), backend="reference")
    back = cv2.imread(str(write(tmp_path / "b.png", image, like=photo)), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert back.dtype == kind
    assert_array_equal(back, codes)


def test_iptc_is_kept_between_jpeg_and_tiff(tmp_path, rng):
    codes = detailed(rng)
    tagged = jpeg.iptc_segment(IPTC)
    data = save(tmp_path / "a.jpg", codes).read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[:2] + tagged + data[2:])
    tifffile.imwrite(tmp_path / "a.tif", codes, photometric="rgb", extratags=[(33723, 7, len(IPTC), IPTC, True)])
    for source in ("a.jpg", "a.tif"):
        photo = read(tmp_path / source)
        assert photo.metadata.iptc == IPTC
        for target in (f"b{source[1:3]}.jpg", f"b{source[1:3]}.tif"):
            path = write(tmp_path / target, photo.rgb, like=photo)
            assert read(path).metadata.iptc == IPTC
        with Image.open(tmp_path / f"b{source[1:3]}.jpg") as image:
            assert image.info["photoshop"][0x0404] == IPTC


def test_iptc_stored_as_swapped_words_is_put_right(tmp_path):
    padded = IPTC + bytes(-len(IPTC) % 4)
    words = struct.unpack(f"<{len(padded) // 4}I", padded)
    tags = [(33723, 4, len(words), words, True)]
    tifffile.imwrite(tmp_path / "a.tif", smooth(8, 8), photometric="rgb", extratags=tags, byteorder=">")
    assert read(tmp_path / "a.tif").metadata.iptc == padded


@pytest.mark.parametrize("chroma", ["420", "422", "444"])
def test_the_chroma_of_a_heic_is_the_original_s(tmp_path, rng, chroma):
    codes = detailed(rng)
    pillow_heif.from_bytes("RGB", (64, 48), codes.tobytes()).save(tmp_path / "a.heic", chroma=chroma)
    photo = read(tmp_path / "a.heic")
    back = pillow_heif.open_heif(write(tmp_path / "b.heic", photo.rgb, like=photo))
    assert str(back.info["chroma"]) == chroma


def test_the_thumbnail_is_of_the_result(tmp_path, rng):
    like = Photo(
        rgb=transfer.decode(detailed(rng, (480, 640)), SRGB, bit_depth=8),
        metadata=Metadata(exif=with_thumbnail(exif_block(1), b"\xff\xd8 the sharp one \xff\xd9")),
    )
    result = like.rgb * np.float32(0.25)
    path = write(tmp_path / "a.jpg", result, like=like)
    assert b"the sharp one" not in path.read_bytes()
    with Image.open(path) as image:
        whole = np.asarray(image)
        first = image.getexif().get_ifd(ExifTags.IFD.IFD1)
        block = image.info["exif"][6:]
    assert first[0x0103] == 6
    small = Image.open(BytesIO(block[first[0x0201] : first[0x0201] + first[0x0202]]))
    assert small.size == (160, 120)
    want = cv2.resize(whole, (160, 120), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(np.asarray(small).astype(int) - want).mean() < 4
    again = read(path)  # and goes when the photo is read, so that it does not stay with the next result
    assert again.metadata.exif.find(b"\xff\xd8") < 0
    assert len(read(write(tmp_path / "b.jpg", again.rgb, like=again)).metadata.exif) == len(again.metadata.exif)


def test_exif_without_room_for_a_thumbnail_stays_without(tmp_path):
    block = exif_block(1) + bytes(jpeg.EXIF_LIMIT - len(exif_block(1)) - 300)
    like = Photo(rgb=np.zeros((64, 64, 3), np.float32), metadata=Metadata(exif=block))
    with Image.open(write(tmp_path / "a.jpg", like.rgb, like=like)) as image:
        exif = image.getexif()
        assert exif[0x0131].startswith("wideopen")
        assert exif.get_ifd(ExifTags.IFD.IFD1) == {}


def test_a_makers_note_keeps_its_place(tmp_path):
    """Makers' notes hold offsets from the block's beginning; ours is 12 bytes that point at 4 others."""
    note = b"MAKER\0\0\0"
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + exif_block(1))
    exif.get_ifd(0x8769)[0x927C] = note + bytes(4)
    block = bytearray(exif.tobytes()[6:])
    at = block.index(note) + len(note)
    block += b"DATA"
    struct.pack_into("<I", block, at, len(block) - 4)
    like = Photo(rgb=transfer.decode(smooth(8, 8), SRGB, bit_depth=8), metadata=Metadata(exif=bytes(block)))
    for name in ("a.jpg", "a.png", "a.webp", "a.heic", "a.avif", "a.tif"):
        path = write(tmp_path / name, like.rgb, like=like)
        kept = path.read_bytes() if name == "a.tif" else read(path).metadata.exif
        (offset,) = struct.unpack_from("<I", kept, kept.index(note) + len(note))
        assert kept[offset : offset + 4] == b"DATA"


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_tag_survives_a_tiff_of_either_byte_order(tmp_path, order):
    tags = [
        (0x9C9B, 1, 4, b"T\0i\0", True),
        (315, 2, 3, b"Me\0", True),
        (18246, 3, 1, 4, True),
        (65000, 7, 5, b"ours!", True),
    ]
    tifffile.imwrite(tmp_path / "a.tif", smooth(8, 8), photometric="rgb", extratags=tags, byteorder=order)
    photo = read(tmp_path / "a.tif")
    for name in ("b.tif", "b.jpg", "b.png"):
        kept = Image.Exif()
        kept.load(read(write(tmp_path / name, photo.rgb, like=photo)).metadata.exif)
        found = kept.get(0x9C9B), kept.get(315), kept.get(18246), kept.get(65000)
        assert found == (b"T\0i\0", "Me", 4, b"ours!")
        assert not {256, 257, 258, 273, 279, 34675} & set(kept)
    assert_array_equal(tifffile.imread(tmp_path / "b.tif"), smooth(8, 8))


def test_deep_pixels_of_a_big_endian_block_are_right(tmp_path, rng):
    codes = rng.integers(0, 65536, (7, 5, 3), np.uint16)
    block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0"
    like = Photo(rgb=transfer.decode(codes, SRGB, bit_depth=16), metadata=Metadata(bit_depth=16, exif=block))
    assert_array_equal(tifffile.imread(write(tmp_path / "a.tif", like.rgb, like=like)), codes)
    floats = replace(like, metadata=Metadata(bit_depth=32, exif=block))
    assert_array_equal(tifffile.imread(write(tmp_path / "b.tif", like.rgb, like=floats)), like.rgb)


def test_damaged_segments_raise_only_invalid_input(rng):
    out = BytesIO()
    Image.fromarray(smooth(16, 16)).save(out, "JPEG", xmp=b"<x/>")
    guid, parts = jpeg.extended_xmp_segments(b"<x>" + bytes(70000) + b"</x>")
    good = out.getvalue()[:2] + parts + jpeg.iptc_segment(IPTC) + out.getvalue()[2:]
    assert jpeg.read_head(good).xmp == b"<x/>"
    assert jpeg.extended_xmp(jpeg.read_head(good).extended, guid) == b"<x>" + bytes(70000) + b"</x>"
    for _ in range(500):
        data = bytearray(good[: rng.integers(4, len(good) + 1)])
        for at in rng.integers(0, min(len(data), 300), 3):
            data[at] = rng.integers(0, 256)
        with suppress(InvalidInput):
            head = jpeg.read_head(bytes(data))
            assert len(jpeg.extended_xmp(head.extended, guid)) == 70007
