"""PQ, HLG and floats: light above white without a gain map."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen.color import DISPLAY_P3, REC2020, pq_decode, pq_encode
from wideopen.files import read, srgb_u8
from wideopen.files.containers import png

NITS = np.array([0, 1, 100, 203, 1000, 4000, 10_000])


def test_pq_meets_the_values_in_the_standard():
    codes = [0, 0.1499, 0.5081, 0.5807, 0.7518, 0.9026, 1]  # ITU-R BT.2408, table 1, and the curve's end
    assert_allclose(pq_encode(NITS / 203), codes, rtol=0, atol=3e-4)
    assert_allclose(pq_decode(pq_encode(NITS / 203)) * 203, NITS, rtol=1e-6, atol=1e-6)


def hdr_png(path, codes, primaries, transfer):
    data = cv2.imencode(".png", codes[..., ::-1])[1].tobytes()
    path.write_bytes(b"".join(png.with_chunks(data, [(b"cICP", bytes([primaries, transfer, 0, 1]))])))
    return read(path)


def ramp(bits=16):
    top = 2**bits - 1
    return np.repeat(np.linspace(0, top, 64).astype(np.uint16)[None, :, None], 3, axis=2).repeat(8, axis=0)


def test_a_16_bit_png_in_pq_has_light_above_white(tmp_path):
    codes = ramp()
    found = hdr_png(tmp_path / "a.png", codes, 9, 16)
    assert_allclose(found.rgb, pq_decode(codes / 65535), rtol=1e-5, atol=1e-6)
    assert (found.encoding, found.hdr.kind) == (REC2020, "PQ")
    assert_allclose(found.hdr.headroom, 10_000 / 203, rtol=1e-5)
    shown = srgb_u8(found)[0, :, 0].astype(int)
    assert (np.diff(shown) >= 0).all()  # a shoulder, no step
    assert 200 < shown[np.searchsorted(codes[0, :, 0], 65535 * 0.5807)] < 255  # white is bright, and not yet the end


def test_hlg_is_shown_as_on_its_reference_display(tmp_path):
    codes = ramp()
    found = hdr_png(tmp_path / "a.png", codes, 12, 18)
    assert (found.encoding, found.hdr.kind) == (DISPLAY_P3, "HLG")
    assert_allclose(found.rgb.max(), 1000 / 203, rtol=1e-3)
    grey = hdr_png(tmp_path / "b.png", np.full((4, 4, 3), round(0.75 * 65535), np.uint16), 9, 18)
    assert_allclose(grey.rgb, 1.0, rtol=0, atol=0.02)  # ITU-R BT.2408: 75 % is 203 cd/m2
    red = np.zeros((4, 4, 3), np.uint16)
    red[..., 0] = 65535
    red = hdr_png(tmp_path / "c.png", red, 9, 18)
    assert_allclose(red.rgb[..., 0], 1000 / 203 * 0.2627**0.2, rtol=2e-3)  # the system's gamma works on luminance
    assert red.rgb[..., 1:].max() == 0


@pytest.mark.parametrize("bits", [10, 12])
def test_heic_in_pq_is_read_at_10_and_12_bits(tmp_path, bits):
    import pillow_heif

    codes = ramp(16) & 0xFFF0
    file = pillow_heif.from_bytes("RGB;16", codes.shape[1::-1], np.ascontiguousarray(codes).tobytes())
    more = {"color_primaries": 9, "transfer_characteristics": 16, "matrix_coefficients": 9, "full_range_flag": 1}
    before = pillow_heif.options.SAVE_HDR_TO_12_BIT
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        file.save(tmp_path / "a.heic", quality=100, chroma=444, bit_depth=bits, **more)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = before
    found = read(tmp_path / "a.heic")
    assert (found.hdr.kind, found.metadata.bit_depth) == ("PQ", bits)
    assert_allclose(pq_encode(found.rgb), codes / 65535, rtol=0, atol=4e-3)


def test_floats_above_white_are_known_light_and_others_are_not(tmp_path):
    import tifffile

    light = np.full((8, 8, 3), 0.5, np.float32)
    tifffile.imwrite(tmp_path / "a.tif", light, photometric="rgb")
    assert read(tmp_path / "a.tif").hdr is None
    light[2, 2] = 40
    tifffile.imwrite(tmp_path / "b.tif", light, photometric="rgb")
    found = read(tmp_path / "b.tif")
    assert (found.hdr.kind, found.hdr.headroom) == ("floats", 40)
    assert_array_equal(found.rgb, light)
    assert srgb_u8(found)[2, 2].tolist() == [255, 255, 255]
    assert srgb_u8(found)[0, 0].tolist() == [188, 188, 188]
