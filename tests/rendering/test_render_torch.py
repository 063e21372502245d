"""The torch renderer beyond test_render.py, which asks every backend the same: gradients, devices, FFT rounding."""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from wideopen.errors import InvalidInput
from wideopen.lens import Aperture, PaperLook
from wideopen.optics import Pupil
from wideopen.rendering import Optics, Sheet, reference, torch_fft
from wideopen.rendering.aperture import antialiased_spans, kernel
from wideopen.rendering.torch_shapes import pupil_rows, rows_kernel

SHAPES = [
    Aperture(),
    Aperture(blades=4),
    Aperture(blades=4, rotation_deg=45),  # sides along the rows
    Aperture(blades=5, rotation_deg=9),
    Aperture(blades=7, rotation_deg=3, curvature=0.5),
]


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny FFTs on several threads mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _tensor(*values):
    return [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]


@pytest.mark.parametrize("aperture", SHAPES)
def test_kernel_equals_the_spans(aperture):
    for radius, rim in product([0.5, 0.51, 1.0, 2.7, -2.7, 13.4, -40.0], [0.0, 0.7]):
        want = kernel(antialiased_spans(Pupil(aperture=aperture, rim=rim), radius))
        rows = pupil_rows(Pupil(aperture=aperture, rim=rim), torch.tensor(radius, dtype=torch.float64))
        got = rows_kernel(rows).numpy()
        spare = (len(got) - len(want)) // 2
        assert_allclose(got, np.pad(want, spare), rtol=0, atol=5e-7)  # worst seen 7e-8


@pytest.mark.parametrize("aperture", SHAPES)
def test_kernel_is_differentiable_in_the_radius(aperture):
    for radius in (1.72, -3.21):
        assert torch.autograd.gradcheck(lambda r: rows_kernel(pupil_rows(Pupil(aperture=aperture), r)), _tensor(radius))


@pytest.mark.parametrize("cat_eye", [0.0, 0.6])
def test_thin_lens_gradients(cat_eye):
    rng = np.random.default_rng(11)
    size = (2, 3)
    back, front = rng.uniform(0.05, 0.8, (*size, 3)), rng.uniform(0.05, 0.8, (*size, 3))
    alpha = rng.uniform(0.2, 0.9, size)
    far, near = rng.uniform(0.0, 0.6, size), rng.uniform(0.5, 1.0, size)
    lens = (0.43, 0.02, 4.7)

    def render(back, front, alpha, far, near, focus, focus_range, radius):
        sheets = [
            torch_fft.TensorSheet(rgb=back, alpha=None, disparity=far),
            torch_fft.TensorSheet(rgb=front * alpha[..., None], alpha=alpha, disparity=near),
        ]
        return torch_fft.thin_lens_tensors(
            sheets,
            focus_disparity=focus,
            focus_range=focus_range,
            radius_px=radius,
            planes=4,
            pupil=Pupil(aperture=Aperture(blades=5, curvature=0.3)),
            cat_eye=(cat_eye, 0.0),
        )

    inputs = _tensor(back, front, alpha, far, near, *lens)
    assert torch.autograd.gradcheck(render, inputs, fast_mode=bool(cat_eye))
    render(*inputs).sum().backward()
    assert all(bool((x.grad != 0).any()) for x in inputs)


def test_paper_gradients():
    rng = np.random.default_rng(12)
    photo, disparity = rng.uniform(0.1, 1, (3, 4, 3)), rng.uniform(0, 1, (3, 4))

    def render(photo, disparity, a1, b1, a2, b2, alpha1, alpha2):
        return torch_fft.paper_tensors(
            photo,
            disparity,
            focus_disparity=torch.tensor(0.43),
            radius_px=torch.tensor(5.3),
            planes=4,
            pupil=Pupil(),
            delta=0.2,
            a1=a1,
            b1=b1,
            a2=a2,
            b2=b2,
            alpha1=alpha1,
            alpha2=alpha2,
        )

    inputs = _tensor(photo, disparity, 0.9, 0.05, 1.1, 0.02, 3.0, 3.5)
    assert torch.autograd.gradcheck(render, inputs)
    render(*inputs).square().sum().backward()
    assert all(bool((x.grad != 0).any()) for x in inputs)


def test_gradients_are_finite_where_formulas_bend():
    """Black, clipped and transparent pixels, a constant disparity, a pixel exactly in focus."""
    alpha = torch.tensor([[0.0, 1.0, 0.5]], dtype=torch.float64)
    rgb = torch.tensor([[[0.0] * 3, [1.0] * 3, [0.425] * 3]], dtype=torch.float64)
    for disparity in ([[0.5, 0.5, 0.5]], [[0.0, 0.3, 1.0]]):
        inputs = [x.clone().requires_grad_() for x in (rgb, alpha, torch.tensor(disparity, dtype=torch.float64))]
        lens = _tensor(0.3, 0.0, 3.0)
        back = torch_fft.TensorSheet(rgb=torch.zeros_like(rgb), alpha=None, disparity=torch.zeros_like(alpha))
        thin = torch_fft.thin_lens_tensors(
            [back, torch_fft.TensorSheet(rgb=inputs[0], alpha=inputs[1], disparity=inputs[2])],
            planes=4,
            pupil=Pupil(),
            **dict(zip(("focus_disparity", "focus_range", "radius_px"), lens, strict=True)),
        )
        look = _tensor(1.0, 0.0, 1.0, 0.0, 4.0, 4.0)
        paper = torch_fft.paper_tensors(
            inputs[0],
            inputs[2],
            focus_disparity=lens[0].detach(),
            radius_px=lens[2].detach(),
            planes=4,
            pupil=Pupil(),
            delta=0.0,
            **dict(zip(("a1", "b1", "a2", "b2", "alpha1", "alpha2"), look, strict=True)),
        )
        (thin.sum() + paper.sum()).backward()
        assert all(bool(torch.isfinite(x.grad).all()) for x in (*inputs, *lens, *look))


@pytest.mark.parametrize("look", ["thin-lens", "paper"])
def test_cat_eye_equals_reference(look):
    rng = np.random.default_rng(13)
    photo, disparity = rng.random((6, 9, 3), np.float32), rng.random((6, 9), np.float32)
    aperture = Aperture(blades=6, curvature=0.4)
    if look == "thin-lens":
        sheets = [Sheet(rgb=photo, alpha=None, disparity=disparity)]
        optics = Optics(
            focus_disparity=0.4,
            radius_px=4.2,
            planes=4,
            aperture=aperture,
            cat_eye=0.8,
            quality="exact",
        )
        got, want = (module.thin_lens(sheets, optics) for module in (torch_fft, reference))
    else:
        optics = Optics(focus_disparity=0.4, radius_px=4.2, planes=4, aperture=aperture, paper=PaperLook(), cat_eye=0.8)
        got, want = (module.paper(photo, disparity, optics) for module in (torch_fft, reference))
    assert_allclose(got, want, rtol=0, atol=2e-6)  # worst seen 7e-7


def test_lone_blurred_pixel_among_sharp_ones_equals_reference():
    rng = np.random.default_rng(14)
    disparity = np.full((40, 40), 0.5, np.float32)
    disparity[:, :12] = 0.4  # bright and blurred: float32's rounding of it would show at the pixel
    disparity[20, 30] = 0.0
    rgb = rng.random((40, 40, 3), np.float32)
    rgb[20, 30] = [0.2, 0.9, 0.5]
    alpha = np.ones((40, 40), np.float32)
    sheets = [
        Sheet(rgb=np.zeros_like(rgb), alpha=None, disparity=np.full((40, 40), 0.5, np.float32)),
        Sheet(rgb=rgb, alpha=alpha, disparity=disparity),
    ]
    optics = Optics(focus_disparity=0.5, radius_px=36.0, quality="exact")  # what is seen at (20, 30) weighs 0.001
    assert_allclose(torch_fft.thin_lens(sheets, optics), reference.thin_lens(sheets, optics), rtol=0, atol=2e-6)


def test_black_beside_white_has_no_grain():
    photo = np.zeros((30, 64, 3), np.float32)
    photo[:, 40:] = 1
    photo[:, 32:40] = 1 / 255
    disparity = np.tile(np.linspace(0, 1, 30, dtype=np.float32)[:, None], (1, 64))
    optics = Optics(focus_disparity=1.0, radius_px=9.0, planes=8, paper=PaperLook())
    got = torch_fft.paper(photo, disparity, optics)
    assert (got[:, :20] == 0).all()
    assert_allclose(got, reference.paper(photo, disparity, optics), rtol=0, atol=3e-6)


def test_float32_tensors_are_refused():
    flat = torch.full((3, 4), 0.5)
    number = torch.tensor(0.5)
    with pytest.raises(InvalidInput, match=r"rgb: expected a float64 tensor .*MPS.* found torch.float32 on cpu"):
        torch_fft.thin_lens_tensors(
            [torch_fft.TensorSheet(rgb=flat[..., None].expand(3, 4, 3), alpha=None, disparity=flat)],
            focus_disparity=number,
            focus_range=number,
            radius_px=number,
            planes=2,
            pupil=Pupil(),
        )
