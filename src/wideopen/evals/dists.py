"""DISTS, a perceptual distance of two pictures.

Reference: Ding, Ma, Wang, Simoncelli, "Image Quality Assessment: Unifying Structure and Texture Similarity", TPAMI
2020, Eqs. (1) to (6): VGG16 with L2 pooling, and a weight for each feature's texture and structure.
Pictures are 8-bit codes, reduced by Pillow's bilinear filter to 256 pixels along the short side where they are larger,
as its authors' `prepare_image` does by default. Its authors' weights are those inside torchmetrics, VGG16's those of
torchvision; neither package is imported: torchmetrics takes 3.3 s to import, half of the time to start judging.
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
    layers = [
        [
            (vgg16[f"features.{n}.weight"].to(memory_format=torch.channels_last), vgg16[f"features.{n}.bias"])
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
                mx, my, xx, yy, xy = (z.mean((0, 2, 3)) for z in (x, y, x * x, y * y, x * y))  # (C,) each
                texture = (2 * mx * my + C1) / (mx**2 + my**2 + C1)
                structure = (2 * (xy - mx * my) + C2) / (xx - mx**2 + yy - my**2 + C2)
                distance -= float((a * texture).sum() + (b * structure).sum())
            return distance

    return dists


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
            features = conv2d(features, weight, bias, padding=1).relu_()
        yield features
