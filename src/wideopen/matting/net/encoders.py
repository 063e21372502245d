"""Encoders: F1..F5 at strides 2, 4, 8, 16, 32 of a photo whose sides are multiples of 32.

Built from transformers' classes with random weights; `from_folder` loads trained ones from a folder in transformers'
format. Input: (B, 3, H, W), display-encoded sRGB in [0, 1].
"""

from pathlib import Path

import torch
from torch import Tensor, nn

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


class MobileNetFeatures(nn.Module):
    """MobileNetV2 with TensorFlow's padding; F1 is the stem, F5 the 1280-channel convolution.

    TensorFlow pads a stride-1 convolution symmetrically, so those layers pad inside the convolution: the same result
    without a copy of each map.
    """

    ENDS = (1, 4, 11)  # the stride doubles after these blocks; F2, F3, F4 are their outputs

    def __init__(self) -> None:
        super().__init__()
        from transformers import MobileNetV2Config, MobileNetV2Model

        self.net = MobileNetV2Model(MobileNetV2Config(tf_padding=True, hidden_act="relu6"), add_pooling_layer=False)
        plain = MobileNetV2Config(tf_padding=False, hidden_act="relu6")
        for layer in self.net.modules():
            conv = getattr(layer, "convolution", None)
            if conv is not None and conv.stride == (1, 1):
                conv.padding = tuple(k // 2 for k in conv.kernel_size)
                layer.config = plain

    def forward(self, image: Tensor) -> list[Tensor]:
        """F1..F5 with 16, 24, 32, 96, 1280 channels."""
        x = self.net.conv_stem(image * 2 - 1)
        features = [x]
        for index, block in enumerate(self.net.layer):
            x = block(x)
            if index in self.ENDS:
                features.append(x)
        return [*features, self.net.conv_1x1(x)]


def build_encoder(name: Encoder) -> nn.Module:
    """The encoder called `name`, with random weights."""
    return ResNetFeatures() if name == "resnet50" else MobileNetFeatures()


def load_encoder_weights(encoder: nn.Module, source: str | Path) -> None:
    """Fill `encoder` with trained weights in transformers' format.

    `source` is a folder with model.safetensors (fp16 or fp32), or the id of a hub repository, such as
    "microsoft/resnet-50", which is fetched once. Anything else is refused, and so is an id without a network
    connection.
    """
    from safetensors.torch import load_file

    path = _encoder_file(str(source))
    state = {key.removeprefix(PREFIX[type(encoder)]): value.float() for key, value in load_file(path).items()}
    own = encoder.net.state_dict()  # type: ignore[union-attr]
    # a classifier's file also holds its head; int64 counters keep their type
    state = {k: v.to(own[k].dtype) if k in own else v for k, v in state.items() if not k.startswith("classifier.")}
    try:
        encoder.net.load_state_dict(state, strict=True)  # type: ignore[union-attr]
    except RuntimeError as error:
        raise WeightsError(f"encoder weights {path}: keys that do not fit ({error})") from error


PREFIX: dict[type[nn.Module], str] = {ResNetFeatures: "resnet.", MobileNetFeatures: "mobilenet_v2."}


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
