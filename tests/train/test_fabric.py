"""Runs on several processes and with accumulated gradients; what a run shows; where encoders come from."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import save_file

from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.evals.mattes import find_pairs
from wideopen.matting.net.encoders import build_encoder, load_encoder_weights
from wideopen.matting.net.model import StageOutput
from wideopen.train.augment import Stock
from wideopen.train.matting import Batches, picture_grid, progress_bar, run_training
from wideopen.train.photos import entries_in, load_photos
from wideopen.train.settings import TrainRun
from wideopen.train.trainer import load_checkpoint


def square(seed):
    rng = np.random.default_rng(seed)
    alpha = np.zeros((48, 48), np.uint8)
    y, x = rng.integers(8, 20, 2)
    alpha[y : y + 20, x : x + 20] = 255
    rgb = rng.integers(0, 120, (48, 48, 3)).astype(np.uint8)
    rgb[alpha > 0] = (220, 40, 30)
    return rgb, alpha


def write(folder, count=4):
    for kind in ("rgb", "alpha"):
        (folder / kind).mkdir(parents=True)
    for i in range(count):
        rgb, alpha = square(i)
        cv2.imwrite(str(folder / "rgb" / f"s{i}.png"), rgb)
        cv2.imwrite(str(folder / "alpha" / f"s{i}.png"), alpha)
    return folder


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return write(tmp_path_factory.mktemp("squares"))


def run_of(data, out, **changes):
    how = {"steps": 3, "warmup_steps": 1, "size": 32, "batch": 2, "precision": "float32", "accelerator": "cpu"}
    return TrainRun(data=(data,), out=out, **{**how, "report_steps": 1, "tensorboard": False, **changes})


def batches_of(photos, **changes):
    return Batches(Stock(photos, []), photos, run_of("data", "out", seed=3, **changes))


def losses(out):
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [row["total"] for row in rows if "total" in row]


def test_two_processes_learn_what_one_learns_with_two_batches_a_step(squares, tmp_path, monkeypatch):
    run_training(run_of(squares, tmp_path / "one", accumulate=2))
    with monkeypatch.context() as spawned:  # one thread each, as here; in this process numba would refuse a change
        for library in ("OMP", "NUMBA"):
            spawned.setenv(f"{library}_NUM_THREADS", "1")
        run_training(run_of(squares, tmp_path / "two", devices=2))
    # not equal to the bit: the order of sums
    assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-4, atol=0)
    one, two = (load_checkpoint(tmp_path / name / "last.pt")["net"] for name in ("one", "two"))
    name = "high.head.weight"
    assert_allclose(two[name], one[name], rtol=0, atol=1e-4)


def test_batches_of_several_processes_take_turns(squares):
    batches = batches_of(load_photos(entries_in([squares]), 48), batch=1)
    every, second = batches.start_at(2), batches.start_at(2, 2)
    alone = [next(every)[1] for _ in range(3)]
    assert torch.equal(next(second)[1], alone[0])
    assert torch.equal(next(second)[1], alone[2])


def test_worker_processes_make_the_batches_that_a_thread_makes(squares):
    photos = load_photos(entries_in([squares]), 48)
    made = []
    for workers in (0, 2):
        source = batches_of(photos, workers=workers).start_at(5)
        made.append([next(source)[1] for _ in range(3)])
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_photos_beyond_the_memory_are_read_when_drawn_and_the_batches_are_the_same(squares, tmp_path, share):
    entries = entries_in([squares])
    whole = load_photos(entries, 48)
    budget = share * sum(photo.nbytes for photo in whole)
    part = load_photos(entries, 48, tmp_path / "colours", budget_bytes=budget)
    assert len(whole.kept) == len(entries)
    assert sum(photo.nbytes for photo in part.kept.values()) <= budget
    assert len(part.kept) == int(share * len(entries))  # all of one size here
    a, b = (batches_of(x)[1] for x in (whole, part))
    assert np.array_equal(a[1], b[1])
    assert np.array_equal(a[2], b[2])


def test_accumulated_steps_resume_to_the_same_losses(squares, tmp_path):
    run_training(run_of(squares, tmp_path / "whole", accumulate=2))
    parted = run_of(squares, tmp_path / "parted", accumulate=2)
    run_training(replace(parted, pause_after=1))
    run_training(replace(parted, resume=True))
    assert_allclose(losses(tmp_path / "parted"), losses(tmp_path / "whole"), rtol=0, atol=0)


def test_curves_and_pictures_reach_tensorboard(squares, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_training(run_of(squares, tmp_path, steps=2, tensorboard=True, val_minutes=0))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [point.step for point in events.Scalars("loss/total")] == [1, 2]
    assert_allclose([point.value for point in events.Scalars("loss/total")], losses(tmp_path), rtol=1e-6, atol=0)
    (name,) = events.Tags()["images"]
    assert events.Images(name)[0].width == 5 * 32


def test_the_picture_shows_photo_maps_matte_and_truth_in_this_order():
    image = torch.zeros(2, 3, 8, 8)
    semantic = torch.full((2, 3, 4, 4), -20.0)
    semantic[:, 1] = 20  # all transition: green
    out = StageOutput(semantic, torch.full((2, 1, 8, 8), 0.25), torch.full((2, 1, 8, 8), 0.5))
    grid = picture_grid(image, out, torch.ones(2, 1, 8, 8))
    assert grid.shape == (3, 16, 40)
    centres = grid[:, 4, 4::8].T  # (5, 3)
    want = [[0, 0, 0], [0, 1, 0], [0.25] * 3, [0.5] * 3, [1, 1, 1]]
    assert_allclose(centres, want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bar", [True, False])
def test_a_bar_shows_step_share_and_time_left_on_a_terminal(monkeypatch, capsys, bar):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    monkeypatch.setenv("COLUMNS", "100")
    with progress_bar(bar) as shown:
        shown.update(shown.add_task("training", total=1.0), completed=0.5, description="step 14")
    seen = capsys.readouterr().err
    assert ("step 14" in seen, "50%" in seen, "0:00:0" in seen) == (bar,) * 3


def test_without_a_terminal_no_bar_is_drawn(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with progress_bar(True) as shown:
        shown.add_task("step 14", total=1.0)
    assert "step" not in capsys.readouterr().err


def test_a_missing_gpu_is_refused(squares, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendUnavailable, match="no CUDA device"):
        run_training(run_of(squares, tmp_path, accelerator="gpu"))


# Pairs that do not fit


def test_all_that_lacks_a_partner_is_listed_at_once(tmp_path):
    write(tmp_path)
    (tmp_path / "alpha" / "s1.png").unlink()
    (tmp_path / "rgb" / "s2.png").unlink()
    with pytest.raises(
        InvalidInput, match=r"2 without a partner .*\n  - s1: expected .*/alpha/s1.*\n  - s2: expected .*/rgb/s2"
    ):
        find_pairs(tmp_path)


def test_missing_folders_of_p3m_10k_are_named(tmp_path):
    (tmp_path / "train" / "blurred_image").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"data: expected a folder .*train/mask, found none"):
        find_pairs(tmp_path)


def test_corrupt_pairs_are_skipped_and_listed_and_training_continues(tmp_path):
    data = write(tmp_path / "data")
    (data / "rgb" / "s2.png").write_bytes(b"\x89PNG cut short")
    run_training(run_of(data, tmp_path / "out", steps=1))
    (name,) = skipped = json.loads((tmp_path / "out" / "skipped.json").read_text())
    assert name == "data/s2"
    assert "s2.png: expected an image" in skipped[name]


def test_sizes_that_differ_are_all_listed(tmp_path):
    write(tmp_path)
    for name in ("s0", "s3"):
        cv2.imwrite(str(tmp_path / "alpha" / f"{name}.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(InvalidInput, match=r"2 pairs whose sizes differ:\n  - s0: .*\n  - s3: "):
        load_photos(entries_in([tmp_path]), 48)


# Encoders


def test_an_encoder_of_a_classifier_fits_without_its_head(tmp_path):
    torch.manual_seed(0)
    trained = build_encoder("resnet50")
    state = {f"resnet.{key}": value for key, value in trained.net.state_dict().items()}
    save_file({**state, "classifier.1.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    fresh = build_encoder("resnet50")
    load_encoder_weights(fresh, tmp_path)
    key = "embedder.embedder.convolution.weight"
    assert torch.equal(fresh.net.state_dict()[key], trained.net.state_dict()[key])


def test_an_encoder_that_the_hub_cannot_give_is_refused(monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise huggingface_hub.errors.LocalEntryNotFoundError("cannot reach the hub")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match=r"microsoft/resnet-50: expected a folder or a repository.*cannot reach"):
        load_encoder_weights(build_encoder("resnet50"), "microsoft/resnet-50")
