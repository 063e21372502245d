"""Cat's eyes in both looks: what the barrel cuts towards the corners, and what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.lens import Aperture, PaperLook
from wideopen.optics import Pupil
from wideopen.rendering import Optics, Sheet, reference
from wideopen.rendering.aperture import antialiased_spans, barrel
from wideopen.rendering.reference import cut_scatter

OPTICS = Optics(focus_disparity=1.0, radius_px=7.0, planes=5, cat_eye=1.0, quality="exact")


def _far(rgb):
    return [Sheet(rgb=rgb, alpha=None, disparity=np.zeros(rgb.shape[:2], np.float32))]


def _points(size, points):
    rgb = np.zeros((*size, 3), np.float32)
    for y, x in points:
        rgb[y, x] = 1
    return rgb


def _paper(encoded, disparity, *, cat_eye, aperture=None, radius_px=7.0):
    return reference.paper(
        encoded,
        disparity,
        Optics(
            focus_disparity=1.0,
            radius_px=radius_px,
            planes=3,
            aperture=aperture or Aperture(),
            paper=PaperLook(alpha1=1.0, alpha2=1.0),
            cat_eye=cat_eye,
        ),
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (30, 47), (64, 20)])
def test_flat_field_stays_flat(size):
    disparity = np.random.default_rng(1).random(size, np.float32)
    flat = np.full((*size, 3), 0.37, np.float32)
    sheet = Sheet(rgb=flat, alpha=None, disparity=disparity)
    assert_allclose(reference.thin_lens([sheet], OPTICS), 0.37, rtol=0, atol=1e-5)
    assert_allclose(_paper(flat, disparity, cat_eye=1.0), 0.37, rtol=0, atol=1e-5)


def test_every_pixel_takes_the_spans_that_its_barrel_leaves():
    image = np.random.default_rng(2).random((21, 34, 2), np.float32)
    spans, cut = antialiased_spans(Pupil(), 4.2), barrel((21, 34), Pupil(), 0.8, 15.0)
    got = cut_scatter(image, spans, 4.2, cut)
    for y, x in ((0, 0), (3, 30), (10, 17), (20, 5)):
        want = np.zeros(2)
        for dy, left, right in zip(spans.dy, spans.left, spans.right, strict=True):
            ends = cut.chord(int(dy), 4.2, np.float64(y + 0.5), np.float64(x + 0.5))
            first, last = max(left, ends[0]), min(right, ends[1])
            for dx in range(-5, 6):
                if 0 <= y - dy < 21 and 0 <= x - dx < 34:
                    share = max(min(dx + 0.5, last) - max(dx - 0.5, first), 0)
                    want += share / spans.area * image[y - dy, x - dx]
        assert_allclose(got[y, x], want, rtol=0, atol=1e-6)


def test_centre_of_the_photo_is_as_without():
    rgb = np.random.default_rng(3).random((49, 65, 3), np.float32)
    with_cut, without = (reference.thin_lens(_far(rgb), replace(OPTICS, cat_eye=c)) for c in (1.0, 0.0))
    assert_allclose(with_cut[24, 32], without[24, 32], rtol=0, atol=1e-6)
    assert np.abs(with_cut[4, 4] - without[4, 4]).max() > 0.01
    disparity = np.tile(np.linspace(0, 0.4, 65, dtype=np.float32), (49, 1))
    with_cut, without = (_paper(rgb, disparity, cat_eye=c) for c in (1.0, 0.0))
    assert_allclose(with_cut[24, 32], without[24, 32], rtol=0, atol=0.01)  # no parts of pixels outside the disk
    assert np.abs(with_cut[4, 4] - without[4, 4]).max() > 0.001


def test_corner_draws_the_overlap_of_two_disks_narrow_along_the_radius():
    size, radius = (120, 160), 8.0
    rgb = _points(size, [(10, 10)])
    disk = reference.thin_lens(_far(rgb), replace(OPTICS, radius_px=radius, planes=2, cat_eye=0.0))[..., 0]
    eye = reference.thin_lens(_far(rgb), replace(OPTICS, radius_px=radius, planes=2))[..., 0]
    y, x = np.mgrid[0:120, 0:160] - 10.0
    outward = np.array([80 - 10.5, 60 - 10.5]) / np.hypot(80 - 10.5, 60 - 10.5)

    def spread(image, direction):
        along = x * direction[0] + y * direction[1]
        mean = (image * along).sum() / image.sum()
        return np.sqrt((image * (along - mean) ** 2).sum() / image.sum())

    assert_allclose(spread(disk, outward), radius / 2, rtol=0.02, atol=0)
    assert spread(eye, outward) < 0.7 * spread(eye, outward[::-1] * [-1, 1])  # 0.66
    towards_centre = (eye * (x * outward[0] + y * outward[1])).sum() / eye.sum()
    assert towards_centre > 0.2 * radius  # what is cut away lies on the outer side
    # The light of a point, spread over less; not exactly 1, since the kernel belongs to the pixel written. Seen: 0.93.
    assert_allclose(eye.sum(), 1, rtol=0, atol=0.1)


@pytest.mark.parametrize("flip", [(slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1))])
def test_flips_commute_with_a_disk(flip):
    rng = np.random.default_rng(4)
    rgb, disparity = rng.random((26, 37, 3), np.float32), rng.random((26, 37), np.float32)
    optics = replace(OPTICS, focus_disparity=0.4)

    def thin_lens(rgb, disparity):
        return reference.thin_lens([Sheet(rgb=rgb, alpha=None, disparity=disparity)], optics)

    assert_allclose(thin_lens(rgb[flip], disparity[flip]), thin_lens(rgb, disparity)[flip], rtol=0, atol=2e-6)
    want = _paper(rgb, disparity, cat_eye=1.0)[flip]
    assert_allclose(_paper(rgb[flip], disparity[flip], cat_eye=1.0), want, rtol=0, atol=2e-6)


def test_in_front_of_the_focus_the_cut_turns_too():
    size = (61, 61)
    behind, front = (
        reference.thin_lens(
            [Sheet(rgb=_points(size, [(8, 8)]), alpha=None, disparity=np.full(size, d, np.float32))],
            replace(OPTICS, focus_disparity=0.5, radius_px=14.0, cat_eye=0.9),
        )[..., 0]
        for d in (0.0, 1.0)
    )
    y, x = np.mgrid[0:61, 0:61] - 8.0
    assert (behind * (x + y)).sum() > 2
    assert (front * (x + y)).sum() < -2
