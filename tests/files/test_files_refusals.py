"""Files that are not readable photos: one line says what was found, without warning or traceback."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image
from sample_files import exif_block, smooth

from wideopen.color import SRGB
from wideopen.errors import InvalidInput
from wideopen.files import read
from wideopen.files.containers import tiff
from wideopen.files.containers.icc import build_profile

PICTURE = smooth(48, 64)


def encoded(name, codes=PICTURE, **options):
    out = BytesIO()
    if name == "HEIC":
        height, width = codes.shape[:2]
        pillow_heif.from_bytes("RGB", (width, height), codes.tobytes()).save(out, quality=80)
    elif name == "PNG16":
        return cv2.imencode(".png", codes.astype(np.uint16) * 257)[1].tobytes()
    elif name == "TIFF16":
        tifffile.imwrite(out, codes.astype(np.uint16) * 257, photometric="rgb")
    else:
        Image.fromarray(codes).save(out, name, **options)
    return out.getvalue()


def refusal(path, **options):
    with pytest.raises(InvalidInput) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 250
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": expected a photo, found an empty file"),
        (b"hello, this is text", "found another kind of file"),
        (
            b"GIF89a" + bytes(100),
            "(JPEG, PNG, TIFF, WebP, HEIC, AVIF, JPEG XL, OpenEXR, camera raw), found another kind",
        ),
        (b"\xff\xd8\xff", "damaged or incomplete JPEG"),
        (b"\x89PNG\r\n\x1a\n", "damaged or incomplete PNG"),
        (b"II*\0\x08\0\0\0", "damaged or incomplete TIFF"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "damaged or incomplete WebP"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged or incomplete HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "damaged or incomplete AVIF"),
    ],
)
def test_files_that_are_not_photos_are_refused(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert message in refusal(path)


def test_folders_and_missing_files_are_refused(tmp_path):
    assert refusal(tmp_path / "a.jpg") == ": expected a photo, found no such file"
    assert refusal(tmp_path) == ": expected a photo, found a folder"
    os.mkfifo(tmp_path / "pipe")
    assert "something other than a file" in refusal(tmp_path / "pipe")
    assert "cannot be read" in refusal(tmp_path / ("n" * 300))


def test_unreadable_files_are_refused(tmp_path, monkeypatch):
    def refuse(_self):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "a.jpg"
    path.write_bytes(encoded("JPEG"))
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert refusal(path) == ": cannot be read (Permission denied)"


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "PNG16", "TIFF", "TIFF16", "WEBP", "HEIC", "AVIF"])
def test_truncated_files_are_refused(tmp_path, capfd, name, part, rng):
    noisy = rng.integers(0, 256, (48, 64, 3), np.uint8)
    data = encoded(name, noisy)
    path = tmp_path / "a"
    path.write_bytes(data[: int(len(data) * part)])
    assert "damaged or incomplete" in refusal(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("cut", "missing"), [(2, 0), (0.03, 15), (0.09, 47)])
def test_a_jpeg_that_lacks_its_end_is_read_as_far_as_it_goes(tmp_path, capfd, rng, cut, missing):
    data = encoded("JPEG", rng.integers(0, 256, (480, 640, 3), np.uint8))
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    whole = read(path)
    path.write_bytes(data[: len(data) - (cut if cut > 1 else int(cut * len(data)))])
    photo = read(path)
    assert photo.metadata.notes == (
        f"the file is cut short: {missing} of 480 rows at its end are missing or incomplete, grey",
    )
    sound = 480 - missing - 2  # colour is interpolated over two rows
    assert_array_equal(photo.rgb[:sound], whole.rgb[:sound])
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_that_lacks_more_or_detail_everywhere_is_refused(tmp_path, rng):
    path = tmp_path / "a.jpg"
    data = encoded("JPEG", rng.integers(0, 256, (480, 640, 3), np.uint8))
    path.write_bytes(data[: int(len(data) * 0.85)])
    assert "truncated" in refusal(path)
    data = encoded("JPEG", smooth(480, 640), progressive=True)
    path.write_bytes(data[: int(len(data) * 0.97)])
    assert "truncated" in refusal(path)


def test_a_png_with_a_wrong_checksum_is_refused(tmp_path, capfd):
    for name in ("PNG", "PNG16"):
        data = bytearray(encoded(name))
        data[len(data) // 2] ^= 0x55
        path = tmp_path / name
        path.write_bytes(data)
        assert "wrong checksum in IDAT" in refusal(path)
    assert capfd.readouterr() == ("", "")


def png_header(width, height, bits=8):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    body = b"IDAT" + zlib.compress(b"")
    data = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + chunk + data + end


def huge_jpeg():
    data = encoded("JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 10000, 24000) + data[at + 4 :]


def huge_tiff():
    out = BytesIO()
    tifffile.imwrite(out, PICTURE, photometric="rgb")
    data = bytearray(out.getvalue())
    rows = tiff.directory(data, tiff.first(data))
    tiff.set_number(data, rows, 256, 24000)
    tiff.set_number(data, rows, 257, 10000)
    return bytes(data)


def huge_webp():
    canvas = (23999).to_bytes(3, "little") + (9999).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


@pytest.mark.parametrize(
    "data",
    [png_header(24000, 10000), png_header(24000, 10000, 16), huge_jpeg(), huge_tiff(), huge_webp()],
    ids=["PNG", "PNG16", "JPEG", "TIFF", "WebP"],
)
def test_size_is_checked_before_decoding(tmp_path, data, monkeypatch):
    def never(*_args):
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", never)
    monkeypatch.setattr(cv2, "imdecode", never)
    path = tmp_path / "a"
    path.write_bytes(data)
    assert refusal(path) == (
        ": expected at most 220 megapixels (max_megapixels), found 24000 x 10000 pixels (240 megapixels)"
    )


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "HEIC", "AVIF"])
def test_the_limit_can_be_chosen(tmp_path, name):
    path = tmp_path / "a"
    path.write_bytes(encoded(name))
    assert "expected at most 0.003 megapixels" in refusal(path, max_megapixels=0.003)
    assert read(path, max_megapixels=0.0031).rgb.shape == (48, 64, 3)
    with pytest.raises(InvalidInput, match="max_megapixels: expected more than 0, found 0"):
        read(path, max_megapixels=0)


def test_pixels_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 4, 3), np.uint32), photometric="rgb")
    assert "expected 8 or 16 bits per channel or floats, found uint32" in refusal(path)
    tifffile.imwrite(path, np.zeros((4, 4, 4), np.uint16), photometric="separated")
    assert "expected grey or RGB above 8 bits, found SEPARATED" in refusal(path)


def test_an_invalid_raw_file_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PICTURE, photometric="rgb", subfiletype=1)
    assert "damaged or incomplete" in refusal(path)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "HEIC", "AVIF"])
def test_random_damage_is_never_a_traceback(tmp_path, capfd, name, rng):
    options = {"exif": b"Exif\0\0" + exif_block(6), "icc_profile": build_profile(SRGB)}
    data = encoded(name, smooth(16, 16), **({} if name == "HEIC" else options))
    path = tmp_path / "a"
    for _ in range(60):
        damaged = bytearray(data)
        for at in rng.integers(8, len(damaged), 4):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read(path, max_megapixels=1)
        except InvalidInput as error:
            assert "\n" not in str(error)  # noqa: PT017
    assert capfd.readouterr() == ("", "")
