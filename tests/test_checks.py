"""Arrays are checked where they enter: type, rank, size, range, finite; the message says expected and found."""

import numpy as np
import pytest

from wideopen.backends import Backend, pick
from wideopen.checks import require_map, require_rgb, require_unit_map
from wideopen.errors import BackendUnavailable, InvalidInput

M = np.zeros((4, 5), np.float32)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [[0.0]],
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 1), np.float32),
        np.zeros((0, 5), np.float32),
        np.full((4, 5), np.nan, np.float32),
        np.full((4, 5), np.inf, np.float32),
        np.array([[np.inf, -np.inf]], np.float32),
    ],
)
def test_invalid_maps_are_refused(bad):
    with pytest.raises(InvalidInput, match=r"disparity: expected .* found"):
        require_map("disparity", bad)


def test_values_outside_the_unit_interval_are_refused_and_rounding_is_clipped():
    with pytest.raises(InvalidInput, match=r"expected values in \[0, 1\], found \[0, 1.5\]"):
        require_unit_map("matte", np.array([[0, 1.5]], np.float32))
    assert require_unit_map("matte", np.array([[-1e-5, 1 + 1e-5]], np.float32)).tolist() == [[0, 1]]


def test_unlike_sizes_are_refused():
    with pytest.raises(InvalidInput, match=r"expected \(H, W\) \(4, 5\), found \(4, 4\)"):
        require_map("matte", M[:, :4], like=M)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_and_layouts_are_accepted(dtype):
    image = np.asfortranarray(np.full((3, 4, 3), 0.5, dtype))[::-1]
    image.flags.writeable = False
    out = require_rgb("rgb", image)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous


def test_rgb_needs_three_channels():
    with pytest.raises(InvalidInput, match="expected shape"):
        require_rgb("rgb", np.zeros((4, 5, 4), np.float32))


BACKENDS = {
    "fast": Backend(lambda: "no such device", lambda: "fast"),
    "reference": Backend(lambda: None, lambda: "plain"),
}


def test_auto_takes_the_first_that_can_run():
    assert pick(BACKENDS) == ("reference", "plain")


@pytest.mark.parametrize(("name", "message"), [("fast", "fast: no such device"), ("slow", "expected auto or one of")])
def test_a_named_backend_is_refused_rather_than_replaced(name, message):
    with pytest.raises(BackendUnavailable, match=message):
        pick(BACKENDS, name)
