"""Packs of photos, and the finishing of composed batches on the training device."""

import json

import cv2
import numpy as np
import pytest
import torch

from wideopen.errors import InvalidInput
from wideopen.matting.net.losses import stage_loss, trimap
from wideopen.matting.net.model import StageOutput
from wideopen.train.finish import Dice, finish, spoiled
from wideopen.train.matting import run_training
from wideopen.train.photos import confidence, entries_in, pack, read_rows
from wideopen.train.settings import Chances, TrainRun, parse_weights
from wideopen.train.trainer import load_checkpoint

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
    entries = entries_in([folder / "data"], ["taught"])
    return folder, *pack(entries, folder / "p.zip", size=80, backgrounds=folder / "scenes")


def test_a_pack_gives_back_photos_and_mattes_and_lists_what_is_damaged(packed):
    folder, rows, skipped = packed
    assert len(skipped) == 1
    assert "taught/1" in skipped[0]
    assert read_rows(folder / "p.zip") == rows
    assert [row.teacher for row in rows] == [row.group == "taught" for row in rows]
    rgb, matte = entries_in([folder / "p.zip"])[0].read()
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


def finished(alpha, taught, **how):
    """A batch of one grey photo per matte (H, W) uint8."""
    run = TrainRun(data=(), out=".", steps=1, hints=0.0, **how)
    alpha = torch.from_numpy(np.stack(alpha))
    return finish(run, 3, torch.full((*alpha.shape, 3), 90, dtype=torch.uint8), alpha, torch.tensor(taught))


def test_a_teachers_hair_counts_little_and_what_it_leaves_undecided_nothing():
    matte = np.zeros((64, 64), np.uint8)
    matte[:, 32:], matte[:, 30:32], matte[20:40, 5:25] = 255, 127, 127
    image, alpha, weights, before = finished([matte, matte], [1, 0])
    assert image.shape == (2, 3, 64, 64)
    assert alpha.shape == before.shape == (2, 1, 64, 64)
    assert all(0 <= float(x.min()) <= float(x.max()) <= 1 for x in (image, alpha, weights))
    assert weights[0, 0, 30, 15] == 0
    assert weights[0, 0, 50, 31] == 1  # a thin edge is decided,
    assert weights[0, 1, 50, 31] == pytest.approx(0.1)  # and soft
    assert (weights[1] == 1).all()


def test_light_and_camera_change_the_image_and_never_the_matte():
    matte = np.where(np.pad(INSIDE, ((0, 0), (16, 16))), np.uint8(255), np.uint8(0))
    off = dict.fromkeys(Chances.__dataclass_fields__, 0.0)
    plain, plain_matte, *_ = finished([matte] * 8, [0] * 8, chances=Chances(**off))
    assert torch.equal(plain, torch.full_like(plain, 90 / 255))
    for name in ("backlight", "ramp", "tone", "grey", "soften", "noise", "jpeg", "hide_face"):
        image, alpha, *_ = finished([matte] * 8, [0] * 8, chances=Chances(**{**off, name: 1.0}))
        assert torch.equal(alpha, plain_matte)
        same = torch.allclose(image, plain, rtol=0, atol=1e-5)
        assert same == (name in ("grey", "soften")), name  # the photo is grey and flat
        assert 0 <= float(image.min()) <= float(image.max()) <= 1


def test_a_finished_batch_depends_on_its_number_alone():
    matte = np.where(np.pad(INSIDE, ((0, 0), (16, 16))), np.uint8(255), np.uint8(0))
    first = finished([matte] * 3, [0, 1, 0])
    torch.manual_seed(7)
    assert all(torch.equal(a, b) for a, b in zip(first, finished([matte] * 3, [0, 1, 0]), strict=True))
    assert not torch.equal(first[0], finished([matte] * 3, [0, 1, 0], seed=1)[0])


def test_hints_stay_mattes_and_differ_from_the_truth():
    alpha = torch.from_numpy(INSIDE.astype(np.float32)).expand(32, 1, *SIZE)
    wrong = (spoiled(Dice(32, alpha.device, 1), alpha) - alpha).abs().mean((1, 2, 3))
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


def test_a_run_trains_on_packs_and_folders_together(packed, tmp_path):
    run = TrainRun(
        data=(packed[0] / "p.zip", packed[0] / "data" / "exact"),
        out=tmp_path,
        weights={"scenes": 0.5},
        steps=2,
        size=64,
        batch=2,
        report_steps=1,
        precision="float32",
        accelerator="cpu",
        tensorboard=False,
        init="mobile",
    )
    assert load_checkpoint(run_training(run))["step"] == 2
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["total"]) for row in rows if "total" in row)
    assert {"val_mad_exact", "val_mad_taught"} <= rows[-1].keys()


def test_wrong_input_is_refused(packed, tmp_path):
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(InvalidInput, match="expected a file of `wideopen train pack`"):
        entries_in([tmp_path / "text.zip"])
    with pytest.raises(InvalidInput, match="found no set other"):
        entries_in([packed[0] / "data"], ["other"])
    with pytest.raises(InvalidInput, match="expected SET=NUMBER"):
        parse_weights(["people"])
