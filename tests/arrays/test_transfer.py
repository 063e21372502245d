"""Codes to light and back: exact for every code, and the nearest code for every light."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen.arrays import transfer
from wideopen.arrays.transfer import reference
from wideopen.color import ADOBE_RGB, DISPLAY_P3, SRGB, Encoding, ParametricCurve, SampledCurve, srgb_encode
from wideopen.errors import BackendUnavailable, InvalidInput

RNG = np.random.default_rng(7)
# Apple's Display P3 profile: fixed-point numbers whose two pieces do not meet exactly.
APPLE = ParametricCurve(2.39999, 0.94786, 0.05214, 0.07739, 0.04045)
MIXED = Encoding(
    "one curve per channel", (ParametricCurve(1.8), SampledCurve((0.0, 0.05, 0.3, 1.0)), APPLE), SRGB.to_srgb
)
# Two pieces that meet three quarters of a 16-bit step too low: code 30000 has less light than the
# half step below it.
GAP = ParametricCurve(1, 1, 0, 1, 30000 / 65535, -0.75 / 65535, 0)
GAPPED = Encoding("two pieces", (GAP, GAP, SRGB.curves[0]), SRGB.to_srgb)
CROWDED = Encoding("many codes alike", (SampledCurve((0.0, 0.5, 0.51, 1.0)),) * 3, SRGB.to_srgb)
ENCODINGS = [SRGB, DISPLAY_P3, ADOBE_RGB, MIXED, GAPPED, CROWDED]
BACKENDS = list(transfer.BACKENDS)


def every_code(bit_depth):
    """Return (1, 3 * 2**bit_depth, 3): each code in each channel, channels not alike."""
    codes = np.arange(2**bit_depth)
    columns = [np.roll(codes, shift) for shift in (0, 1, 5)]
    return np.stack(columns, axis=-1)[None].astype(reference.code_type(bit_depth))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bit_depth", reference.BIT_DEPTHS)
@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.name)
def test_every_code_survives_decoding_and_encoding(encoding, bit_depth, backend):
    codes = every_code(bit_depth)
    light = transfer.decode(codes, encoding, bit_depth=bit_depth, backend=backend)
    back = transfer.encode(light, encoding, bit_depth=bit_depth, backend=backend)
    assert back.dtype == codes.dtype
    assert_array_equal(back, codes)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.name)
@pytest.mark.parametrize("bit_depth", reference.BIT_DEPTHS)
def test_decoding_is_the_curve(encoding, bit_depth):
    codes = every_code(bit_depth)
    light = transfer.decode(codes, encoding, bit_depth=bit_depth)
    for c in range(3):
        exact = encoding.curves[c].decode(codes[..., c] / (2**bit_depth - 1))
        assert_allclose(light[..., c], exact, rtol=6e-8, atol=0)  # float32 rounding


@pytest.mark.parametrize("bit_depth", reference.BIT_DEPTHS)
def test_encoding_is_the_srgb_formula_rounded(bit_depth):
    light = RNG.random((100, 100, 3), np.float32)
    scaled = srgb_encode(light) * (2**bit_depth - 1)
    got = transfer.encode(light, SRGB, bit_depth=bit_depth).astype(np.float64)
    assert np.abs(got - scaled).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("bit_depth", reference.BIT_DEPTHS)
@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.name)
def test_backends_agree_on_both_sides_of_every_threshold(encoding, bit_depth):
    edges = reference.thresholds(encoding, bit_depth).T  # (codes - 1, 3)
    below = np.nextafter(edges, np.float32(-1))
    above = np.nextafter(edges, np.float32(2))
    light = np.stack([below, edges, above])
    want = transfer.encode(light, encoding, bit_depth=bit_depth, backend="reference")
    got = transfer.encode(light, encoding, bit_depth=bit_depth, backend="numba")
    assert_array_equal(got, want)
    assert_array_equal(want[1].astype(int) - want[0].astype(int), 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_light_outside_the_range_clips(backend):
    light = np.array([-1e30, -1, -0.0, 0, 1e-42, 1e-12, 1, 1.5, 1e30], np.float32).reshape(1, 3, 3)
    for bit_depth in reference.BIT_DEPTHS:
        got = transfer.encode(light, SRGB, bit_depth=bit_depth, backend=backend)
        assert_array_equal(got.ravel(), np.array([0] * 6 + [2**bit_depth - 1] * 3))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (16, 16), (33, 48)])
def test_sizes_and_memory_order_do_not_matter(size, backend):
    codes = RNG.integers(0, 256, (*size, 3), np.uint8)
    light = transfer.decode(codes, SRGB, bit_depth=8, backend=backend)
    assert light.dtype == np.float32
    assert light.flags.c_contiguous
    turned = transfer.decode(codes.transpose(1, 0, 2)[::-1], SRGB, bit_depth=8, backend=backend)
    assert_array_equal(turned, light.transpose(1, 0, 2)[::-1])
    assert_array_equal(transfer.encode(light[:, ::-1], SRGB, bit_depth=8, backend=backend), codes[:, ::-1])


def test_a_flat_piece_of_curve_is_not_invertible():
    flat = Encoding("flat", (SampledCurve((0.0, 0.0, 0.5, 1.0)),) * 3, SRGB.to_srgb)
    assert not reference.is_invertible(flat)
    assert all(reference.is_invertible(encoding) for encoding in ENCODINGS)


@pytest.mark.parametrize(
    ("codes", "bit_depth", "message"),
    [
        (np.zeros((2, 2), np.uint8), 8, r"expected shape \(H, W, 3\), found \(2, 2\)"),
        (np.zeros((2, 2, 3), np.uint8), 16, "expected uint16 for 16 bits, found uint8"),
        (np.zeros((2, 2, 3), np.float32), 8, "expected uint8 for 8 bits, found float32"),
        (np.zeros((2, 2, 3), np.uint8), 9, "bit_depth: expected one of"),
        (np.full((2, 2, 3), 1024, np.uint16), 10, "expected values below 1024, found 1024"),
    ],
)
def test_codes_that_cannot_be_decoded_are_refused(codes, bit_depth, message):
    with pytest.raises(InvalidInput, match=message):
        transfer.decode(codes, SRGB, bit_depth=bit_depth)


def test_light_that_cannot_be_encoded_is_refused():
    with pytest.raises(InvalidInput, match="NaN or infinity"):
        transfer.encode(np.full((1, 1, 3), np.nan, np.float32), SRGB, bit_depth=8)
    with pytest.raises(InvalidInput, match="bit_depth"):
        transfer.encode(np.zeros((1, 1, 3), np.float32), SRGB, bit_depth=14)
    with pytest.raises(BackendUnavailable, match="expected auto or one of numba, reference"):
        transfer.encode(np.zeros((1, 1, 3), np.float32), SRGB, bit_depth=8, backend="cuda")
