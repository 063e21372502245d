"""Objects: drawn or cut out, placed behind subjects or in scenes without people, and never in the matte."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from wideopen.errors import InvalidInput
from wideopen.train.augment import Stock, TrainPhoto, sample
from wideopen.train.photos import load_things
from wideopen.train.settings import Chances
from wideopen.train.things import drawn_thing, held_thing, thing_on

PLAIN = dict.fromkeys(Chances.__dataclass_fields__, 0.0)


def a_square():
    """A red square on grey, off the middle: a photo whose matte is exact."""
    alpha = np.zeros((64, 64), np.uint8)
    alpha[20:50, 24:44] = 255
    rgb = np.where(alpha[..., None] > 0, (200, 30, 30), (120, 120, 120)).astype(np.uint8)
    return TrainPhoto(rgb, alpha, np.full_like(rgb, (200, 30, 30)))


@pytest.fixture
def blue_thing():
    """A cut-out, blue, opaque in its middle half."""
    thing = np.zeros((40, 60, 4), np.uint8)
    thing[10:30, 15:45] = (20, 40, 220, 255)
    return thing


def test_a_drawn_thing_is_a_shaded_body_with_soft_edges():
    scenes = [np.random.default_rng(1).integers(0, 256, (80, 80, 3)).astype(np.uint8)]
    for seed in range(20):
        layer = drawn_thing(np.random.default_rng(seed), scenes, 96)
        assert 0.1 < layer.alpha.mean() < 0.95
        assert (layer.rgb <= layer.alpha[..., None] + 1e-6).all()  # premultiplied
        edge = (layer.alpha > 0) & (layer.alpha < 1)
        assert 0 < edge.sum() < 0.25 * edge.size


def test_an_object_of_any_size_lies_inside_the_sample(blue_thing):
    shares = []
    for seed in range(60):
        layer = thing_on(np.random.default_rng(seed), [blue_thing], [], 48)
        assert layer.rgb.shape == (48, 48, 3)
        assert layer.alpha.shape == (48, 48)
        assert (layer.rgb <= layer.alpha[..., None] + 1e-5).all()
        shares.append(layer.alpha.mean())
    assert min(shares) < 0.05
    assert max(shares) > 0.25


def test_scenes_without_people_show_things_and_have_an_empty_matte(blue_thing):
    chances = Chances(**{**PLAIN, "new_background": 1, "nobody": 1, "things": 1})
    stock = Stock([a_square()], [np.full((64, 64, 3), 90, np.uint8)], [blue_thing])
    blue = 0
    for seed in range(30):
        rgb, alpha, _ = sample(np.random.default_rng(seed), stock, 0, (48, 48), chances)
        assert not alpha.any()
        blue += (rgb[..., 2].astype(int) - rgb[..., 0] > 80).any()
    assert blue >= 8


def test_a_thing_lies_behind_the_subject_and_not_in_its_matte(blue_thing):
    with_things = Chances(**{**PLAIN, "new_background": 1, "things": 1})
    stock = Stock([a_square()], [np.full((64, 64, 3), 90, np.uint8)], [blue_thing])
    for seed in range(20):
        rgb, alpha, _ = sample(np.random.default_rng(seed), stock, 0, (48, 48), with_things)
        inside = alpha == 255
        if inside.any():
            red, green, blue = rgb[inside].astype(int).T
            assert (red > blue).all()
            assert (red > green).all()


def test_held_objects_lie_on_the_body_below_the_head(blue_thing):
    person = np.zeros((96, 96), np.float32)
    person[10:90, 30:66] = 1
    for seed in range(30):
        held = held_thing(np.random.default_rng(seed), [blue_thing], [], person)
        rows = np.nonzero(held.alpha > 0.5)[0]
        assert 4 < rows.size < 0.5 * person.sum()
        assert rows.mean() > 30
        assert (held.alpha * person).sum() > 0.3 * held.alpha.sum()
    assert not held_thing(np.random.default_rng(0), [blue_thing], [], np.zeros_like(person)).alpha.any()


def test_held_objects_belong_to_the_matte(blue_thing):
    chances = Chances(**{**PLAIN, "new_background": 1, "held": 1})
    stock = Stock([a_square()], [np.full((64, 64, 3), 90, np.uint8)], [blue_thing])
    blue = 0
    for seed in range(40):
        rgb, alpha, _ = sample(np.random.default_rng(seed), stock, 0, (96, 96), chances)
        is_blue = rgb[..., 2].astype(int) - rgb[..., 0] > 100
        assert alpha[is_blue].min(initial=255) > 60
        blue += is_blue.sum() > 10
    assert blue >= 6


def test_without_things_samples_are_as_before(blue_thing):
    chances = Chances(**{**PLAIN, "new_background": 1})
    scenes = [np.full((64, 64, 3), 90, np.uint8)]
    one, other = (
        sample(np.random.default_rng(5), Stock([a_square()], scenes, things), 0, (48, 48), chances)
        for things in ([], [blue_thing])
    )
    assert_array_equal(one[0], other[0])
    assert_array_equal(one[1], other[1])


# Loading


def test_cut_outs_are_found_below_a_folder_and_others_left_out(tmp_path, blue_thing):
    (tmp_path / "fruit").mkdir()
    cv2.imwrite(str(tmp_path / "fruit" / "plum.png"), cv2.cvtColor(blue_thing, cv2.COLOR_RGBA2BGRA))
    cv2.imwrite(str(tmp_path / "opaque.png"), blue_thing[..., :3])
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    (thing,) = load_things(tmp_path, 30)
    assert thing.shape == (20, 30, 4)
    assert tuple(thing[10, 15]) == (20, 40, 220, 255)


def test_a_folder_without_cut_outs_is_refused(tmp_path):
    assert load_things(None, 64) == []
    with pytest.raises(InvalidInput, match="things: expected images with transparency"):
        load_things(tmp_path, 64)
    with pytest.raises(InvalidInput, match="things: expected a folder"):
        load_things(tmp_path / "none", 64)
