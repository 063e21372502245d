"""Make the built-in depth network: small_depth.py CHECKPOINT -o src/wideopen/disparity/weights/small.onnx.

The network is TCMonoDepth's small one (Li et al., "Enforcing Temporal Consistency in Video Depth Estimation", ICCV
Workshops 2021; MIT licence): the first three stages of ShuffleNetV2 0.5x (Ma et al., ECCV 2018, figures 3c and 3d), and
a decoder of depthwise separable convolutions with skips. Written from these descriptions and the checkpoint's tensors.
`--like FILE.onnx` compares the result with another export of the same weights, on noise of the size that it takes.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

WIDTHS = (24, 48, 96, 192)  # after the first convolution and the three stages, at strides 2, 4, 8, 16
UNITS = (4, 8, 4)  # of each stage; the first of a stage halves the size
ABOUT = {
    "name": "small",
    "source": "yu-li/TCMonoDepth at 128a98c, small network",
    "licence": "MIT, Copyright (c) 2021 Yu Li",
    "kind": "relative_disparity",
    "short_side": "256",
    "multiple": "32",
}


def conv(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias, and its batch norm."""
    return [nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]


class Unit(nn.Module):
    """ShuffleNetV2's unit: half of the channels pass through, or are halved in size by a branch of their own."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        into, half = (inputs if stride == 2 else inputs // 2), outputs // 2
        grown = outputs - inputs if stride == 2 else half
        self.branch_main = nn.Sequential(
            *conv(into, half, 1), nn.ReLU(), *conv(half, half, 3, stride, half), *conv(half, grown, 1), nn.ReLU()
        )
        self.branch_proj = None
        if stride == 2:
            self.branch_proj = nn.Sequential(*conv(inputs, inputs, 3, 2, inputs), *conv(inputs, inputs, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, inputs, h, w) -> (N, outputs, h, w) or half of that size."""
        if self.branch_proj is not None:
            return torch.cat([self.branch_proj(x), self.branch_main(x)], 1)
        return torch.cat([x[:, ::2], self.branch_main(x[:, 1::2])], 1)  # the shuffle: every second channel passes


class Up(nn.Module):
    """Twice the size, joined with the encoder's features there, and a depthwise separable convolution."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.skip_conv = nn.Sequential(*conv(skip, skip // 2, 1), nn.ReLU())
        joined = inputs + skip // 2
        separable = nn.Module()
        separable.conv = nn.Sequential(
            *conv(joined, joined, 3, groups=joined), nn.ReLU(), nn.Conv2d(joined, outputs, 1, bias=False)
        )
        self.last_conv = nn.Sequential(separable, nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """x (N, inputs, h, w) and skip (N, skip, 2 h, 2 w) -> (N, outputs, 2 h, 2 w)."""
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")
        x = self.last_conv[0].conv(torch.cat([x, self.skip_conv(skip)], 1))  # type: ignore[union-attr, operator]
        return self.last_conv[2](self.last_conv[1](x))


class SmallDepth(nn.Module):
    """(1, 3, H, W), sRGB-encoded, 0 to 255, sides multiples of 16 -> (1, 1, H, W) relative inverse depth."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.first_conv = nn.Sequential(*conv(3, WIDTHS[0], 3, 2), nn.ReLU())
        for stage, count in enumerate(UNITS):
            inputs, outputs = WIDTHS[stage : stage + 2]
            units = [Unit(inputs if k == 0 else outputs, outputs, 2 if k == 0 else 1) for k in range(count)]
            self.encoder.add_module(f"stage{stage + 1}", nn.Sequential(*units))
        self.decoder.decoder3 = Up(WIDTHS[3], WIDTHS[2], WIDTHS[2])
        self.decoder.decoder2 = Up(WIDTHS[2], WIDTHS[1], WIDTHS[1])
        self.decoder.decoder1 = Up(WIDTHS[1], WIDTHS[0], WIDTHS[0])
        self.decoder.final = nn.Conv2d(WIDTHS[0], 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        e, d = self.encoder, self.decoder
        half = e.first_conv(image / 255)
        quarter = e.stage1(half)
        eighth = e.stage2(quarter)
        x = d.decoder1(d.decoder2(d.decoder3(e.stage3(eighth), eighth), quarter), half)
        return nn.functional.interpolate(torch.relu(d.final(x)), scale_factor=2.0, mode="bilinear")


def load(checkpoint: Path) -> SmallDepth:
    """The network with the checkpoint's weights. Its stages are stored twice, and losses' side outputs are not used."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    net, first = SmallDepth(), 0
    wanted = {
        key: tensor
        for key, tensor in state.items()
        if not key.startswith(("encoder.features", "decoder.final2", "decoder.final3"))
    }
    renamed = {}
    for stage, count in enumerate(UNITS):  # units are counted on over the stages
        for k in range(count):
            before = f"encoder.stage{stage + 1}.{first + k}."
            for key in [key for key in wanted if key.startswith(before)]:
                renamed[f"encoder.stage{stage + 1}.{k}." + key.removeprefix(before)] = wanted.pop(key)
        first += count
    net.load_state_dict(wanted | renamed, strict=True)
    return net.eval()


def export(net: SmallDepth, out: Path) -> None:
    """Write an ONNX file that takes any size."""
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, 64, 96),),
        str(out),
        input_names=["image"],
        output_names=["disparity"],
        dynamic_axes={name: {2: "height", 3: "width"} for name in ("image", "disparity")},
        opset_version=18,
        dynamo=False,
    )
    model = onnx.load(str(out))
    onnx.helper.set_model_props(model, ABOUT)
    onnx.save(model, str(out))


def run(file: Path, image: np.ndarray) -> np.ndarray:
    """The output of an ONNX file with one input."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def main() -> None:
    """Export, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--like", type=Path)
    asked = parser.parse_args()
    export(load(asked.checkpoint), asked.out)
    print(f"{asked.out}  {asked.out.stat().st_size / 1e6:.2f} MB")
    if asked.like:
        shape = [d.dim_value for d in onnx.load(str(asked.like)).graph.input[0].type.tensor_type.shape.dim]
        image = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
        ours, theirs = run(asked.out, image), run(asked.like, image)
        print(f"largest difference {np.abs(ours - theirs).max():.2e} of {np.abs(theirs).max():.3g}")


if __name__ == "__main__":
    main()
