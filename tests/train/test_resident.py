"""Packs of photos, and training on samples made where the photos are."""

import csv
import json

import cv2
import numpy as np
import pytest
import torch

from wideopen.errors import InvalidInput
from wideopen.matting.net.losses import stage_loss, trimap
from wideopen.matting.net.model import StageOutput
from wideopen.matting.net.state import load_net
from wideopen.train.pack import confidence, pack, read_pack
from wideopen.train.resident import parse_weights, train_resident
from wideopen.train.resident_samples import Dice, ResidentPhotos, batch_of, own_colour, spoiled
from wideopen.train.settings import Resident

SIZE = (96, 64)
INSIDE = ((np.indices(SIZE) - np.array([[[50]], [[32]]])) ** 2).sum(0) < 24**2  # a disc that no border cuts


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A pack of a labelled set, a teacher's set with one damaged file, and a background."""
    folder, rng = tmp_path_factory.mktemp("pack"), np.random.default_rng(0)
    split = {}
    for group in ("exact", "taught"):
        for kind in ("rgb", "alpha"):
            (folder / "data" / group / kind).mkdir(parents=True)
        for n in range(4):
            rgb = np.full((*SIZE, 3), 40 * n + 20, np.uint8)
            rgb[INSIDE] = 255 - rgb[INSIDE]
            cv2.imwrite(str(folder / f"data/{group}/rgb/{n}.png"), rgb)
            cv2.imwrite(str(folder / f"data/{group}/alpha/{n}.png"), INSIDE.astype(np.uint8) * 255)
        split[group] = {str(n): "val" if n == 3 else "train" for n in range(4)}
    (folder / "data/split.json").write_text(json.dumps(split))
    (folder / "data/taught/alpha/1.png").write_bytes(b"no image")
    (folder / "scenes").mkdir()
    cv2.imwrite(str(folder / "scenes/wall.png"), rng.integers(0, 255, (*SIZE, 3), np.uint8))
    return folder, *pack(
        [folder / "data"], folder / "p.zip", size=80, teachers=["taught"], backgrounds=folder / "scenes"
    )


def test_a_pack_gives_back_photos_and_mattes_and_lists_what_is_damaged(packed):
    folder, rows, skipped = packed
    assert len(skipped) == 1
    assert "taught/1" in skipped[0]
    found = list(read_pack(folder / "p.zip"))
    assert [row for row, *_ in found] == rows
    assert [row.teacher for row in rows] == [row.group == "taught" for row in rows]
    _row, rgb, matte = found[0]
    assert max(matte.shape) == 80
    assert rgb.shape[:2] == matte.shape
    truth = cv2.resize(INSIDE.astype(np.uint8) * 255, matte.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(matte.astype(int) - truth).mean() < 2
    assert (matte[truth == 0] == 0).mean() > 0.95


def test_confidence_falls_with_undecided_areas_and_not_with_soft_outlines():
    sure = INSIDE.astype(np.uint8) * 255
    assert confidence(sure) == confidence(cv2.GaussianBlur(sure, (0, 0), 0.7)) == 1
    torn = sure.copy()
    torn[40:60, 20:44] = 128
    assert confidence(torn) < 0.6
    assert confidence(np.full(SIZE, 128, np.uint8)) == 0


def test_samples_carry_the_subject_s_matte_and_a_teacher_s_transition_counts_little(packed):
    torch.manual_seed(0)
    photos = ResidentPhotos([packed[0] / "p.zip"], torch.device("cpu"), {})
    assert not photos.cut[[row.group == "exact" for row in photos.rows]].any()
    run = Resident(minutes=1, batch=8, max_px=64, composites=0.5, hints=0.5)
    image, alpha, weight, before = batch_of(photos, run)
    assert image.shape[1] == 3
    assert alpha.shape == before.shape
    assert weight.shape[1] == 2
    assert all(float(x.min()) >= 0 and float(x.max()) <= 1 for x in (image, alpha, weight, before))
    assert (weight[:, 1] <= weight[:, 0]).all()


def test_own_colour_of_a_mixed_edge_is_the_subject_s():
    alpha = torch.linspace(-5, 6, 96).clamp(0, 1)  # 9 pixels of transition
    alpha = alpha.expand(1, 1, 96, 96)
    image = alpha * 0.9 + (1 - alpha) * torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    colour = own_colour(image, alpha)
    assert (colour - 0.9).abs()[..., alpha[0, 0] > 0.3].max() < 0.06


def test_hints_stay_mattes_and_differ_from_the_truth():
    torch.manual_seed(1)
    alpha = torch.from_numpy(INSIDE.astype(np.float32)).expand(32, 1, *SIZE)
    wrong = (spoiled(Dice(32, alpha.device), alpha) - alpha).abs().mean((1, 2, 3))
    assert 0.01 < wrong.mean() < 0.5


def test_pixels_without_weight_do_not_change_the_loss():
    torch.manual_seed(2)
    alpha = torch.rand(1, 1, 32, 32)
    out = StageOutput(torch.randn(1, 3, 32, 32), torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32))
    none = torch.zeros(1, 1, 32, 32)
    labels = trimap(alpha, 1)
    assert float(stage_loss(out, alpha, labels, (none, none)).total) == 0
    plain, weighted = stage_loss(out, alpha, labels), stage_loss(out, alpha, labels, (none + 1, none + 1))
    torch.testing.assert_close(plain.total, weighted.total, rtol=1e-5, atol=1e-6)


def test_a_short_run_writes_weights_that_load_and_a_curve(packed, tmp_path):
    run = Resident(minutes=0.05, batch=2, max_px=64, report_s=1, init="mobile")
    out = train_resident(run, [packed[0] / "p.zip"], tmp_path / "new.safetensors", {"scenes": 0.5})
    assert load_net(out).config == load_net("mobile").config
    rows = list(csv.DictReader(out.with_suffix(".csv").read_text().splitlines()))
    assert int(rows[-1]["step"]) >= 1
    assert 0 <= float(rows[-1]["iou_exact"]) <= 1


def test_wrong_input_is_refused(packed, tmp_path):
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(InvalidInput, match="expected a file of `wideopen train pack`"):
        list(read_pack(tmp_path / "text.zip"))
    with pytest.raises(InvalidInput, match="found no set other"):
        pack([packed[0] / "data"], tmp_path / "p.zip", teachers=["other"])
    with pytest.raises(InvalidInput, match="expected SET=NUMBER"):
        parse_weights(["people"])
