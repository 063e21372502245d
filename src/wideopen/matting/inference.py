"""Options of the matting stage, and the configurations of its networks.

Plain data, so that a command line can list them without loading NumPy or a network.
"""

from dataclasses import dataclass, replace
from typing import Literal

from wideopen.errors import require
from wideopen.options import Settings, option

BACKENDS = ("auto", "torch", "onnx")  # inference runtimes
DEVICES = ("auto", "cpu", "cuda")
STARTS = ("auto", "none", "isnet")  # starts that are neither files nor rembg's
SHIPPED = ("mobile", "paper")  # names of the weights inside the package
NETWORK = "mobile"  # the network that `auto` uses if the photo contains no matte
INSIDE = ("auto", "embedded")  # the options that use the portrait matte inside the photo, if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class MattingSettings(Settings):
    """Source of the matte, and how the network runs; None = as in the weights' configuration."""

    matting: str = option(
        "auto",
        help="Source of the matte: auto (the portrait matte inside the photo, else mobile), embedded, or a network: "
        "mobile, paper, a .safetensors or .onnx file, or rembg:NAME.",
    )
    matting_size: int | None = option(
        None, least=32, unit="pixels", help="Long side of the photo in the matting network. Default: the network's own."
    )
    matting_stages: int | None = option(
        None, least=1, help="Number of passes T through the matting network. Default: the network's own, 3."
    )
    matting_start: str = option(
        "auto",
        help="Segmentation network whose result the matting network refines: auto (isnet if it is on disk), none, "
        "isnet (179 MB), rembg:NAME or a .onnx file.",
    )
    matting_edges: bool = option(True, help="Align the matte's outline with edges in the photo.")
    matting_strands: bool = option(
        False, help="Draw strands of curls and flyaway hair. Needs --matting-edges and a photo of at least 1000 pixels."
    )
    matting_backend: str = option(
        "auto", words=BACKENDS, help="Inference runtime of the matting network: auto, torch or onnx (CPU only)."
    )
    device: str = option("auto", words=DEVICES, help="Device that runs the networks: auto, cpu or cuda.")
    offline: bool = option(False, help="Never download a model.")

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        known = self.matting in (*INSIDE, *SHIPPED) or self.matting.startswith("rembg:")
        require(
            known or self.matting.endswith((".safetensors", ".onnx")),
            f"matting: expected {', '.join((*INSIDE, *SHIPPED))}, a .safetensors or .onnx file, or rembg:NAME, "
            f"found {self.matting!r}",
        )
        start = self.matting_start
        require(
            start in STARTS or start.startswith("rembg:") or start.endswith(".onnx"),
            f"matting_start: expected {', '.join(STARTS)}, rembg:NAME or a .onnx file, found {start!r}",
        )
        require(
            start in ("auto", "none") or not self.matting.startswith("rembg:"),
            f"matting_start: expected none with {self.matting}, which takes no start, found {start!r}",
        )

    @property
    def network(self) -> str:
        """The network that predicts a matte when none is given."""
        return NETWORK if self.matting in INSIDE else self.matting


Encoder = Literal["resnet50", "efficientnet_lite0"]
STRIDE = 32  # of F5; both sides of the network's input are multiples of it
FEATURE_CHANNELS: dict[str, tuple[int, int, int, int, int]] = {  # F1..F5 at strides 2, 4, 8, 16, 32
    "resnet50": (64, 256, 512, 1024, 2048),
    "efficientnet_lite0": (16, 24, 40, 112, 1280),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MattingConfig(Settings):
    """One matting network. Where the paper is silent, the default is ours."""

    encoder: Encoder = option(help="Network that makes F1 to F5.")
    pyramid_channels: int  # C of F_A, the output of the e-ASPP
    pyramid_rates: tuple[int, ...] = (1, 2, 4, 8)  # dilations of the e-ASPP, in pixels of F5
    decoder_channels: tuple[int, ...]  # one per upsampling block; k blocks end at stride 32 / 2^k
    decoder_skips: bool  # F4, F3, F2 enter the decoder; not in the paper
    detail_channels: int  # C1 of the high-resolution branch
    detail_stride: int = option(words=(1, 2), help="1: that branch runs at full resolution; 2: at half, then unfolded.")
    detail_image: bool  # the photo itself enters the branch beside F1, F2; not in the paper
    gates: int  # number of gated convolution layers, each gated by one of the last decoder features
    head_channels: int  # C' of f_H
    stages: int = option(3, least=1, help="T.")
    size: int = option(1024, least=32, unit="pixels", help="Long side at inference.")
    first_size: int | None = option(
        None, least=32, unit="pixels", help="Long side in stage 1, if smaller: enough to find the subject."
    )
    guidance: bool = True  # the AGMs; these three are switched off for Table 2 only
    low_resolution: bool = True  # if off: no m_s; the detail branch gates itself and its output is the matte
    high_resolution: bool = True  # if off: m_d comes from the decoder's last feature

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        blocks = len(self.decoder_channels)
        require(1 <= blocks <= 5, f"decoder_channels: expected 1 to 5 widths, found {blocks}")
        require(1 <= self.gates <= blocks, f"gates: expected 1 to {blocks} (blocks), found {self.gates}")
        require(self.low_resolution or self.high_resolution, "branches: expected at least one, found none")


PRESETS: dict[str, MattingConfig] = {
    "paper": MattingConfig(
        encoder="resnet50",
        pyramid_channels=256,
        decoder_channels=(256, 128, 64, 32, 16),
        decoder_skips=False,
        detail_channels=32,
        detail_stride=1,
        detail_image=False,
        gates=3,
        head_channels=16,
    ),
    "mobile": MattingConfig(
        encoder="efficientnet_lite0",
        pyramid_channels=128,
        decoder_channels=(96, 48, 32),
        decoder_skips=True,
        detail_channels=16,
        detail_stride=2,
        detail_image=True,
        gates=2,
        head_channels=16,
        size=512,  # the training size; larger sizes fail on portraits (docs/model-card-mobile.md)
        first_size=512,
    ),
}


ABLATIONS = {"agm": "guidance", "low-resolution": "low_resolution", "high-resolution": "high_resolution"}


def ablated(preset: str, without: str) -> str:
    """Name of the preset without one part of the network (Table 2 of the paper): `mobile-no-agm`, ..."""
    require(without in ABLATIONS, f"ablate: expected one of {', '.join(ABLATIONS)}, found {without!r}")
    name = f"{preset}-no-{without}"
    require(name in PRESETS, f"preset: expected paper or mobile to ablate, found {preset!r}")
    return name


PRESETS |= {
    f"{name}-no-{without}": replace(config, **{field: False})  # type: ignore[arg-type]  # the three fields are bool
    for name, config in PRESETS.items()
    for without, field in ABLATIONS.items()
}
