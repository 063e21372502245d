"""analyze and render: inputs, results and notes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen import InvalidInput, Lens, PaperLook, analyze, render
from wideopen.errors import BackendUnavailable
from wideopen.rendering import BACKENDS
from wideopen.settings import MapSettings
from wideopen.sheets.lamps import LIT

RNG = np.random.default_rng(9)
USABLE = [name for name, backend in BACKENDS.items() if backend.why_not() is None]


@pytest.fixture
def portrait():
    """A textured photo with a soft round subject, and its true disparity."""
    y, x = np.mgrid[0:72, 0:96].astype(np.float32)
    matte = np.clip((22 - np.hypot(x - 48, y - 40)) / 3 + 0.5, 0, 1)
    photo = RNG.random((72, 96, 3), np.float32)
    return photo, matte, np.where(matte > 0.5, np.float32(0.8), 0.1 + 0.2 * y / 72)


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize("look", ["thin-lens", "paper"])
def test_subject_stays_and_background_melts(portrait, backend, look):
    photo, matte, disparity = portrait
    scene = analyze(photo, matte=matte, disparity=disparity, backend=backend)
    focus, focus_range = scene.focus_on_subject()
    image = render(
        scene,
        Lens(focus_disparity=focus, focus_range=focus_range, max_radius=0.1, look=look, highlights=0.0, grain=0.0),
        backend=backend,
    )
    assert_allclose(image[matte == 1], photo[matte == 1], rtol=0, atol=2e-5)  # paper goes through 16 bits
    far = np.zeros_like(matte, bool)
    far[:15, :] = True
    assert image[far].std() < (0.15 if look == "thin-lens" else 0.6) * photo[far].std()


def assert_shows(image, photo, atol):
    """The image shows the photo; what the photo clipped may be brighter than white."""
    clipped = photo >= LIT
    assert_allclose(image[~clipped], photo[~clipped], rtol=0, atol=atol)
    assert image[clipped].min(initial=1) >= LIT - atol


@pytest.mark.parametrize("look", ["thin-lens", "paper"])
def test_blur_zero_gives_the_photo_back(portrait, look):
    photo, matte, disparity = portrait
    scene = analyze(photo, matte=matte, disparity=disparity)
    image = render(scene, Lens(focus_disparity=0.2, max_radius=0.0, look=look, grain=0.0))
    assert_shows(image, photo, atol=2e-5 if look == "paper" else 2e-6)


def test_focus_on_the_background_blurs_the_subject(portrait):
    photo, matte, disparity = portrait
    scene = analyze(photo, matte=matte, disparity=disparity)
    image = render(scene, Lens(focus_disparity=scene.disparity_at(5, 5), max_radius=0.08, highlights=0.0, grain=0.0))
    inside = matte == 1
    assert image[inside].std() < 0.5 * photo[inside].std()
    assert_allclose(image[2:6, :], photo[2:6, :], rtol=0, atol=0.08)


def test_an_empty_matte_renders_by_disparity_with_a_note(portrait):
    photo, _, disparity = portrait
    scene = analyze(photo, matte=np.zeros((72, 96), np.float32), disparity=disparity)
    assert not scene.has_subject
    assert "no subject" in scene.maps.notes[0]
    assert np.isfinite(render(scene, Lens(focus_disparity=scene.focus_on_subject()[0], grain=0.0))).all()


def test_without_a_subject_what_is_near_blurs_over_what_is_far():
    """A dark disk before a bright wall: with the wall in focus its outline is not sharp, and it spreads outwards."""
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    away = np.hypot(x - 80, y - 60) - 30  # from the disk's outline
    disk = np.clip(0.5 - away, 0, 1)
    photo = np.repeat((0.8 - 0.75 * disk)[..., None], 3, axis=2)
    scene = analyze(photo, matte=np.zeros_like(disk), disparity=np.where(away < 0, np.float32(0.9), np.float32(0.1)))
    assert not scene.has_subject
    image = render(scene, Lens(focus_disparity=0.1, max_radius=0.08, highlights=0.0, grain=0.0))[..., 0]
    step = np.abs(np.diff(image[60])).max()
    assert step < 0.15, step  # 0.28 if the whole photo is one surface
    assert image[(away > 2) & (away < 4)].mean() < 0.65


def test_a_full_matte_renders_by_disparity_with_a_note(portrait):
    photo, _, disparity = portrait
    scene = analyze(photo, matte=np.ones((72, 96), np.float32), disparity=disparity)
    assert "covers the whole photo" in scene.maps.notes[0]
    image = render(scene, Lens(focus_disparity=0.8, max_radius=0.1, highlights=0.0, grain=0.0))
    assert image[:10].std() < 0.5 * photo[:10].std()


def test_constant_disparity_is_noted_and_changes_nothing(portrait):
    photo, matte, _ = portrait
    scene = analyze(photo, matte=matte, disparity=np.full((72, 96), 0.5, np.float32))
    assert "constant" in scene.maps.notes[0]
    for look in ("thin-lens", "paper"):
        image = render(scene, Lens(focus_disparity=0.5, max_radius=0.1, look=look, grain=0.0))
        assert_shows(image, photo, atol=2e-5)


def test_disparity_from_the_matte_alone_is_not_filtered(portrait):
    photo, matte, _ = portrait
    maps = analyze(photo, depth="planar", matte=matte).maps
    assert (maps.matte_source, maps.disparity_source, maps.disparity_filtered) == ("given", "planar", False)
    assert maps.notes == ()
    assert set(maps.seconds) == {"disparity", "sheets"}


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (3, 2)])
@pytest.mark.parametrize("look", ["thin-lens", "paper"])
@pytest.mark.parametrize("backend", USABLE)
def test_tiny_photos_are_rendered(size, look, backend):
    photo, matte = RNG.random((*size, 3), np.float32), np.zeros(size, np.float32)
    matte[0, 0] = 1
    scene = analyze(photo, matte=matte, disparity=RNG.random(size, np.float32), backend=backend)
    image = render(scene, Lens(focus_disparity=0.3, max_radius=0.25, look=look, grain=0.0), backend=backend)
    assert image.shape == photo.shape
    assert np.isfinite(image).all()


def test_a_photo_one_pixel_high_is_rendered(portrait):
    photo, matte = RNG.random((1, 400, 3), np.float32), np.zeros((1, 400), np.float32)
    matte[:, 100:200] = 1
    scene = analyze(photo, matte=matte)
    assert np.isfinite(render(scene, Lens(focus_disparity=1.0, grain=0.0))).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_types_and_read_only_arrays_are_accepted(portrait, dtype):
    photo, matte, disparity = (np.asfortranarray(a.astype(dtype)) for a in portrait)
    for array in (photo, matte, disparity):
        array.flags.writeable = False
    scene = analyze(photo, matte=matte, disparity=disparity)
    assert render(scene, Lens(focus_disparity=0.8, grain=0.0)).dtype == np.float32


def test_bad_arrays_and_names_are_refused(portrait):
    photo, matte, disparity = portrait
    with pytest.raises(InvalidInput, match="matte: expected"):
        analyze(photo, matte=matte[:10])
    with pytest.raises(InvalidInput, match="disparity: expected finite"):
        analyze(photo, matte=matte, disparity=np.full_like(disparity, np.nan))
    with pytest.raises(InvalidInput, match="photo: expected"):
        analyze((photo * 255).astype(np.uint8), matte=matte)
    with pytest.raises(BackendUnavailable, match="nimble"):
        analyze(photo, matte=matte, backend="nimble")
    for words in ({"device": "tpu"}, {"matting": "nope"}):
        with pytest.raises(InvalidInput, match=f"{next(iter(words))}: expected"):
            analyze(photo, matte=matte, **words)
    scene = analyze(photo, matte=matte)
    with pytest.raises(InvalidInput, match="focus: expected a point within 96 x 72"):
        scene.disparity_at(96, 0)


def test_radius_scale_of_the_paper_look_is_that_of_its_blur():
    rgb = np.random.default_rng(1).random((24, 32, 3), np.float32)
    disparity = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
    scene = analyze(rgb, MapSettings(filter_disparity=False), matte=np.zeros((24, 32), np.float32), disparity=disparity)
    wide = Lens(focus_disparity=1, max_radius=0.2, look="paper", paper=PaperLook(), grain=0.0)
    scaled = replace(wide, max_radius=0.1, paper=PaperLook(radius_scale=2.0))
    assert_allclose(render(scene, scaled), render(scene, wide), rtol=0, atol=1e-6)
