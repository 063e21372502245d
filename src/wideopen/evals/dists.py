"""DISTS, a perceptual distance of two pictures.

Reference: Ding, Ma, Wang, Simoncelli, "Image Quality Assessment: Unifying Structure and Texture Similarity", TPAMI
2020, Eqs. (1) to (6): VGG16 with L2 pooling, and a weight for each feature's texture and structure.
Pictures are 8-bit codes, reduced by Pillow's bilinear filter to 256 pixels along the short side where they are larger,
as its authors' `prepare_image` does by default. Its authors' weights are those inside torchmetrics, VGG16's those of
torchvision; neither package is imported: torchmetrics takes 3.3 s to import, half of the time to start judging.
Where the processor multiplies matrices of bfloat16, features are computed in it: 0.2 s instead of 1.0 for a pair on one
core. That changed DISTS by at most 1.2e-4 (random weights, 36 pairs; rounding makes it larger on the average, by 3e-5).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wideopen.checks import F32
from wideopen.errors import require_packages
from wideopen.evals.measures import Measure, loading

SHORT_SIDE_PX = 256
VGG16 = "https://download.pytorch.org/models/vgg16-397923af.pth"
STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # convolutions, as torchvision numbers them
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
C1 = C2 = 1e-6
ROWS = 1024  # pixels whose moments are taken at a time: they stay in the processor's cache


def load_dists() -> Measure:
    """Load the DISTS measure with its network, which is downloaded on first use.

    Raises InvalidInput if packages are missing, WeightsError if the weights cannot be obtained.
    """
    require_packages("--dists", "eval", "torch", "torchmetrics")
    import torch

    package = Path(str(find_spec("torchmetrics").origin)).parent  # type: ignore[union-attr]
    known = torch.load(package / "functional" / "image" / "dists_models" / "weights.pt", weights_only=True)
    with loading("--dists", VGG16):
        vgg16 = torch.hub.load_state_dict_from_url(VGG16, map_location="cpu", progress=False, check_hash=True)
    kind = torch.bfloat16 if _multiplies_bfloat16() else torch.float32
    layers = [
        [
            (
                vgg16[f"features.{n}.weight"].to(kind, memory_format=torch.channels_last),
                vgg16[f"features.{n}.bias"].to(kind),
            )
            for n in stage
        ]
        for stage in STAGES
    ]
    total = known["alpha"].sum() + known["beta"].sum()
    alpha, beta = ((known[name] / total).flatten().tensor_split((3, 67, 195, 451, 963)) for name in ("alpha", "beta"))

    def dists(picture: F32, truth: F32) -> float:
        with torch.inference_mode():
            both = (_features(torch.from_numpy(_reduced(x)), layers) for x in (picture, truth))
            distance = 1.0
            for x, y, a, b in zip(*both, alpha, beta, strict=True):
                mx, my, xx, yy, xy = _raw_moments(x, y)
                texture = (2 * mx * my + C1) / (mx**2 + my**2 + C1)
                structure = (2 * (xy - mx * my) + C2) / (xx - mx**2 + yy - my**2 + C2)
                distance -= float((a * texture).sum() + (b * structure).sum())
            return distance

    return dists


def _multiplies_bfloat16() -> bool:
    """Whether the processor has units for matrices of bfloat16 (AMX)."""
    import torch

    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # of torch 2.10 and newer
    return bool(known.get("amx_bf16"))


def _raw_moments(x: Any, y: Any) -> Any:
    """Means of x, y, x^2, y^2 and xy over the pixels of two (1, C, h, w), (5, C)."""
    import torch

    both = [z.permute(0, 2, 3, 1).flatten(0, 2) for z in (x, y)]  # (h w, C)
    few = zip(*(z.split(ROWS) for z in both), strict=True)
    sums = (torch.stack([z.sum(0) for z in (a, b, a * a, b * b, a * b)]) for a, b in few)
    return torch.stack(list(sums)).sum(0) / len(both[0])


def _reduced(picture: F32) -> F32:
    """A display-encoded picture (H, W, 3) as (h, w, 3), whole codes in [0, 1]."""
    short = min(picture.shape[:2])
    codes = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    if short > SHORT_SIDE_PX:
        width, height = (int(SHORT_SIDE_PX * n / short) for n in codes.size)
        codes = codes.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(codes, np.float32) / np.float32(255)


def _features(picture: Any, layers: Any) -> Any:
    """Yield a picture (h, w, 3), then what each stage of VGG16 finds in it, all as (1, C, h, w)."""
    import torch
    from torch.nn.functional import conv2d

    hann = torch.tensor(np.hanning(5)[1:-1], dtype=torch.float32)
    window = torch.outer(hann, hann) / hann.sum() ** 2  # (3, 3)
    features = picture.permute(2, 0, 1)[None]  # channels last in memory: 1.3 times as fast
    yield features
    features = (features - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    for number, stage in enumerate(layers):
        if number:
            channels = features.shape[1]
            of_each = window.expand(channels, 1, 3, 3)
            features = (conv2d(features**2, of_each, stride=2, padding=1, groups=channels) + 1e-12).sqrt_()
        for weight, bias in stage:
            features = conv2d(features.to(weight.dtype), weight, bias, padding=1).relu_()
        yield (features := features.float())
