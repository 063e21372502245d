"""An encoder learns what a trained one sees: hints that fall, runs that resume, weights that the matting run takes."""

import json
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import load_file

from wideopen.errors import InvalidInput, WeightsError
from wideopen.matting.net.encoders import build_encoder, load_encoder_weights
from wideopen.train.encoder import Apprentice, correlation_loss, hint_loss, train_encoder
from wideopen.train.run import Hardware, Reports, Schedule, TrainRun
from wideopen.train.trainer import Trainer


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """Six noisy photos with a disk each."""
    folder = tmp_path_factory.mktemp("blobs")
    (folder / "rgb").mkdir()
    (folder / "alpha").mkdir()
    for i in range(6):
        rng = np.random.default_rng(i)
        alpha = np.zeros((64, 64), np.uint8)
        cv2.circle(alpha, (32, 30 + i), 14, 255, -1, cv2.LINE_AA)
        rgb = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
        rgb[alpha > 127] //= 3
        cv2.imwrite(str(folder / "rgb" / f"{i}.png"), rgb)
        cv2.imwrite(str(folder / "alpha" / f"{i}.png"), alpha)
    return folder


def a_run(data, out, **changes):
    reports = Reports(report_steps=1, checkpoint_minutes=1e9, tensorboard=False)
    run = TrainRun(data=data, out=out, schedule=Schedule(steps=4, lr=1e-3, warmup_steps=1), preset="mobile", size=64,
                   batch=2, precision="float32", reports=reports)  # fmt: skip
    return replace(run, **changes)


# The loss


def test_a_scaled_and_shifted_copy_is_perfect_and_its_negative_worst():
    x = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    assert_allclose(correlation_loss(3 * x + 7, x), 0, atol=1e-5)
    assert_allclose(correlation_loss(-x, x), 2, atol=1e-5)
    assert 0.8 < correlation_loss(torch.randn_like(x), x) < 1.2


def test_a_channel_that_does_not_vary_counts_as_unrelated():
    x = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    flat = x.clone()
    flat[:, 1] = 3.0
    assert_allclose(correlation_loss(x, flat), 0.5, atol=1e-5)


@pytest.mark.parametrize("student", ["resnet50", "mobilenet_v2"])
def test_guesses_have_the_shapes_of_what_the_teacher_sees(student):
    image = torch.rand(1, 3, 64, 64)
    features = build_encoder("mobilenet_v2").eval()(image)
    guesses = Apprentice(student, "mobilenet_v2")(image)
    assert [g.shape for g in guesses] == [f.shape for f in features]
    assert hint_loss(guesses, features).requires_grad


def test_the_first_levels_are_those_of_all():
    image = torch.rand(1, 3, 64, 64)
    for name in ("resnet50", "mobilenet_v2"):
        encoder = build_encoder(name).eval()
        whole = encoder(image)
        for levels in (1, 2, 4, 5):
            some = encoder(image, levels)
            assert len(some) == levels
            assert all(torch.equal(one, other) for one, other in zip(some, whole, strict=False))


def test_resnet_starts_with_blocks_that_pass_their_input_on():
    encoder = Apprentice("resnet50", "mobilenet_v2").encoder.eval()
    block = encoder.net.encoder.stages[0].layers[1]
    x = torch.rand(1, 256, 8, 8)
    assert_allclose(block(x).detach(), x, atol=1e-6)


# Runs


def test_an_encoder_learns_and_the_matting_run_starts_from_it(blobs, tmp_path):
    out = train_encoder(a_run(blobs, tmp_path / "run", schedule=Schedule(steps=30, lr=3e-3, warmup_steps=1)))
    rows = [json.loads(line)["hints"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert len(rows) == 30
    assert np.mean(rows[-3:]) < np.mean(rows[:3]) - 0.05
    encoder = build_encoder("mobilenet_v2")
    load_encoder_weights(encoder, out)
    matting = a_run(blobs, tmp_path / "matting", encoder_weights=str(out))
    start = Trainer(matting).net.encoder.state_dict()
    for key, value in load_file(out / "model.safetensors").items():
        assert_allclose(start[f"net.{key}"], value)


def test_a_resumed_run_has_the_losses_of_an_uninterrupted_one(blobs, tmp_path):
    def hints(out):
        return [json.loads(line)["hints"] for line in (out / "log.jsonl").read_text().splitlines()]

    whole = a_run(blobs, tmp_path / "whole")
    train_encoder(whole)
    part = a_run(blobs, tmp_path / "part")
    train_encoder(replace(part, schedule=replace(part.schedule, pause_after=2)))
    train_encoder(replace(part, resume=True))
    assert_allclose(hints(part.out), hints(whole.out), rtol=1e-5)
    one, other = (load_file(run.out / "model.safetensors") for run in (whole, part))
    for key, value in one.items():
        assert_allclose(other[key], value, rtol=1e-4, atol=1e-5)


def test_a_run_grows_once_and_a_resumed_one_goes_on_from_there(blobs, tmp_path, monkeypatch):
    monkeypatch.setattr("wideopen.train.encoder.FITTED", 64)
    monkeypatch.setattr("wideopen.train.encoder.LOW_SHARE", 0.4)
    run = a_run(blobs, tmp_path, preset="paper", schedule=Schedule(steps=4, lr=1e-4, warmup_steps=1))
    train_encoder(replace(run, schedule=replace(run.schedule, pause_after=3)))
    assert torch.load(tmp_path / "last.pt")["grown_at"] == 2
    with caught_growing(monkeypatch) as grown:
        train_encoder(replace(run, resume=True))
    assert not grown
    levels = [json.loads(line)["hints"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(levels) == 4
    encoder = build_encoder("resnet50")
    load_encoder_weights(encoder, tmp_path)
    assert all(torch.isfinite(f).all() for f in encoder.eval()(torch.rand(1, 3, 64, 64)))


@contextmanager
def caught_growing(monkeypatch):
    """Calls of `grow` while it is on."""
    calls = []
    with monkeypatch.context() as patch:
        patch.setattr("wideopen.train.encoder.grow", lambda *args: calls.append(args))
        yield calls


def test_a_network_keeps_or_learns_its_encoders_statistics(blobs, tmp_path):
    run = a_run(blobs, tmp_path, init="mobile")
    image, alpha = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    moved = []
    for frozen in (True, False):
        trainer = Trainer(replace(run, frozen_norms=frozen))
        name = next(key for key in trainer.net.encoder.state_dict() if key.endswith("running_mean"))
        before = trainer.net.encoder.state_dict()[name].clone()
        trainer.train_step([(image, alpha)])
        moved.append(not torch.equal(trainer.net.encoder.state_dict()[name], before))
    assert moved == [False, True]


def test_what_an_encoder_run_refuses(blobs, tmp_path):
    with pytest.raises(InvalidInput, match="devices: expected 1 for an encoder, found 2"):
        train_encoder(a_run(blobs, tmp_path, hardware=Hardware(devices=2)))
    with pytest.raises(WeightsError, match=r"expected a file paper-no-agm\.safetensors, found none"):
        train_encoder(a_run(blobs, tmp_path), teacher="paper-no-agm.safetensors")
    with pytest.raises(InvalidInput, match="size: expected at least 64 pixels for an encoder that grows, found 32"):
        train_encoder(a_run(blobs, tmp_path, preset="paper", size=32))
    with pytest.raises(InvalidInput, match="checkpoint: expected a file"):
        train_encoder(a_run(blobs, tmp_path / "new", resume=True))


def test_a_checkpoint_of_another_preset_is_refused(blobs, tmp_path):
    train_encoder(a_run(blobs, tmp_path, schedule=Schedule(steps=1, warmup_steps=1)))
    with pytest.raises(InvalidInput, match=r"resume: expected a checkpoint of .*paper.*, found one of .*mobile"):
        train_encoder(a_run(blobs, tmp_path, preset="paper", resume=True))
