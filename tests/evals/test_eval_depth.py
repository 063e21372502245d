"""Figures of depth: order, error after scale and shift, edges, and the radius of the blur."""

import cv2
import numpy as np
import pytest

from wideopen.disparity.depth_map import aligned
from wideopen.errors import InvalidInput
from wideopen.evals.depth import (
    COLUMNS,
    DepthCase,
    edges_f1,
    find_cases,
    judge_depth,
    judge_sources,
    worse_than,
    wrong_order,
)


@pytest.fixture
def step() -> np.ndarray:
    """A near left third before a slanted ground."""
    d = np.tile(np.linspace(0, 0.4, 120, dtype=np.float32)[:, None], (1, 160))
    d[:, :50] = 0.9
    return d


def test_the_truth_itself_has_no_error(step):
    case = DepthCase("a", np.zeros((120, 160, 3), np.uint8), step)
    figures = judge_depth(step, case, np.zeros_like(step), 0.024)
    assert (figures.order, figures.edges) == (0.0, 1.0)
    assert figures.disparity < 1e-6
    assert figures.radius_px < 1e-5


def test_scale_and_shift_cost_nothing_and_a_reversed_map_everything(step):
    assert np.abs(aligned(step * 7 - 3, step) - step).max() < 1e-5
    assert wrong_order(step * 7 - 3, step) == 0
    assert wrong_order(-step, step) == 1
    assert np.ptp(aligned(-step, step)) < 1e-6  # the scale is not negative


def test_the_radius_error_is_in_pixels_of_blur(step):
    """A flat map blurs nothing; the truth, focused on the near part, blurs the rest by 0.5 to 0.9 of the radius."""
    case = DepthCase("a", np.zeros((120, 160, 3), np.uint8), step)
    subject = (step > 0.8).astype(np.float32)
    found = judge_depth(np.zeros_like(step), case, subject, 0.1).radius_px
    true = (0.1 * 160 * np.abs(step - 0.9)).mean()
    assert found == pytest.approx(true, rel=1e-4)


def test_an_edge_elsewhere_is_not_a_true_edge(step):
    assert edges_f1(np.roll(step, 2, 1), step) > 0.6  # within reach, but for what the roll brings in at the border
    assert edges_f1(np.roll(step, 30, 1)[:, 35:], step[:, 35:]) < 0.1
    assert edges_f1(np.zeros_like(step), step) == 0


def test_photos_without_known_depth_are_named(tmp_path):
    cv2.imwrite(str(tmp_path / "flat.png"), np.full((40, 60, 3), 90, np.uint8))
    lines: list[str] = []
    assert list(find_cases(tmp_path, lines.append)) == []
    assert lines[0].endswith("expected depth inside the photo, found none")
    with pytest.raises(InvalidInput, match="expected a folder"):
        list(find_cases(tmp_path / "none", lines.append))


def test_pairs_of_photo_and_map_are_read(tmp_path):
    for name in ("sharp", "disparity"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "sharp" / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    ramp = np.tile(np.linspace(0, 65535, 60).astype(np.uint16), (40, 1))
    cv2.imwrite(str(tmp_path / "disparity" / "a.png"), ramp)
    (case,) = find_cases(tmp_path, pytest.fail)
    assert case.truth.shape == case.rgb.shape[:2]
    assert case.truth[:, -1].mean() > 0.95


def test_each_source_is_judged_on_each_photo(step):
    rgb = np.repeat((step * 255).astype(np.uint8)[..., None], 3, 2)
    cases = [DepthCase("a", rgb, step), DepthCase("b", rgb[:, ::-1], step[:, ::-1].copy())]
    heard: list[str] = []
    rows = judge_sources(
        cases, ["planar", "small"], lambda rgb: (rgb[..., 0] > 200) * np.float32(1), 0.02, heard.append
    )
    assert heard == ["a", "b"]
    assert [(row["photo"], row["source"]) for row in rows] == [(p, s) for p in "ab" for s in ("planar", "small")]
    assert set(COLUMNS) < rows[0].keys()
    worse = [
        p for p, small, flat in (("a", rows[1], rows[0]), ("b", rows[3], rows[2])) if small["order"] > flat["order"]
    ]
    assert worse_than(rows, "small", "planar") == worse
