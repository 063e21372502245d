"""Other programs: each gets what it needs, and one that cannot run gives the reason."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import others
from alternatives_judge import work_of
from blur_and_paste import blur_and_paste
from wideopen.color import srgb_decode
from wideopen.files import read

HEIGHT, WIDTH = 40, 48
MATTE = np.zeros((HEIGHT, WIDTH), np.float32)
MATTE[12:28, 16:32] = 1


def work(folder, rgb, focus=0.8):
    disparity = np.where(MATTE > 0.5, np.float32(0.8), np.float32(0.3))
    return work_of(folder, rgb, MATTE, disparity, focus=focus, focus_range=0.0, full_px=8.0, highlights=0.0)


def test_the_map_is_the_radius_over_the_largest(tmp_path):
    made = work(tmp_path, np.full((HEIGHT, WIDTH, 3), 0.5, np.float32))
    assert (made.most_px, made.typical_px) == pytest.approx((4, 4), rel=1e-4)
    assert made.subject_in_focus
    assert not work(tmp_path, np.full((HEIGHT, WIDTH, 3), 0.5, np.float32), focus=0.3).subject_in_focus
    assert made.weaker(0.5).most_px == pytest.approx(2, rel=1e-4)


@pytest.mark.parametrize("name", ["wideopen", "GIMP", "G'MIC", "ImageMagick", "blur and paste"])
def test_the_focus_stays_and_the_rest_is_blurred(tmp_path, name):
    program = others.programs(None)[name]
    if others.version(program) is None:
        pytest.skip(f"{program.executable} is not installed")
    noise = np.random.default_rng(4).integers(60, 200, (HEIGHT, WIDTH, 3))
    photo = srgb_decode(noise / 255).astype(np.float32)
    made = work(tmp_path, photo)
    assert others.run(program, made)["peak_mb"] > 1
    seen = read(tmp_path / made.out).rgb
    assert seen.shape == photo.shape
    assert_allclose(seen[14:26, 18:30], photo[14:26, 18:30], rtol=0, atol=0.01)
    far = np.s_[:, 40:]
    assert seen[far].std() < 0.4 * photo[far].std()
    assert seen[far].mean() == pytest.approx(photo[far].mean(), rel=0.05)  # linear light: no brightness is lost


def test_a_missing_program_names_its_package(tmp_path):
    program = replace(others.programs(None)["G'MIC"], executable="no-such-program")
    made = work(tmp_path, np.full((HEIGHT, WIDTH, 3), 0.5, np.float32))
    with pytest.raises(others.Failed, match="no-such-program was not found: apt-get install gmic"):
        others.run(program, made)
    assert others.version(program) is None


def test_a_failing_program_is_reported_with_its_last_line(tmp_path):
    program = replace(others.programs(None)["blur and paste"], command=lambda _: (sys.executable, "-c", "1 / 0"))
    made = work(tmp_path, np.full((HEIGHT, WIDTH, 3), 0.5, np.float32))
    with pytest.raises(others.Failed, match="ZeroDivisionError"):
        others.run(program, made)


def test_a_slow_program_is_stopped(tmp_path):
    program = replace(others.programs(None)["blur and paste"], command=lambda _: ("sleep", "9"))
    made = work(tmp_path, np.full((HEIGHT, WIDTH, 3), 0.5, np.float32))
    with pytest.raises(others.Failed, match="not done in 1 s"):
        others.run(program, made, most_s=1)


def test_blur_and_paste_keeps_a_flat_field_and_either_side():
    photo = np.random.default_rng(1).random((HEIGHT, WIDTH, 3), np.float32)
    flat = np.full_like(photo, 0.3)
    assert_allclose(blur_and_paste(flat, flat, MATTE, 4, "subject"), 0.3, rtol=0, atol=1e-5)
    near, far = (blur_and_paste(photo, photo, MATTE, 4, focus) for focus in ("subject", "background"))
    assert_allclose(near[MATTE == 1], photo[MATTE == 1], rtol=0, atol=0)
    assert_allclose(far[MATTE == 0], photo[MATTE == 0], rtol=0, atol=0)
