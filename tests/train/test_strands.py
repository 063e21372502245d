"""Hair drawn strand by strand: exact coverage, heads found, samples composited exactly."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.train.augment import Stock, TrainPhoto, match_scene, sample
from wideopen.train.hair import find_head, hair_for, tuft, with_hair
from wideopen.train.layer import Layer, flat, over
from wideopen.train.settings import Chances
from wideopen.train.strands import STYLES, draw, grow
from wideopen.train.things import headwear


def rods(points, width, colour=(1, 1, 1), opacity=1.0):
    """Arguments of `draw` for straight or bent strands of one width and colour."""
    points = np.asarray(points, np.float32)
    strands, count = points.shape[:2]
    colours = np.tile(np.float32(colour), (strands, count, 1))
    return points, np.full((strands, count), width, np.float32), colours, np.full(strands, opacity, np.float32)


def person(size=160):
    """A head of radius 30 around (80, 60) on shoulders: (rgb, alpha)."""
    alpha = np.zeros((size, size), np.uint8)
    cv2.ellipse(alpha, (80, 60), (30, 36), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.rectangle(alpha, (66, 80), (94, 120), 255, -1)  # the neck
    cv2.ellipse(alpha, (80, 160), (66, 62), 0, 0, 360, 255, -1, cv2.LINE_AA)
    rgb = np.full((size, size, 3), (70, 50, 40), np.uint8)
    return rgb, alpha


def slow_draw(points, widths, height, width):
    """Coverage of one strand of constant width, pixel by pixel, from the box filter's definition."""
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for a, b in zip(points[0], points[0, 1:], strict=False):
                p = np.array([x + 0.5, y + 0.5]) - a
                t = np.clip(p @ (b - a) / ((b - a) @ (b - a)), 0, 1)
                d, half = np.linalg.norm(p - t * (b - a)), widths[0, 0] / 2
                out[y, x] = max(out[y, x], min(d + 0.5, half) - max(d - 0.5, -half))
    return np.clip(out, 0, 1)


@pytest.mark.parametrize("width", [0.2, 1.0, 3.7])
def test_coverage_equals_the_definition(width):
    args = rods([[(1.3, 2.2), (7.9, 5.1), (8.5, 12.7)]], width)
    alpha = draw(*args, 17).alpha
    assert_allclose(alpha, slow_draw(args[0].astype(float), args[1], 17, 17), rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [0.3, 0.9, 2.4])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.8])
def test_a_strand_covers_its_width_wherever_it_lies(width, offset):
    args = rods([[(10 + offset, -5), (10 + offset, 30)]], width)
    alpha = draw(*args, 21).alpha
    assert_allclose(alpha.sum(1), width, rtol=0, atol=1e-5)


def test_joints_are_not_drawn_twice():
    bent = draw(*rods([[(2, 5), (6, 5), (10, 5), (14, 5)]], 0.6), 16).alpha
    straight = draw(*rods([[(2, 5), (14, 5)]], 0.6), 16).alpha
    assert_allclose(bent, straight, rtol=0, atol=1e-6)


def test_the_last_strand_lies_on_top_and_colour_is_premultiplied():
    both = rods([[(0, 5), (20, 5)], [(10, -2), (10, 12)]], 2.0)
    both[2][0], both[2][1] = (1, 0, 0), (0, 0, 1)
    layer = draw(*both, 20)
    rgb, alpha = layer.rgb, layer.alpha
    assert_allclose(rgb[5, 10], [0, 0, 1], rtol=0, atol=1e-6)
    assert_allclose(rgb[5, 3], [1, 0, 0], rtol=0, atol=1e-6)
    assert (rgb <= alpha[..., None] + 1e-6).all()


def test_half_opaque_strands_let_half_through():
    layer = draw(*rods([[(-2, 5), (20, 5)]], 4.0, (0.8, 0.4, 0.2), 0.5), 18)
    assert_allclose(layer.alpha[5], 0.5, rtol=0, atol=1e-6)
    assert_allclose(layer.rgb[5], np.tile([0.4, 0.2, 0.1], (18, 1)), rtol=0, atol=1e-6)


def test_strands_outside_the_picture_leave_no_trace():
    alpha = draw(*rods([[(-50, -50), (-10, -3)], [(30, 40), (90, 40)]], 3.0), 16).alpha
    assert_allclose(alpha, 0, rtol=0, atol=0)


# Growth


def test_strands_start_at_their_roots_and_have_the_styles_length():
    rng = np.random.default_rng(0)
    roots = rng.uniform(0, 100, (20, 2)).astype(np.float32)
    style = replace(STYLES["short"], frizz=(0, 0), spread=(0, 0), wander=(0, 0), gravity=(0, 0))
    strands = grow(rng, roots, np.zeros(20, np.float32), style, 50.0)
    assert_allclose(strands.points[:, 0], roots[strands.clump_of], rtol=0, atol=1e-4)
    lengths = np.linalg.norm(np.diff(strands.points, axis=1), axis=-1).sum(1)
    assert lengths.min() > 0.6 * 0.5 * style.length[0] * 50 - 1e-3
    assert lengths.max() < 1.1 * style.length[1] * 50 + 1e-3


def test_gravity_turns_hair_towards_the_ground():
    rng = np.random.default_rng(1)
    roots = np.zeros((40, 2), np.float32)
    up = np.full(40, -1.2, np.float32)
    style = replace(STYLES["long"], wander=(0, 0), gravity=(3, 3))
    strands = grow(rng, roots, up, style, 60.0)
    last = strands.points[:, -1] - strands.points[:, -3]
    assert np.median(last[:, 1] / np.linalg.norm(last, axis=1)) > 0.8


# Heads and layers


def test_a_head_is_found_where_it_is():
    head = find_head(person()[1])
    assert head is not None
    assert_allclose([head.x, head.y, head.radius], [80, 60, 30], rtol=0, atol=8)
    up, side = head.reach(np.array([-np.pi / 2, 0.0], np.float32))
    assert_allclose(head.y - up, 24, rtol=0, atol=4)
    assert_allclose(head.x + side, 110, rtol=0, atol=4)
    moved = head.moved((40, 20, 80), 160)
    assert_allclose(
        [moved.x, moved.y, moved.radius], [2 * (head.x - 40), 2 * (head.y - 20), 2 * head.radius], atol=1e-4
    )


def test_no_head_is_found_without_its_top_or_without_a_person():
    _, alpha = person()
    assert find_head(np.zeros((50, 50), np.uint8)) is None
    assert find_head(alpha[60:]) is None


@pytest.mark.parametrize("seed", range(6))
def test_hair_grows_around_the_head_and_never_takes_coverage_away(seed):
    rgb, alpha = person()
    plain = alpha.astype(np.float32) / 255
    behind, front = hair_for(np.random.default_rng(seed), find_head(alpha), rgb)
    layer = with_hair(rgb.astype(np.float32) / 255, plain, behind, front)
    assert (layer.alpha >= plain - 1e-6).all()
    assert layer.alpha.max() <= 1 + 1e-6
    assert (layer.rgb <= layer.alpha[..., None] + 1e-5).all()
    gained = layer.alpha - plain
    assert gained.sum() > 20
    assert ((gained > 0.02) & (gained < 0.98)).sum() > 50  # single strands, not a cap


def test_a_composite_has_exactly_the_matte_that_is_learned():
    rgb, alpha = person()
    behind, front = hair_for(np.random.default_rng(4), find_head(alpha), rgb)
    layer = with_hair(rgb.astype(np.float32) / 255, alpha.astype(np.float32) / 255, behind, front)
    dark, light = (flat(layer, np.full((160, 160, 3), value, np.uint8)).astype(int) for value in (0, 255))
    seen = 255 - (light - dark)[..., 0]  # what a blue-screen shot pair gives: the true matte
    assert_allclose(seen, layer.alpha * 255, rtol=0, atol=1.01)


def test_fur_that_stands_alone_has_a_body_and_a_fringe():
    layer = tuft(np.random.default_rng(2), 128)
    assert (layer.alpha > 0.99).mean() > 0.02
    assert ((layer.alpha > 0.05) & (layer.alpha < 0.95)).mean() > 0.005


def test_a_hat_covers_the_top_of_the_head():
    _, alpha = person()
    head = find_head(alpha)
    crown = round(head.y - 0.7 * head.radius), round(head.x)
    covered = [headwear(np.random.default_rng(s), head, [], 160).alpha[crown] for s in range(12)]
    assert np.mean(np.array(covered) > 0.5) > 0.6


def test_layers_over_one_another_compose_as_one_after_the_other():
    rng = np.random.default_rng(0)
    alphas = rng.random((2, 9, 7), np.float32)
    top, bottom = (Layer(a[..., None] * rng.random(3, np.float32), a) for a in alphas)
    scene = rng.integers(0, 256, (9, 7, 3)).astype(np.uint8)
    assert_allclose(flat(over(top, bottom), scene).astype(int), flat(top, flat(bottom, scene)), rtol=0, atol=1)


def test_a_subject_takes_on_the_colours_of_its_scene():
    rgb, alpha = person()
    layer = Layer(rgb / np.float32(255) * (alpha[..., None] / np.float32(255)), alpha / np.float32(255))
    scene = np.random.default_rng(0).integers(100, 200, (160, 160, 3)).astype(np.uint8)
    near = [match_scene(layer, scene, s).rgb.sum((0, 1)) / layer.alpha.sum() for s in (0.0, 1.0)]
    assert_allclose(near[0], np.array([70, 50, 40]) / 255, rtol=0, atol=1e-3)
    assert_allclose(near[1], scene.mean((0, 1)) / 255, rtol=0, atol=1e-2)


def test_samples_with_hair_repeat_with_their_seed():
    rgb, alpha = person()
    photo = TrainPhoto(rgb, alpha, rgb, find_head(alpha))
    stock, chances = Stock([photo], []), Chances(hair=1)
    first, again = (sample(np.random.default_rng(9), stock, 0, (64, 64), chances) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert_allclose(a, b, rtol=0, atol=0)
