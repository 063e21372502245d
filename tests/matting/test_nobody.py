"""Photos without a subject: scraps and textures give an empty matte; people, however small, and crowds do not."""

import cv2
import numpy as np
import pytest

from wideopen.matting.clean import shows_subject
from wideopen.matting.inference import PRESETS, MattingSettings
from wideopen.matting.predict import matte_by

SIZE = (320, 480)


def figure(height_px, *, soft_px=3):
    """The matte of somebody standing, soft at the outline."""
    alpha = np.zeros(SIZE, np.float32)
    top, middle = (SIZE[0] - height_px) // 2, SIZE[1] // 2
    cv2.circle(alpha, (middle, top + height_px // 10), height_px // 10, 1, -1)
    cv2.rectangle(
        alpha, (middle - height_px // 8, top + height_px // 5), (middle + height_px // 8, top + height_px), 1, -1
    )
    return cv2.blur(alpha, (soft_px, soft_px))


def torn():
    """What a network says of branches before the sky: specks and half-decided strokes."""
    random = np.random.default_rng(0)
    alpha = np.zeros(SIZE, np.float32)
    for _ in range(60):
        ends = random.integers((150, 60), (330, 260), (2, 2))
        cv2.line(alpha, *(tuple(map(int, end)) for end in ends), float(random.uniform(0.3, 0.8)), 2)
    return alpha


def frame():
    """What a network says of grass: all of it, up to three edges."""
    alpha = np.ones(SIZE, np.float32)
    alpha[-10:] = 0
    return alpha


CROWD = np.pad(np.ones((220, 400), np.float32), ((100, 0), (40, 40)))
FACE = np.pad(np.ones((310, 440), np.float32), ((10, 0), (0, 40)))  # touches the left edge and the lower one


@pytest.mark.parametrize("alpha", [figure(40), figure(300), figure(300, soft_px=15), CROWD, FACE])
def test_people_are_subjects(alpha):
    assert shows_subject(alpha)


@pytest.mark.parametrize("alpha", [np.zeros(SIZE, np.float32), torn(), frame()])
def test_empty_mattes_scraps_and_textures_show_no_subject(alpha):
    assert not shows_subject(alpha)


class Always:
    """A network that gives one matte."""

    config = PRESETS["mobile"]

    def __init__(self, alpha):
        self.alpha = alpha

    def __call__(self, *_):
        return self.alpha


def test_a_matte_without_a_subject_is_empty_unless_a_hint_was_given():
    photo = np.random.default_rng(1).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    settings = MattingSettings(matting_size=480, matting_edges=False)
    assert matte_by(Always(frame()), settings, photo).max() == 0
    hint = np.ones(SIZE, np.float32)
    assert matte_by(Always(frame()), settings, photo, hint=hint).mean() > 0.9
    assert matte_by(Always(figure(300)), settings, photo).mean() > 0.1
