"""Training: augmentation, losses that fall, runs that resume, figures that mean what they say."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from wideopen.errors import InvalidInput, WeightsError
from wideopen.evals.mattes import errors, find_pairs
from wideopen.matting.clean import transition
from wideopen.matting.find_matte import predict_matte
from wideopen.matting.inference import MattingSettings
from wideopen.matting.net.encoders import build_encoder
from wideopen.train.augment import Stock, TrainPhoto, as_taken, kind_of, random_window, sample, shape_px
from wideopen.train.finish import finish
from wideopen.train.matting import Batches, run_training
from wideopen.train.photos import entries_in, kept_subject_colour, load_photo, load_photos, subject_colour
from wideopen.train.settings import Chances, TrainRun
from wideopen.train.trainer import Trainer, export_weights, learning_rate, load_checkpoint, make_fabric, save_checkpoint

NO_EXTRAS = Chances(hair=0, headwear=0)


def disk_photo(size=64, radius=14, seed=0):
    """A red disk on noise: (rgb, alpha), uint8."""
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 120, (size, size, 3)).astype(np.uint8)
    centre = tuple(int(v) for v in rng.integers(size // 2 - 8, size // 2 + 8, 2))
    alpha = np.zeros((size, size), np.uint8)
    cv2.circle(alpha, centre, radius, 255, -1, cv2.LINE_AA)
    a = alpha[..., None] / 255
    return (rgb * (1 - a) + np.array([220, 30, 40]) * a).astype(np.uint8), alpha


def write_set(folder, count=10):
    (folder / "rgb").mkdir(parents=True)
    (folder / "alpha").mkdir()
    for i in range(count):
        rgb, alpha = disk_photo(seed=i)
        cv2.imwrite(str(folder / "rgb" / f"d{i}.png"), rgb[..., ::-1])
        cv2.imwrite(str(folder / "alpha" / f"d{i}.png"), alpha)
    return folder


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("disks"))


def photo(seed=0, **kwargs):
    rgb, alpha = disk_photo(seed=seed, **kwargs)
    return TrainPhoto(rgb, alpha, subject_colour(rgb, alpha))


# Photos


def test_a_plain_folder_keeps_every_tenth_photo_for_validation(disks):
    parts = [pair.part for pair in find_pairs(disks)]
    assert parts == ["train"] * 9 + ["val"]


def test_a_split_file_decides_and_unnamed_photos_are_out(tmp_path):
    write_set(tmp_path / "a", 3)
    (tmp_path / "split.json").write_text(json.dumps({"a": {"d0": "val", "d2": "train"}}))
    found = [(pair.group, pair.name, pair.part) for pair in find_pairs(tmp_path)]
    assert found == [("a", "d0", "val"), ("a", "d2", "train")]


def test_the_folders_of_p3m_10k_are_understood(tmp_path):
    for folder, photos in (
        ("train", "blurred_image"),
        ("validation/P3M-500-P", "blurred_image"),
        ("validation/P3M-500-NP", "original_image"),
    ):
        rgb, alpha = disk_photo()
        for kind, image in ((photos, rgb), ("mask", alpha)):
            (tmp_path / folder / kind).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / folder / kind / "p_1.png"), image)
    found = [(pair.group, pair.part) for pair in find_pairs(tmp_path)]
    assert found == [("P3M-10k", "train"), ("P3M-500-P", "val"), ("P3M-500-NP", "val")]


def test_missing_data_are_named(tmp_path):
    with pytest.raises(InvalidInput, match="expected a folder"):
        find_pairs(tmp_path / "none")
    with pytest.raises(InvalidInput, match="found neither"):
        find_pairs(tmp_path)
    write_set(tmp_path / "s", 2)
    (tmp_path / "s" / "alpha" / "d1.png").unlink()
    with pytest.raises(InvalidInput, match=r"d1: expected a partner .*alpha/d1\.\*, found none"):
        find_pairs(tmp_path / "s")


def test_photo_and_matte_must_agree(tmp_path):
    write_set(tmp_path / "s", 1)
    cv2.imwrite(str(tmp_path / "s" / "alpha" / "d0.png"), np.zeros((5, 5), np.uint8))
    (entry,) = entries_in([tmp_path / "s"])
    with pytest.raises(InvalidInput, match=r"expected a matte of \(64, 64\), found \(5, 5\)"):
        load_photo(entry, 64)


def test_subject_colour_takes_the_background_out_of_the_edge():
    alpha = np.tile(np.linspace(255, 0, 13).round().astype(np.uint8), (40, 1))
    alpha = np.pad(alpha, ((0, 0), (60, 60)), "edge")
    a = alpha[..., None] / 255
    subject, scene = np.array([200, 40, 60]), np.array([10, 200, 90])
    rgb = (a * subject + (1 - a) * scene).round().astype(np.uint8)
    edge = (alpha > 100) & (alpha < 250)
    off = np.abs(subject_colour(rgb, alpha)[edge] - subject.astype(float)).mean()
    mixed = np.abs(rgb[edge] - subject.astype(float)).mean()
    assert off < 0.15 * mixed  # 0.073 seen


def test_a_subjects_colour_is_estimated_once(tmp_path, monkeypatch):
    rgb, alpha = disk_photo()
    first = kept_subject_colour(rgb, alpha, tmp_path)
    monkeypatch.setattr("wideopen.train.photos.subject_colour", lambda *_: pytest.fail("estimated again"))
    assert_allclose(kept_subject_colour(rgb, alpha, tmp_path), first, rtol=0, atol=0)
    (kept,) = tmp_path.iterdir()
    monkeypatch.undo()
    kept.write_bytes(b"cut short")
    assert_allclose(kept_subject_colour(rgb, alpha, tmp_path), first, rtol=0, atol=0)


# Augmentation


@pytest.mark.parametrize("shape", [(64, 64), (64, 32), (32, 64)])
def test_samples_are_uint8_of_the_asked_shape_and_keep_the_subject(shape):
    photos, scenes = [photo(0), photo(1)], [disk_photo(seed=5)[0]]
    seen = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rgb, alpha, taught = sample(rng, Stock(photos, scenes), seed % 2, shape, Chances())
        assert rgb.shape == (*shape, 3)
        assert alpha.shape == shape
        assert rgb.dtype == alpha.dtype == np.uint8
        assert not taught
        seen += alpha.max() > 200
    assert seen >= 36


def test_only_a_teachers_matte_on_its_own_background_is_one():
    stock = Stock([replace(photo(), teacher=True)], [])
    for share in (0.0, 1.0):
        chances = Chances(new_background=share, hair=0, headwear=0)
        assert sample(np.random.default_rng(0), stock, 0, (64, 64), chances)[2] == (share == 0)


def test_a_whole_photo_is_seen_in_its_own_shape():
    alpha = np.zeros((100, 75), np.uint8)
    alpha[:, :] = 255  # every border cuts the subject
    shape = shape_px(kind_of(*alpha.shape), 128)
    assert shape == (128, 96)
    sides = [random_window(np.random.default_rng(seed), alpha, (0, 0, 0, 0), shape)[2] for seed in range(50)]
    assert max(sides) == 100


def test_a_window_shows_nothing_beyond_a_cut_side():
    alpha = np.zeros((100, 80), np.uint8)
    alpha[40:, 20:70] = 255  # cut by the lower border
    for seed in range(200):
        x, y, side = random_window(np.random.default_rng(seed), alpha, (20, 40, 10, 0), (64, 64))
        assert x >= -20
        assert x + side <= 90
        assert y >= -40
        assert y + side <= 100


def test_no_second_subject_appears_in_the_reflected_border():
    subject = photo(radius=10)
    for seed in range(50):
        _, alpha = as_taken(np.random.default_rng(seed), subject, (64, 64), Stock([subject], []), NO_EXTRAS)
        count, *_ = cv2.connectedComponentsWithStats((alpha > 127).astype(np.uint8))
        assert count <= 2


def batches(data, out, **changes):
    run = tiny_run(data, out, **changes)
    photos = load_photos(entries_in(run.data), 2 * run.size)
    return Batches(Stock(photos, []), photos, run)


def test_batches_depend_on_seed_and_number_alone(disks, tmp_path):
    first, again, other = (batches(disks, tmp_path, seed=s)[7] for s in (0, 0, 1))
    assert_allclose(first[1], again[1], rtol=0, atol=0)
    assert (first[1] != other[1]).any()
    assert (first[1] != batches(disks, tmp_path)[8][1]).any()
    number, rgb, alpha, taught = next(batches(disks, tmp_path).start_at(7))
    assert number == 7
    assert rgb.shape == (2, 64, 64, 3)
    assert alpha.shape == (2, 64, 64)
    assert taught.shape == (2,)
    assert_allclose(rgb.numpy(), first[1], rtol=0, atol=0)


# Runs


def tiny_run(data, out, **changes):
    how = {"steps": 4, "warmup_steps": 1, "size": 64, "batch": 2, "precision": "float32", "accelerator": "cpu"}
    return TrainRun(data=(data,), out=out, **{**how, "report_steps": 1, "tensorboard": False, **changes})


def trainer_of(run, **how):
    return Trainer(run, make_fabric(run), **how)


def losses(out):
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [row["total"] for row in rows if "total" in row]


@pytest.fixture(scope="module")
def finished(disks, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    assert run_training(tiny_run(disks, out)) == out / "best.pt"
    return out


def test_a_resumed_run_repeats_the_uninterrupted_one(disks, finished, tmp_path):
    run = tiny_run(disks, tmp_path, pause_after=2)
    run_training(run)
    assert len(losses(tmp_path)) == 2
    assert not (tmp_path / "best.pt").exists()
    run_training(replace(run, pause_after=None, resume=True))
    assert_allclose(losses(tmp_path), losses(finished), rtol=0, atol=0)


def test_a_run_saves_its_settings_and_can_be_exported(finished, tmp_path):
    settings = json.loads((finished / "run.json").read_text())
    assert settings["size"] == 64
    assert len(settings["commit"]) in (7, 40)  # "unknown" outside a checkout
    path = tmp_path / "mine.safetensors"
    sha256 = export_weights(finished / "best.pt", path)
    assert len(sha256) == 64
    alpha = predict_matte(disk_photo()[0], MattingSettings(matting=path, matting_size=64, device="cpu"))
    assert alpha.shape == (64, 64)


def test_without_validation_photos_the_last_weights_are_kept(tmp_path):
    write_set(tmp_path / "few", 3)
    best = run_training(tiny_run(tmp_path / "few", tmp_path / "out", steps=1))
    assert load_checkpoint(best)["step"] == 1


def test_validation_looks_at_photos_as_large_as_the_samples_until_they_reach_the_presets_size(
    disks, tmp_path, monkeypatch
):
    asked = []

    def matte(_net, rgb, *, size, stages):
        asked.append((size, stages))
        return np.zeros(rgb.shape[:2], np.float32)

    monkeypatch.setattr("wideopen.train.matting.matte_with", matte)
    run_training(tiny_run(disks, tmp_path / "small", steps=1))
    run_training(replace(tiny_run(disks, tmp_path / "large", steps=1), size=544, batch=1, stages=1))
    assert asked == [(64, 2), (512, 1)]  # mobile's size is 512


def test_a_resumed_run_keeps_the_encoders_statistics_and_takes_new_rates(disks, tmp_path):
    file = tmp_path / "encoder.pth"
    torch.manual_seed(1)
    torch.save({**build_encoder("efficientnet_lite0").state_dict(), "_fc.bias": torch.zeros(1000)}, file)
    run = tiny_run(disks, tmp_path, encoder_weights=str(file))
    trainer = trainer_of(run)
    save_checkpoint(tmp_path / "last.pt", trainer.state())
    again = replace(run, encoder_weights="none", resume=True, lr=0.5, encoder_lr=0.25)
    resumed = trainer_of(again, resume=tmp_path / "last.pt")
    before = [buffer.clone() for buffer in resumed.net.encoder.buffers()]
    resumed.train_step([(torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64))])
    assert [group["lr"] for group in resumed.optimizer.param_groups] == [0.5, 0.25]  # warmed up in one step
    for buffer, was in zip(resumed.net.encoder.buffers(), before, strict=True):
        assert torch.equal(buffer, was)


def test_weights_of_another_network_are_refused_as_a_start_but_not_of_another_size(disks, tmp_path):
    assert trainer_of(tiny_run(disks, tmp_path, init="paper", preset="paper")).pretrained  # made for another size
    with pytest.raises(InvalidInput, match="init paper: expected weights of"):
        trainer_of(tiny_run(disks, tmp_path, init="paper", preset="mobile"))


def test_training_on_one_batch_lowers_its_loss(disks, tmp_path):
    trainer = trainer_of(tiny_run(disks, tmp_path, steps=30))
    batch = finish(trainer.run, *next(batches(disks, tmp_path, batch=4).start_at(0)))
    history = [float(trainer.train_step([batch]).total.detach()) for _ in range(12)]
    assert np.mean(history[-3:]) < 0.7 * history[0]


def test_the_paper_preset_trains_too(disks, tmp_path):
    trainer = trainer_of(tiny_run(disks, tmp_path, preset="paper", far_first=0.0))
    before = trainer.net.encoder.net.embedder.embedder.convolution.weight.clone()
    loss = trainer.train_step([(torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64))])
    assert torch.isfinite(loss.total)
    assert not torch.equal(trainer.net.encoder.net.embedder.embedder.convolution.weight, before)


def test_in_some_steps_the_first_stage_looks_from_afar_and_the_rest_from_near(disks, tmp_path):
    seen = {}
    for share in (0.0, 1.0):
        trainer = trainer_of(tiny_run(disks, tmp_path, far_first=share))
        calls = seen[share] = []
        forward = trainer.net.forward

        def spy(image, stages, previous=None, calls=calls, forward=forward):
            calls.append((image.shape[-1], stages, previous is not None))
            return forward(image, stages, previous)

        trainer.net.forward = spy
        trainer.train_step([(torch.rand(2, 3, 128, 128), torch.zeros(2, 1, 128, 128))])
    assert seen[0.0] == [(128, 2, False)]
    assert seen[1.0] in ([(64, 1, False), (64, 1, True)], [(64, 1, False), (96, 1, True)])


def test_the_papers_later_stages_see_resized_crops_with_the_matte_so_far(disks, tmp_path):
    trainer = trainer_of(tiny_run(disks, tmp_path, far_first=1.0, near_size=64))
    calls, forward = [], trainer.net.forward

    def spy(image, stages, previous=None):
        calls.append((tuple(image.shape[-2:]), stages, None if previous is None else tuple(previous.shape[-2:])))
        return forward(image, stages, previous)

    trainer.net.forward = spy
    trainer.train_step([(torch.rand(2, 3, 128, 128), torch.zeros(2, 1, 128, 128))])
    assert calls == [((64, 64), 1, None), ((64, 64), 1, (64, 64))]


def test_resuming_from_nothing_or_from_damage_is_refused(disks, tmp_path):
    with pytest.raises(InvalidInput, match="checkpoint: expected a file"):
        run_training(tiny_run(disks, tmp_path, resume=True))
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(InvalidInput, match="expected a readable file"):
        load_checkpoint(tmp_path / "last.pt")


def test_an_encoder_folder_without_weights_is_refused(disks, tmp_path):
    with pytest.raises(WeightsError, match="encoder weights"):
        run_training(tiny_run(disks, tmp_path / "out", encoder_weights=str(tmp_path)))


def test_settings_that_contradict_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="either steps or minutes"):
        TrainRun(data=(tmp_path,), out=tmp_path)
    with pytest.raises(InvalidInput, match="either steps or minutes"):
        TrainRun(data=(tmp_path,), out=tmp_path, steps=3, minutes=1)
    with pytest.raises(InvalidInput, match="preset"):
        TrainRun(data=(tmp_path,), out=tmp_path, steps=1, preset="huge")
    with pytest.raises(InvalidInput, match="size: expected a multiple of 32 pixels, found 100"):
        TrainRun(data=(tmp_path,), out=tmp_path, steps=1, size=100)
    with pytest.raises(InvalidInput, match="either init or encoder_weights"):
        TrainRun(data=(tmp_path,), out=tmp_path, steps=1, init="mobile", encoder_weights="folder")


def test_learning_rate_warms_up_and_ends_at_zero(tmp_path):
    schedule = TrainRun(data=(tmp_path,), out=tmp_path, steps=100, warmup_steps=10)
    rates = [learning_rate(schedule, step, 0.0) for step in (0, 4, 9, 50, 100)]
    assert_allclose(rates[:2], [0.1, 0.5], rtol=0, atol=5e-3)
    assert rates[2] > 0.97
    assert_allclose(rates[3:], [0.5, 0], rtol=0, atol=1e-6)


# Figures


def test_matte_measures_equal_values_computed_by_hand():
    truth = np.zeros((100, 100), np.float32)
    truth[:, 50:] = 1
    guess = truth.copy()
    guess[:, 49] = 0.5
    whole, band = errors(guess, truth, None, transition(truth))
    assert whole.mad == pytest.approx(0.005, abs=1e-7)
    assert whole.mse == pytest.approx(0.0025, abs=1e-7)
    assert transition(truth).sum() == 200  # one pixel on either side of the step
    assert band.mad == pytest.approx(0.25, abs=1e-7)


def test_the_network_starts_the_same_for_the_same_seed(disks, tmp_path):
    first, again = (trainer_of(tiny_run(disks, tmp_path)).net for _ in range(2))
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
