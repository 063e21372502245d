"""The lens benchmark's own parts: noise floor, baselines, camera, scenes; one tiny render where Mitsuba is at hand."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from lens import baselines, quick
from lens.camera import Camera, disk_radius_px
from lens.scenes import SCENES
from lens.shapes import ellipsoid, grid, placed
from lens.truth import key, noise_floor
from wideopen.color import srgb_decode
from wideopen.evals.measures import displayed, psnr

RNG = np.random.default_rng(3)
needs_mitsuba = pytest.mark.skipif(importlib.util.find_spec("mitsuba") is None, reason="no Mitsuba: extra `bench`")
CAMERA = Camera(width=96, height=80, focal_px=400, near=1, far=40)


def flat(encoded: float) -> np.ndarray:
    return np.full((24, 32, 3), srgb_decode(encoded), np.float32)


def test_noise_floor_is_that_of_the_mean():
    true = np.full((200, 200, 3), 0.5)
    first, second = (srgb_decode(0.5 + 0.02 * RNG.normal(size=true.shape)) for _ in range(2))
    error = psnr(displayed((first + second) / 2), displayed(srgb_decode(true)))
    assert_allclose(noise_floor(first, second), error, rtol=0, atol=0.1)


def test_disk_has_its_radius_and_brings_all_light():
    for radius in (2.3, 4.0, 9.7):
        kernel = baselines.disk(radius)
        assert_allclose(kernel.sum(), 1, rtol=0, atol=1e-5)
        assert_allclose(disk_radius_px(kernel), radius, rtol=0.02, atol=0)


@pytest.mark.parametrize("radius", [0.0, 6.0])
def test_baselines_keep_a_flat_field_flat_and_what_is_in_focus_sharp(radius):
    matte = np.zeros((40, 50), np.float32)
    matte[10:30, 15:35] = 1
    disparity = np.where(matte > 0, np.float32(0.9), np.float32(0.1))
    settings = {"focus_disparity": 0.9, "full_radius_px": radius}
    even, photo = np.full((40, 50, 3), 0.3, np.float32), RNG.random((40, 50, 3), np.float32)
    for picture in (even, photo):
        pasted = baselines.blur_and_paste(picture, matte, disparity, **settings)
        scattered = baselines.scatter(picture, disparity, **settings)
        where = slice(None) if picture is even else matte > 0
        assert_allclose(pasted[where], picture[where], rtol=0, atol=1e-5)
        assert_allclose(scattered[where], picture[where], rtol=0, atol=1e-5)


def test_in_scatter_a_blurred_near_object_covers_a_sharp_far_one():
    disparity = np.full((41, 41), 0.1, np.float32)
    disparity[:, 20:] = 0.9
    photo = np.where(disparity[..., None] > 0.5, np.float32(1), np.float32(0.25)).repeat(3, -1)
    spread = baselines.scatter(photo, disparity, focus_disparity=0.1, full_radius_px=10)[20, :, 0]
    assert_allclose(spread[[5, 10]], 0.25, rtol=0, atol=1e-5)
    assert 0.35 < spread[16] < 0.6  # 8 pixels of blur reach over the edge
    assert 0.5 < spread[19] < 0.7
    assert spread.max() < 1 + 1e-5


def test_camera_and_lens_agree_on_the_radius_of_blur():
    aperture = CAMERA.aperture_m(1.5, 6.0, 9.0)
    lens = CAMERA.lens(1.5, aperture)
    radius = lens.max_radius * 96 * (lens.focus_disparity - CAMERA.disparity(6.0))
    assert_allclose(radius, 9, rtol=1e-6, atol=0)  # behind the focus: positive
    assert_allclose(CAMERA.disparity(np.array([1.0, 40.0])), [1, 0], rtol=0, atol=1e-12)
    assert_allclose(CAMERA.distance(CAMERA.disparity(3.3)), 3.3, rtol=1e-9, atol=0)


def test_scenes_are_split_in_halves_and_their_names_are_theirs():
    purposes = [scene.purpose for scene in SCENES.values()]
    assert purposes.count("tune") == purposes.count("judge") >= 4
    assert set(purposes) == {"tune", "judge"}
    assert all(name == scene.name for name, scene in SCENES.items())
    assert {shot.focus for scene in SCENES.values() for shot in scene.shots} == {"subject", "background"}


def test_a_cached_render_is_of_this_scene_only():
    ball = ellipsoid((0, 0, -2), 0.5, rows=5, columns=7)
    assert key([ball], CAMERA) == key([ellipsoid((0, 0, -2), 0.5, rows=5, columns=7)], CAMERA)
    others = [
        (placed([ball], (0, 0, 1e-3)), CAMERA),
        ([ball], Camera(width=96, height=80, focal_px=401, near=1, far=40)),
    ]
    assert len({key([ball], CAMERA), *(key(parts, camera) for parts, camera in others)}) == 3


def test_a_grid_has_its_texture_upright():
    mesh = grid([[(0, 1, 0), (1, 1, 0)], [(0, 0, 0), (1, 0, 0)]])
    assert_allclose(
        mesh.uv[mesh.vertices[:, 1] == 1][:, 1], 0, rtol=0, atol=0
    )  # the texture's first row is the upper edge
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normal[:, 2] > 0).all()


@needs_mitsuba
@pytest.mark.parametrize(("z", "focus"), [(4.0, 1.5), (1.1, 4.0)])
def test_mitsuba_blurs_as_the_camera_says(z, focus):
    from lens.trace import blur_radius_px

    want = CAMERA.full_radius_px(0.04) * abs(CAMERA.disparity(focus) - CAMERA.disparity(z))
    assert_allclose(blur_radius_px(CAMERA, z, focus, 0.04), want, rtol=0.02, atol=0)  # noise of some 2000 rays


@needs_mitsuba
def test_a_render_has_exact_coverage_and_disparity():
    from lens.camera import Light
    from lens.shapes import as_subject, quad
    from lens.trace import World, pinhole

    wall = quad((-9, -9, -8), (18, 0, 0), (0, 18, 0), tint=(0.25, 0.5, 1), glow=2.0)
    card = as_subject([quad((0.1, -1, -2), (2, 0, 0), (0, 2, 0), tint=(0.4, 0.4, 0.4))])
    light = Light(sun=(0, 0, 1), sun_rgb=(1, 1, 1), sky_rgb=(0.5, 0.5, 0.5), shadows=False)
    maps = pinhole(World([wall, *card], light), CAMERA, 64)
    edge_px = 48 + 400 * 0.1 / 2  # 68: between two pixels
    assert_allclose(maps["matte"][40, [66, 67, 68, 69]], [0, 0, 1, 1], rtol=0, atol=0.02)
    assert edge_px == 68
    expected = CAMERA.disparity(np.array([8.0, 2.0]))
    assert_allclose(maps["disparity"][40, [10, 90]], expected, rtol=0, atol=1e-5)
    assert_allclose(maps["radiance"][40, [10, 90]], [[0.5, 1, 2], [0.54] * 3], rtol=0, atol=1e-4)  # 0.4 (0.5 * 0.7 + 1)


def test_the_table_of_few_rays_is_that_of_the_results():
    page = (Path(__file__).parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert f"{quick.BEGIN}\n{quick.documented()}\n\n{quick.END}" in page
