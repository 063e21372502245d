"""Both looks in torch: on any device with float64, and differentiable, which tuning needs.

A blur is a product of spectra, and the planes of a sheet add up, so a sheet needs only one inverse transform:
    sum_k K_k * (w_k v)  =  IFFT( sum_k FFT(K_k) FFT(w_k v) )
Time does not depend on the radius, so `quality` changes nothing. Planes that no pixel uses are skipped; a plane in
focus is added unblurred.

`thin_lens` and `paper` are the operators of `reference`: NumPy in and out, on CUDA if there is a GPU, else on the CPU.
`thin_lens_tensors` and `paper_tensors` compute the same on tensors, on the tensors' device, with gradients for colour,
matte, disparity and every setting given as a tensor. These have no gradient: the number of planes on each side of the
focus, whole-pixel radii (the floor of Eq. (3)), and whether a radius is below half a pixel. Memory: one plane at a
time; with gradients, the backward pass computes the planes again.

float64 only: an FFT's rounding is relative to the brightest value of the photo, while a sheet's blurred weight may be
1e-4 where a single blurred pixel lies among sharp ones, and the paper's root 1/alpha2 turns 1e-8 into 1e-2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from wideopen.checks import F32, require
from wideopen.optics import Optics, Pupil
from wideopen.rendering.aperture import Barrel, barrel, binary_spans
from wideopen.rendering.planes import paper_planes
from wideopen.rendering.reference import paper_radii
from wideopen.rendering.torch_shapes import (
    Rows,
    cut_blur,
    plane_radii,
    plane_shares,
    pupil_rows,
    rows_kernel,
    signed_radius,
)
from wideopen.sheets import Sheet

CatEye = tuple[float, float]  # its strength, and how far it is turned, in degrees


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorSheet:
    """`Sheet` as float64 tensors on one device."""

    rgb: Tensor  # (H, W, 3) linear light, premultiplied with alpha
    alpha: Tensor | None  # (H, W), None = opaque
    disparity: Tensor  # (H, W)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One blur: pixels, and the kernel that blurs them."""

    image: Callable[[], Tensor]  # (C, H, W)
    rows: Callable[[], Rows]  # of the kernel
    radius: Tensor


def _scatter(shape: tuple[int, int], layers: Sequence[_Layer], cut: Barrel | None) -> Tensor | float:
    """The sum of the blurred layers, (C, H, W); 0 for none."""
    reach = max((round(float(layer.radius.detach().abs())) + 1 for layer in layers), default=0)
    padded = [_fast_length(side + min(reach, side - 1)) for side in shape]  # so that nothing wraps into the picture

    def one(layer: _Layer) -> Tensor:
        if cut is not None:
            return cut_blur(layer.image(), layer.rows(), layer.radius, cut)
        K = _wrapped(rows_kernel(layer.rows()), shape, padded)
        return torch.fft.rfft2(layer.image(), s=padded) * torch.fft.rfft2(K)

    total: Tensor | float = 0.0
    for layer in layers:  # for gradients a blur is computed once more, instead of keeping what they need
        total = total + (checkpoint(one, layer, use_reentrant=False) if torch.is_grad_enabled() else one(layer))
    if cut is not None or not isinstance(total, Tensor):
        return total
    return torch.fft.irfft2(total, s=padded)[:, : shape[0], : shape[1]]


def _fast_length(n: int) -> int:
    """Smallest even length of at least n without a prime factor above 7."""
    n += n % 2
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 2


def _wrapped(K: Tensor, sides: Sequence[int], padded: Sequence[int]) -> Tensor:
    """Kernel laid out for the FFT, its centre at (0, 0); parts larger than the pixel window are cut off."""
    reach = K.shape[0] // 2
    ry, rx = (min(reach, side - 1) for side in sides)
    K = K[reach - ry : reach + ry + 1, reach - rx : reach + rx + 1]
    out = torch.nn.functional.pad(K, (0, padded[1] - K.shape[1], 0, padded[0] - K.shape[0]))
    return out.roll((-ry, -rx), (0, 1))


def _require_float64(name: str, tensor: Tensor) -> None:
    require(
        tensor.dtype == torch.float64,
        f"{name}: expected a float64 tensor (a device without float64, such as MPS, cannot render), "
        f"found {tensor.dtype} on {tensor.device}",
    )


def _ratio(top: Tensor, bottom: Tensor, least: float) -> Tensor:
    """top / bottom, 0 where bottom <= least, with a finite gradient there too."""
    some = bottom > least
    return torch.where(some, top / torch.where(some, bottom, 1.0), 0.0)


def _sheet_layers(pixels: Tensor, radius: Tensor, optics_planes: int, pupil: Pupil) -> tuple[list[_Layer], Tensor]:
    """Layers of the blurred planes, and the sum (C, H, W) of the unblurred ones; pixels (C, H, W)."""
    radii = plane_radii(radius, optics_planes)
    index, share = plane_shares(radius, radii)

    def image(k: int) -> Tensor:
        return pixels * torch.where(index == k, 1 - share, torch.where(index == k - 1, share, 0.0))

    layers, sharp = [], torch.zeros_like(pixels)
    for k, plane_radius in enumerate(radii):
        with torch.no_grad():
            if not ((index == k) | ((index == k - 1) & (share > 0))).any():
                continue
        if abs(float(plane_radius.detach())) < 0.5:
            sharp = sharp + image(k)
            continue
        layers.append(
            _Layer(
                image=lambda k=k: image(k),  # type: ignore[misc]
                rows=lambda r=plane_radius: pupil_rows(pupil, r),  # type: ignore[misc]
                radius=plane_radius,
            )
        )
    return layers, sharp


def thin_lens_tensors(
    sheets: Sequence[TensorSheet],
    *,
    focus_disparity: Tensor,
    focus_range: Tensor,
    radius_px: Tensor,
    planes: int,
    pupil: Pupil,
    cat_eye: CatEye = (0.0, 0.0),
) -> Tensor:
    """(H, W, 3) linear light; settings as in `Optics`, 0-d tensors. Raises InvalidInput unless float64."""
    over: Tensor | None = None
    shape = sheets[0].disparity.shape[0], sheets[0].disparity.shape[1]
    cut = barrel(shape, pupil, *cat_eye)
    for sheet in sheets:
        _require_float64("rgb", sheet.rgb)
        alpha = torch.ones_like(sheet.disparity) if sheet.alpha is None else sheet.alpha
        pixels = torch.cat([sheet.rgb.movedim(2, 0), alpha[None], torch.ones_like(alpha)[None]])  # (5, H, W)
        radius = signed_radius(
            sheet.disparity, focus_disparity=focus_disparity, focus_range=focus_range, radius_px=radius_px
        )
        layers, added = _sheet_layers(pixels, radius, planes, pupil)
        if cut is not None:
            added = added * torch.from_numpy(cut.open_share(*np.mgrid[0.5 : shape[0], 0.5 : shape[1]])).to(added)
        added = added + _scatter(shape, layers, cut)
        rgba = _ratio(added[:4], added[4:], 1e-12)
        over = rgba if over is None else rgba + over * (1 - rgba[3:])
    assert over is not None, "at least one sheet"
    return _ratio(over[:3], over[3:], 0.0).clamp(min=0).movedim(0, 2)


def _tensor(value: Tensor | float, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else like.new_tensor(value)


def _paper_blur(bent: Tensor, radius: int, pupil: Pupil, cut: Barrel | None) -> Tensor:
    """disk_r * bent, (3, H, W), normalised; exactly 0, without rounding noise, where the kernel covers only black."""
    if radius == 0:
        return bent
    pixels = torch.cat([bent, torch.ones_like(bent[:1]), (bent > 0).to(bent)])  # (7, H, W)

    spans = binary_spans(pupil, radius)
    rows = tuple(torch.from_numpy(values).to(bent) for values in (spans.dy, spans.left, spans.right, spans.weight))
    layer = _Layer(lambda: pixels, lambda: rows, bent.new_tensor(radius))
    added = torch.as_tensor(_scatter((bent.shape[1], bent.shape[2]), [layer], cut))
    lit = added[4:] > 1e-11  # one lit pixel gives at least 1e-7; rounding gives some 1e-16
    return torch.where(lit, (added[:3] / added[3:4]).clamp(min=0), 0.0)


def paper_tensors(
    encoded: Tensor,
    disparity: Tensor,
    *,
    focus_disparity: Tensor,
    radius_px: Tensor,
    planes: int,
    pupil: Pupil,
    delta: Tensor | float,
    a1: Tensor | float,
    b1: Tensor | float,
    a2: Tensor | float,
    b2: Tensor | float,
    alpha1: Tensor | float,
    alpha2: Tensor | float,
    cat_eye: CatEye = (0.0, 0.0),
) -> Tensor:
    """Eqs. (3)-(9): (H, W, 3) display-encoded. encoded (H, W, 3), disparity (H, W). Raises InvalidInput unless float64.

    Planes are processed from the nearest to the farthest, so that the visible share is a running product.
    """
    _require_float64("encoded", encoded)
    low, high = disparity.amin(), disparity.amax()
    numbers, _ = paper_planes(np.array([float(low.detach()), float(high.detach())]), planes)
    steps = (torch.arange(planes, device=low.device, dtype=low.dtype) + 0.5) / planes
    mids, extent = low + steps * (high - low), high - low
    radii = paper_radii(
        numbers,
        focus_disparity=float(focus_disparity),
        radius_px=float(radius_px),
        delta=float(delta),
    )
    cut = barrel((disparity.shape[0], disparity.shape[1]), pupil, *cat_eye)
    bent = (a1 * encoded + b1).clamp(min=0).movedim(2, 0) ** _tensor(alpha1, encoded)
    root = 1 / _tensor(alpha2, encoded)
    seen_through, colour, shown = torch.ones_like(disparity), torch.zeros_like(bent), torch.zeros_like(disparity)
    waiting: dict[int, Tensor] = {}  # weights of near planes that share their radius with a farther one
    for k in range(planes - 1, -1, -1):
        alpha = _paper_alpha(disparity, mids[k], extent)
        weight = seen_through * alpha + waiting.pop(int(radii[k]), 0.0)
        seen_through = seen_through * (1 - alpha)
        if radii[k] in radii[:k]:
            waiting[int(radii[k])] = weight
            continue
        blurred = _paper_blur(bent, int(radii[k]), pupil, cut)
        some = blurred > 0
        rooted = torch.where(some, torch.where(some, blurred, 1.0) ** root, 0.0)
        colour = colour + weight * (rooted / a2 + b2)
        shown = shown + weight
    return _ratio(colour, shown, 0.0).movedim(0, 2)


def _paper_alpha(disparity: Tensor, plane: Tensor, extent: Tensor) -> Tensor:
    """Eq. (5)."""
    if float(extent.detach()) <= 0:
        return torch.ones_like(disparity)
    distance = (disparity - plane).abs() / extent
    some = distance > 0
    return (1 - torch.where(some, torch.sqrt(torch.where(some, distance, 1.0)), 0.0)).clamp(0, 1)


def _load(array: F32) -> Tensor:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.from_numpy(np.ascontiguousarray(array)).to(device=device, dtype=torch.float64)


@torch.no_grad()
def thin_lens(sheets: Sequence[Sheet], optics: Optics) -> F32:
    """`reference.thin_lens` by FFT."""
    tensors = [
        TensorSheet(
            rgb=_load(sheet.rgb),
            alpha=None if sheet.alpha is None else _load(sheet.alpha),
            disparity=_load(sheet.disparity),
        )
        for sheet in sheets
    ]
    like = tensors[0].rgb
    image = thin_lens_tensors(
        tensors,
        focus_disparity=_tensor(optics.focus_disparity, like),
        focus_range=_tensor(optics.focus_range, like),
        radius_px=_tensor(optics.radius_px, like),
        planes=optics.planes,
        pupil=optics.pupil,
        cat_eye=(optics.cat_eye, optics.swirl),
    )
    result: F32 = image.float().cpu().numpy()
    return result


@torch.no_grad()
def paper(encoded: F32, disparity: F32, optics: Optics) -> F32:
    """`reference.paper` by FFT; exact at either quality."""
    p = optics.constants
    photo = _load(encoded)
    image = paper_tensors(
        photo,
        _load(disparity),
        focus_disparity=_tensor(optics.focus_disparity, photo),
        radius_px=_tensor(optics.radius_px, photo),
        planes=optics.planes,
        pupil=optics.pupil,
        delta=p.delta,
        a1=p.a1,
        b1=p.b1,
        a2=p.a2,
        b2=p.b2,
        alpha1=p.alpha1,
        alpha2=p.alpha2,
        cat_eye=(optics.cat_eye, optics.swirl),
    )
    result: F32 = image.float().cpu().numpy()
    return result
