"""Lens settings: ranges, and their text forms."""

import numpy as np
import pytest

from wideopen.errors import InvalidInput
from wideopen.lens import Aperture, Lens, PaperLook, parse_blur, parse_focus, parse_grain
from wideopen.settings import LensSettings


@pytest.mark.parametrize(
    "change",
    [
        {"focus_disparity": -0.1},
        {"focus_disparity": 1.1},
        {"focus_disparity": float("nan")},
        {"max_radius": -0.01},
        {"max_radius": 0.26},
        {"max_radius": float("inf")},
        {"focus_range": -0.1},
        {"planes": 1},
        {"planes": 257},
        {"highlights": -1},
        {"highlights": 11},
        {"cat_eye": -0.1},
        {"grain": -1},
        {"grain": 33},
        {"grain": "on"},
        {"cat_eye": 1.1},
        {"look": "thick-lens"},
        {"focus_disparity": "0.5"},
        {"highlights": True},
        {"planes": 8.5},
        {"aperture": "disc"},
        {"aperture": 5},
    ],
)
def test_lens_out_of_range_is_refused_by_name(change):
    with pytest.raises(InvalidInput, match=f"{next(iter(change))}: expected .* found"):
        Lens(**({"focus_disparity": 0.5} | change))


@pytest.mark.parametrize(
    "text",
    [
        "disc",
        "polygon",
        "polygon:2",
        "polygon:0",
        "polygon:17",
        "polygon:6@",
        "polygon:6@x",
        "polygon:6~",
        "polygon:6~2",
        "disk~0.5",
        "",
    ],
)
def test_an_invalid_aperture_is_refused(text):
    with pytest.raises(InvalidInput, match="expected"):
        Aperture.parse(text)


def test_numbers_of_numpy_are_numbers():
    assert Lens(focus_disparity=np.float32(0.5), planes=np.int64(8)).planes == 8


def test_blades_are_whole():
    with pytest.raises(InvalidInput, match=r"blades: expected a whole number, found 5\.5"):
        Aperture(blades=5.5)


def test_aperture_words_are_parsed():
    assert Aperture.parse("disk") == Aperture()
    assert Aperture.parse("polygon:8@-22.5") == Aperture(blades=8, rotation_deg=-22.5)
    assert Aperture.parse("polygon:8@-22.5~0.25") == Aperture(blades=8, rotation_deg=-22.5, curvature=0.25)
    assert Aperture.parse("polygon:8~.5") == Aperture(blades=8, curvature=0.5)


def test_curvature_out_of_range_is_refused():
    with pytest.raises(InvalidInput, match=r"curvature: expected \[0, 1\], found 1\.5"):
        Aperture(blades=6, curvature=1.5)


def test_blur_words_are_parsed():
    assert parse_blur("2.5%", 4000) == 0.025
    assert parse_blur("40px", 1600) == 0.025
    assert parse_blur("0px", 100) == 0


@pytest.mark.parametrize("text", ["40", "40 mm", "-3px", "26%", "3000px", "nanpx", "1e3px", ""])
def test_an_invalid_blur_is_refused(text):
    with pytest.raises(InvalidInput, match="blur: expected"):
        parse_blur(text, 4000)


def test_grain_words_are_parsed():
    assert [parse_grain(text) for text in ("auto", "off", "0", "3.5", ".5")] == [None, 0, 0, 3.5, 0.5]


@pytest.mark.parametrize("text", ["on", "", "-1", "33", "3 codes", "nan", "1e1"])
def test_an_invalid_grain_is_refused(text):
    with pytest.raises(InvalidInput, match="grain: expected auto, off or 0 to 32"):
        parse_grain(text)


class Scene:
    long_side_px = 100

    def focus_on_subject(self):
        return 0.7, 0.05

    def disparity_at(self, x, y):
        return x + y


@pytest.mark.parametrize(
    ("text", "disparity", "focus_range"), [("subject", 0.7, 0.05), ("d=0.25", 0.25, 0.0), ("0.5, .25", 0.75, 0.0)]
)
def test_focus_words_are_parsed(text, disparity, focus_range):
    lens = LensSettings(focus=text).lens(Scene())
    assert (lens.focus_disparity, lens.focus_range) == (disparity, focus_range)


@pytest.mark.parametrize("text", ["d=1.5", "d=-1", "d=", "1", "1;2", "subjects", "a,b", "nan,1"])
def test_an_invalid_focus_is_refused(text):
    with pytest.raises(InvalidInput, match="focus: expected"):
        parse_focus(text)


@pytest.mark.parametrize("change", [{"a2": 0}, {"alpha1": 0}, {"alpha2": 33}, {"delta": float("nan")}])
def test_paper_constants_out_of_range_are_refused(change):
    with pytest.raises(InvalidInput, match=f"{next(iter(change))}: expected"):
        PaperLook(**change)
