"""The depth network inside the package."""

import cv2
import numpy as np
import pytest

from wideopen.disparity.small import network_size, predict_small


@pytest.fixture(scope="module")
def corridor() -> np.ndarray:
    """A floor with a pattern that shrinks towards the horizon, under a plain sky."""
    photo = np.full((360, 480, 3), (190, 210, 235), np.uint8)
    rng = np.random.default_rng(1)
    tiles = cv2.resize(rng.integers(40, 160, (64, 64, 1), np.uint8), (960, 960), interpolation=cv2.INTER_NEAREST)
    corners = np.float32([[0, 0], [960, 0], [960, 960], [0, 960]])
    floor = np.float32([[200, 150], [280, 150], [900, 360], [-420, 360]])
    warped = cv2.warpPerspective(tiles, cv2.getPerspectiveTransform(corners, floor), (480, 360))
    photo[150:] = warped[150:, :, None]
    return photo


def test_a_floor_comes_nearer_towards_its_lower_edge(corridor):
    depth = predict_small(corridor).whole
    rows = depth.mean(1)
    assert depth.dtype == np.float32
    assert depth.shape == (512, 672)
    assert rows[-40:].mean() > rows[300:340].mean() > rows[60:120].mean()


@pytest.mark.parametrize(("size", "at"), [((3000, 4000), (256, 352)), ((40, 3000), (256, 1024)), ((1, 1), (256, 256))])
def test_sides_are_multiples_of_32_and_panoramas_are_squeezed(size, at):
    assert network_size(*size, 256) == at


def test_a_photo_of_one_colour_gives_a_finite_map():
    assert np.isfinite(predict_small(np.full((5, 9, 3), 128, np.uint8)).whole).all()


@pytest.fixture(scope="module")
def thing(corridor) -> tuple[np.ndarray, np.ndarray]:
    """(photo, matte) of a bright ball in the corridor."""
    alpha = np.zeros((360, 480), np.float32)
    cv2.circle(alpha, (240, 200), 90, 1, -1)
    ball = np.float32((210, 60, 40)) * np.linspace(1.2, 0.4, 360, dtype=np.float32)[:, None, None]
    photo = np.where(alpha[..., None] > 0, np.clip(ball, 0, 255), corridor).astype(np.uint8)
    return photo, alpha


def test_the_background_is_what_the_network_sees_without_the_subject(corridor, thing):
    photo, alpha = thing
    depth, without = predict_small(photo), predict_small(corridor).whole
    a = cv2.resize(alpha, depth.detail.shape[::-1])
    whole, behind = depth.whole, depth.behind(a)
    near = (a < 0.05) & (cv2.dilate(a, np.ones((61, 61))) > 0.05)
    assert behind.shape == whole.shape
    assert whole[a > 0.95].mean() > behind[a > 0.95].mean() + 0.1 * np.ptp(whole)
    assert np.corrcoef(behind[near], without[near])[0, 1] > np.corrcoef(whole[near], without[near])[0, 1]


def test_less_is_guessed_nearer_the_more_the_subject_hides(thing, monkeypatch):
    depth, ball = predict_small(thing[0]), cv2.resize(thing[1], (672, 512))
    monkeypatch.setattr("wideopen.disparity.small._both_ways", lambda _: depth.order[:, ::-1])

    def nearer(alpha: np.ndarray) -> float:
        found = np.maximum(depth.behind(alpha) - depth.whole, 0).max()
        monkeypatch.setattr("wideopen.disparity.small.GUESSED", 0)
        guess = np.maximum(depth.behind(alpha) - depth.whole, 0).max()
        monkeypatch.setattr("wideopen.disparity.small.GUESSED", 1.5)
        return float(found / guess)

    most = np.ones_like(ball)
    most[:, :150] = 0
    assert 0.5 < nearer(ball) < 0.9
    assert nearer(most) == pytest.approx(0, abs=1e-5)


def test_nothing_is_guessed_where_no_background_is_seen(thing):
    depth = predict_small(thing[0])
    assert np.array_equal(depth.behind(np.ones(depth.detail.shape, np.float32)), depth.whole)
