"""Maps: plain numbers in [0, 1], of the photo's size and orientation, or one line with the reason."""

import cv2
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sample_files import exif_block

from wideopen.errors import InvalidInput
from wideopen.files import read_depth_m, read_disparity, read_matte, write_map

SIZE = (12, 16)


def ramp(size=SIZE):
    values = np.linspace(0, 1, size[0] * size[1], dtype=np.float32)
    return values.reshape(size)


READERS = [read_matte, read_disparity]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("extension", "atol"), [("png", 8e-6), ("tif", 8e-6), ("tiff", 8e-6)])
def test_written_maps_come_back(tmp_path, reader, extension, atol):
    path = write_map(tmp_path / f"a.{extension}", ramp())
    assert_allclose(reader(path, size=SIZE), ramp(), rtol=0, atol=atol)  # half a step of 16 bits


def test_npy_keeps_every_bit(tmp_path):
    path = write_map(tmp_path / "a.npy", ramp())
    assert_array_equal(read_disparity(path, size=SIZE), ramp())


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_codes_are_divided_by_their_maximum(tmp_path, reader, kind):
    top = np.iinfo(kind).max
    codes = np.array([[0, 1, top // 3], [top // 2, top - 1, top]], kind)
    for name in ("a.png", "a.tif"):
        cv2.imwrite(str(tmp_path / name), codes)
        got = reader(tmp_path / name, size=(2, 3))
        assert got.dtype == np.float32
        assert_allclose(got, codes / top, rtol=0, atol=6e-8)


def test_float_tiff_is_taken_as_it_is(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ramp())
    assert_array_equal(read_disparity(tmp_path / "a.tif", size=SIZE), ramp())
    tifffile.imwrite(tmp_path / "b.tif", 2 * ramp())
    with pytest.raises(InvalidInput, match=r"expected values in \[0, 1\], found \[0, 2\]"):
        read_disparity(tmp_path / "b.tif", size=SIZE)


def test_a_matte_in_colour_is_taken_when_it_is_grey(tmp_path):
    grey = np.rint(255 * ramp()).astype(np.uint8)
    Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(tmp_path / "a.png")
    assert_allclose(read_matte(tmp_path / "a.png", size=SIZE), grey / 255, rtol=0, atol=6e-8)
    Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(tmp_path / "a.webp", lossless=True)
    assert_allclose(read_matte(tmp_path / "a.webp", size=SIZE), grey / 255, rtol=0, atol=6e-8)
    grey = np.repeat(grey[..., None], 3, axis=2)
    grey[3, 3] = (200, 30, 30)
    Image.fromarray(grey).save(tmp_path / "b.png")
    for reader in READERS:
        with pytest.raises(InvalidInput, match="expected a grey picture, found colours"):
            reader(tmp_path / "b.png", size=SIZE)


def test_the_transparency_of_a_cutout_is_its_matte(tmp_path, rng):
    rgba = rng.integers(0, 256, (*SIZE, 4), np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    got = read_matte(tmp_path / "a.png", size=SIZE)
    assert_allclose(got, rgba[..., 3] / 255, rtol=0, atol=6e-8)
    with pytest.raises(InvalidInput, match="expected a grey disparity map, found transparency"):
        read_disparity(tmp_path / "a.png", size=SIZE)
    opaque = np.dstack([np.full((*SIZE, 3), 90, np.uint8), np.full(SIZE, 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "b.png")
    for reader in READERS:
        got = reader(tmp_path / "b.png", size=SIZE)
        assert_allclose(got, 90 / 255, rtol=0, atol=6e-8)


@pytest.mark.parametrize("reader", READERS)
def test_maps_are_turned_like_photos(tmp_path, reader):
    codes = np.rint(255 * ramp()).astype(np.uint8)
    exif = b"Exif\0\0" + exif_block(6)
    Image.fromarray(np.rot90(codes).copy()).save(tmp_path / "a.png", exif=exif)
    assert_allclose(reader(tmp_path / "a.png", size=SIZE), codes / 255, rtol=0, atol=6e-8)


@pytest.mark.parametrize("size", [(24, 32), (6, 8), (120, 161), (23, 31)])
def test_maps_of_another_size_are_resized(tmp_path, size):
    path = write_map(tmp_path / "a.png", np.tile(np.linspace(0, 1, 16, dtype=np.float32), (12, 1)))
    got = read_disparity(path, size=size)
    assert got.shape == size
    centres = (np.arange(size[1]) + 0.5) / size[1] * 16 - 0.5
    want = np.clip(centres / 15, 0, 1)
    assert_allclose(got, np.tile(want, (size[0], 1)), rtol=0, atol=0.01)


@pytest.mark.parametrize("size", [(12, 12), (16, 12), (1, 16)])
@pytest.mark.parametrize("reader", READERS)
def test_maps_of_another_aspect_are_refused(tmp_path, reader, size):
    path = write_map(tmp_path / "a.png", ramp())
    found = f"expected the aspect of the photo, {size[1]} x {size[0]}, found 16 x 12"
    with pytest.raises(InvalidInput, match=found):
        reader(path, size=size)


def test_a_constant_disparity_is_fine(tmp_path):
    path = write_map(tmp_path / "a.png", np.full(SIZE, 0.25, np.float32))
    assert_allclose(read_disparity(path, size=(24, 32)), 0.25, rtol=0, atol=8e-6)


def save_npy(path, array):
    np.save(path, array)
    return path


def test_depth_becomes_disparity(tmp_path):
    depth = np.tile(1 / np.linspace(0.1, 2, 1000), (10, 1))  # 10 m on the left to 0.5 m
    got = read_depth_m(save_npy(tmp_path / "a.npy", depth), size=depth.shape)
    assert_allclose(got, np.tile(np.linspace(0, 1, 1000), (10, 1)), rtol=0, atol=0.003)
    assert (got.min(), got.max()) == (0, 1)


def test_infinity_is_farthest_and_a_stray_pixel_does_not_matter(tmp_path):
    depth = np.tile(np.linspace(1, 5, 200), (200, 1))
    plain = read_depth_m(save_npy(tmp_path / "a.npy", depth), size=depth.shape)
    depth[:20] = np.inf
    depth[100, 100] = 1e-6
    got = read_depth_m(save_npy(tmp_path / "b.npy", depth.astype(np.float32)), size=depth.shape)
    assert_array_equal(got[:20], 0)
    assert got[100, 100] == 1
    assert_allclose(got[30], plain[30] * 0.8 + 0.2, rtol=0, atol=0.01)


@pytest.mark.parametrize("value", [3.0, 1e300, np.inf])
def test_a_constant_depth_is_one_disparity(tmp_path, value):
    path = save_npy(tmp_path / "a.npy", np.full(SIZE, value))
    assert_array_equal(read_depth_m(path, size=(6, 8)), 0)  # as ops.disparity.normalise says


def test_two_depths_of_which_one_is_rare_still_differ(tmp_path):
    depth = np.full((100, 100), 4.0)
    depth[0, 0] = 1
    got = read_depth_m(save_npy(tmp_path / "a.npy", depth), size=(100, 100))
    assert (got[0, 0], got[1, 1]) == (1, 0)


NAN = np.full(SIZE, 1.0)
NAN[2, 2] = np.nan


@pytest.mark.parametrize(
    ("reader", "array", "message"),
    [
        (read_disparity, NAN, "found NaN or infinity"),
        (read_disparity, np.full(SIZE, np.inf), "found NaN or infinity"),
        (read_disparity, 1.5 * ramp(), r"expected values in \[0, 1\], found \[0, 1.5\]"),
        (read_disparity, ramp() - 0.5, r"found \[-0.5, 0.5\]"),
        (read_disparity, np.zeros(SIZE, np.uint8), r"floats of shape \(H, W\), found uint8"),
        (read_disparity, np.zeros((2, 3, 3)), r"found float64 \(2, 3, 3\)"),
        (read_disparity, np.zeros((0, 3)), "expected at least one pixel"),
        (read_disparity, np.zeros((2, 3), complex), "found complex128"),
        (read_depth_m, NAN, "expected depth in metres, found NaN"),
        (read_depth_m, ramp(), "expected depth above 0 m, found 0"),
        (read_depth_m, ramp() - 2, "expected depth above 0 m, found -2"),
        (read_depth_m, np.zeros(SIZE, "U3"), "found <U3"),
    ],
)
def test_invalid_arrays_are_refused(tmp_path, reader, array, message):
    path = save_npy(tmp_path / "a.npy", array)
    with pytest.raises(InvalidInput, match=message):
        reader(path, size=SIZE)


@pytest.mark.parametrize("reader", [read_disparity, read_depth_m])
def test_invalid_npy_files_are_refused(tmp_path, reader):
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    pickled = path.read_bytes()
    with path.open("wb") as file:
        np.savez(file, a=ramp())
    archive = path.read_bytes()
    np.save(path, ramp())
    cut = path.read_bytes()[:-100]
    for content in (b"", b"text", b"\x93NUMPY", pickled, archive, cut, b"\x80\x04K\x01."):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=r"a\.npy: expected") as caught:
            reader(path, size=SIZE)
        assert "\n" not in str(caught.value)
    with pytest.raises(InvalidInput, match="found no such file"):
        reader(tmp_path / "b.npy", size=SIZE)


def test_map_files_that_are_not_pictures_are_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"text")
    with pytest.raises(InvalidInput, match=r"expected a matte .* found another kind of file"):
        read_matte(path, size=SIZE)
    with pytest.raises(InvalidInput, match="expected a disparity map, found a folder"):
        read_disparity(tmp_path, size=SIZE)
    with pytest.raises(InvalidInput, match=r"expected depth in metres as a \.npy file"):
        read_depth_m(path, size=SIZE)


def test_maps_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write_map(tmp_path / "a.png", ramp())
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="exists already"):
        write_map(path, ramp())
    with pytest.raises(InvalidInput, match=r"as \.png, \.tif or \.npy, found \.jpg"):
        write_map(tmp_path / "a.jpg", ramp())
    with pytest.raises(InvalidInput, match=r"expected values in \[0, 1\]"):
        write_map(tmp_path / "b.png", 2 * ramp())

    def fail(file, *_args, **_options):
        file.write(b"half")
        raise RuntimeError("broke")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(RuntimeError, match="broke"):
        write_map(tmp_path / "b.npy", ramp())
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == before


def test_importing_files_loads_no_decoder():
    import subprocess
    import sys

    code = (
        "import sys, wideopen.files; heavy = {'numba', 'cv2', 'PIL', 'pillow_heif', 'tifffile', 'torch'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
