"""MobileNetV2 written into ResNet-50: the function is there before anything is learned."""

import pytest
import torch
from numpy.testing import assert_allclose
from skimage.data import astronaut, coffee, rocket
from torch.nn import functional

from wideopen.matting.net.encoders import build_encoder
from wideopen.matting.weights import load_net
from wideopen.train.encoder import correlation_loss
from wideopen.train.grow import PLAN, Slots, aligned, cells, grow, least_squares


def crops(photo, count, seed):
    rng = torch.Generator().manual_seed(seed)
    image = torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255
    corners = torch.stack([torch.randint(0, side - 128 + 1, (count,), generator=rng) for side in image.shape[1:]], 1)
    return torch.stack([image[:, y : y + 128, x : x + 128] for y, x in corners.tolist()])


@pytest.fixture(scope="module")
def grown():
    """(random student, grown student, teacher, the images that it was fitted to, others)."""
    torch.manual_seed(0)
    teacher = load_net("mobile").encoder.eval()
    random, student = build_encoder("resnet50").eval(), build_encoder("resnet50").eval()
    student.load_state_dict(random.state_dict())
    images = torch.cat([crops(photo(), 12, 1) for photo in (astronaut, coffee, rocket)])
    grow(student, teacher, images)  # F2 can be read in part from what random stem and stage 1 say
    return random, student, teacher, images, torch.cat([crops(photo(), 6, 2) for photo in (astronaut, coffee, rocket)])


@torch.no_grad()
def readable(encoder, teacher, fitted, images, level):
    """Correlation of the teacher's feature with a linear guess from the student's, fitted on other images."""
    weight, bias = least_squares(*(cells(x) for x in aligned(encoder(fitted)[level], teacher(fitted)[level])))
    mine, theirs = aligned(encoder(images)[level], teacher(images)[level])
    guess = functional.conv2d(mine, weight[:, :, None, None], bias)
    return 1 - float(correlation_loss(guess, theirs))


@pytest.mark.parametrize(("level", "gain"), [(2, 0.05), (3, 0.1)])
def test_what_the_teacher_sees_can_be_read_from_what_was_grown(grown, level, gain):
    random, student, teacher, fitted, images = grown
    before, after = (readable(net, teacher, fitted, images, level) for net in (random, student))
    assert after > before + gain


def test_stem_and_first_stage_stay_as_they_are(grown):
    random, student, _, _, images = grown
    for one, other in zip(random(images, 2), student(images, 2), strict=True):
        assert torch.equal(one, other)


def test_nothing_is_cut_off_by_the_streams_relu(grown):
    _, student, teacher, _, images = grown
    with torch.no_grad():
        features = student(images)
    for level, plan in zip(features[2:], PLAN, strict=True):
        widths = [teacher.net.layer[names[-1]].reduce_1x1.convolution.out_channels for names in plan if names]
        slot = Slots(tuple(dict.fromkeys(widths))).of(widths[-1])
        assert (level[:, slot, 1:, 1:] == 0).float().mean() < 0.01


def test_least_squares_finds_the_weights_of_what_is_linear():
    x = torch.randn(4000, 6) * torch.tensor([1, 10, 0.1, 5, 2, 1]) + 3
    weight, bias = torch.randn(2, 6), torch.randn(2)
    found, offset = least_squares(x, x @ weight.T + bias)
    assert_allclose(found, weight, rtol=0.02, atol=0.01)
    assert_allclose(x @ found.T + offset, x @ weight.T + bias, atol=0.3)


def test_slots_lie_beside_each_other():
    slots = Slots((64, 96))
    assert slots.of(64) == slice(0, 64)
    assert slots.of(96) == slice(64, 160)
    slots.lifted[64] = torch.zeros(64)
    assert slots.still_empty() == [slice(64, 160)]
