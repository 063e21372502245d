"""A small trained encoder written into a large one, block by block: MobileNetV2 into ResNet-50, without a gradient.

A residual block of MobileNetV2 adds P relu6(depthwise(relu6(E x))) to what passes through it. So does a bottleneck of
ResNet-50, with a dense 3x3 convolution in place of the depth-wise one and a fourth of the width or less. Hence each
bottleneck here takes the hidden channels of one or two of the teacher's blocks that say most, E reading the teacher's x
from the wide stream by least squares, and P is a least-squares fit of what is still missing from the teacher's next x.
Every block fits what those before it left over, so that errors do not add up. The idea of growing a network without
changing its function: Chen et al., Net2Net, ICLR 2016; of fitting layer by layer: He et al., Channel Pruning, 2017.

Grids: with TensorFlow's padding the teacher's cell i - 1 sees what the student's cell i sees, to a pixel, at every
stride (`SHIFT`), and its stride-2 taps become those of ResNet's padding. Without that they are a cell of F5 apart.

What the teacher does not need stays random, so that it can be learned. Maps are torch (B, C, H, W) float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from wideopen.matting.net.encoders import MobileNetFeatures, ResNetFeatures

Layer = Any  # one of transformers' modules: their parts have no types
SHIFT = 1  # cells by which the student's grid runs ahead of the teacher's, down and to the right
SAMPLES = 40_000  # cells that a fit looks at, at most
# The teacher's blocks, by index, that each bottleneck of stages 2, 3 and 4 stands for; none: left to learn.
PLAN: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((2,), (3,), (4,), ()),
    ((5,), (6, 7), (8,), (9,), (10,), (11,)),
    ((12,), (13, 14), (15,)),
)
MARGIN = 4.0  # standard deviations above 0 to which signed values are lifted, so that the stream's ReLU lets them pass
LOUD, FAINT = 0.5, 0.3  # shares of the usual spread that the random weights of unused channels get


def aligned(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """The cells that both see, of two maps with the same grid: the teacher's cell i - SHIFT beside the student's i."""
    return student[..., SHIFT:, SHIFT:], teacher[..., :-SHIFT, :-SHIFT]


@torch.no_grad()
def grow(student: ResNetFeatures, teacher: MobileNetFeatures, images: Tensor) -> None:
    """Write the teacher's blocks from stride 8 on into the student's stages 2 to 4, in place.

    The student's stem and stage 1 have to see F2 already; `images` (B, 3, H, W) in [0, 1] are what is fitted to: at
    least some hundred, of the size they will be trained on. Leaves both in evaluation mode.
    """
    student.eval()
    teacher.eval()
    seen = [
        teacher.net.conv_stem(images * 2 - 1)
    ]  # what goes into each of the teacher's blocks, and what comes out last
    for layer in teacher.net.layer:
        seen.append(layer(seen[-1]))
    stream = student(images, levels=2)[-1]
    for stage, plan in zip(student.net.encoder.stages[1:], PLAN, strict=True):
        stream = _grow_stage(stage, plan, list(teacher.net.layer), seen, stream)


@dataclass
class Slots:
    """Where in a stage's stream the teacher's x lies: one range of channels for each width that it has there."""

    widths: tuple[int, ...]
    lifted: dict[int, Tensor] = field(default_factory=dict)  # width -> what was added, once its slot is filled

    def of(self, width: int) -> slice:
        """The channels of the slot for `width`."""
        starts = pairwise(accumulate(self.widths, initial=0))
        return slice(*dict(zip(self.widths, starts, strict=True))[width])

    def still_empty(self) -> list[slice]:
        """The slots that must stay zero until they are filled."""
        return [self.of(width) for width in self.widths if width not in self.lifted]


def _grow_stage(
    stage: Layer, plan: Sequence[tuple[int, ...]], layers: list[Layer], seen: list[Tensor], stream: Tensor
) -> Tensor:
    """Write the planned blocks into one stage; returns what leaves it."""
    slots = Slots(tuple(dict.fromkeys(seen[names[-1] + 1].shape[1] for names in plan if names)))
    for block, names in zip(stage.layers, plan, strict=True):
        if names:
            _grow_block(block, [layers[i] for i in names], [seen[i] for i in (*names, names[-1] + 1)], slots, stream)
        else:
            nn.init.zeros_(block.layer[-1].normalization.weight)
        stream = block(stream)
    return stream


def _grow_block(block: Layer, layers: list[Layer], maps: list[Tensor], slots: Slots, stream: Tensor) -> None:
    """Write one bottleneck. `maps`: what goes into each of the teacher's `layers`, and what the last one says."""
    first, second, last = block.layer
    hidden = _write_hidden(first, second, layers, maps, stream)
    said, width = maps[-1], maps[-1].shape[1]
    slot, lift = slots.of(width), MARGIN * said.std((0, 2, 3)) - said.mean((0, 2, 3))
    entry = hasattr(block.shortcut, "convolution")
    already = slots.lifted.get(width)
    seen, missing = aligned(torch.cat([hidden, stream[..., ::2, ::2]], 1) if entry else hidden, said)
    if already is not None:
        missing = missing - (stream[:, slot, SHIFT:, SHIFT:] - already[:, None, None])
    weight, bias = least_squares(cells(seen), cells(missing))
    slots.lifted.setdefault(width, lift)

    width_out, narrow = last.convolution.out_channels, hidden.shape[1]
    parts = weight[:, :narrow], weight[:, narrow:]
    from_hidden, from_stream = (_rows_around(fitted, slot, width_out, slots.still_empty()) for fitted in parts)
    added = torch.zeros(width_out)
    added[slot] = bias + (lift if already is None else 0)
    _set_layer(last, from_hidden, added, hidden)
    if entry:
        _set_layer(block.shortcut, from_stream, torch.zeros(width_out), stream)


def _rows_around(fitted: Tensor, slot: slice, width: int, empty: list[slice]) -> Tensor:
    """Weights of a 1x1 convolution to `width` channels: fitted ones at `slot`, zero where `empty`, random elsewhere."""
    rows = _random_rows(width, fitted.shape[1], LOUD)
    for still in empty:
        rows[still] = 0
    rows[slot] = fitted
    return rows[:, :, None, None]


def _write_hidden(first: Layer, second: Layer, layers: list[Layer], maps: list[Tensor], stream: Tensor) -> Tensor:
    """Fill the first two convolutions with the teacher's hidden channels that say most; returns what they say."""
    rows = [_hidden_of(layer, x) for layer, x in zip(layers, maps, strict=False)]
    power, expand, expand_bias, depthwise, depthwise_bias = (torch.cat(parts) for parts in zip(*rows, strict=True))
    width = second.convolution.out_channels
    top = power.argsort(descending=True)[:width]
    read, offset = least_squares(*(cells(x) for x in aligned(stream, maps[0])))

    point = _random_rows(width, stream.shape[1], FAINT)
    point_bias = torch.zeros(width)
    point[: len(top)] = expand[top] @ read
    point_bias[: len(top)] = expand_bias[top] + expand[top] @ offset
    dense = _random_rows(width, width * 9, 1.0).view(width, width, 3, 3)
    dense_bias = torch.zeros(width)
    dense[: len(top)] = 0
    dense[range(len(top)), range(len(top))] = depthwise[top]
    dense_bias[: len(top)] = depthwise_bias[top]
    hidden = functional.relu(_set_layer(first, point[:, :, None, None], point_bias, stream))
    return functional.relu(_set_layer(second, dense, dense_bias, hidden))


def _hidden_of(layer: Layer, x: Tensor) -> tuple[Tensor, ...]:
    """Of each hidden channel of a teacher's block on `x`: how much it says, E and its bias, the 3x3 and its bias."""
    expand, expand_bias = _folded(layer.expand_1x1)
    depthwise, depthwise_bias = _folded(layer.conv_3x3)
    reduce, _ = _folded(layer.reduce_1x1)
    spread = layer.conv_3x3(layer.expand_1x1(x)).std((0, 2, 3))
    power = spread * reduce[:, :, 0, 0].norm(dim=0)
    return power, expand[:, :, 0, 0], expand_bias, depthwise[:, 0], depthwise_bias


def _folded(layer: Layer) -> tuple[Tensor, Tensor]:
    """(weight, bias) of a convolution and its batch norm as one convolution."""
    norm = layer.normalization
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    return layer.convolution.weight * gain[:, None, None, None], norm.bias - norm.running_mean * gain


def _set_layer(layer: Layer, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """Make a convolution and its batch norm say conv(x, weight) + bias, with statistics as on `x`; returns that.

    The convolution is scaled to variance 1 on `x`, so that all its weights are learned at one rate.
    """
    conv, norm = layer.convolution, layer.normalization
    said = functional.conv2d(x, weight, None, conv.stride, conv.padding)
    mean, variance = said.mean((0, 2, 3)), said.var((0, 2, 3))
    scale = torch.where(variance > 1e-8, variance.sqrt(), 1)
    conv.weight.copy_(weight / scale[:, None, None, None])
    norm.running_mean.copy_(mean / scale)
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.copy_(scale)
    norm.bias.copy_(mean + bias)
    return said + bias[:, None, None]


def _random_rows(rows: int, columns: int, share: float) -> Tensor:
    return torch.randn(rows, columns) * share * (2 / max(columns, 1)) ** 0.5


def cells(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (N, C): its cells, evenly drawn where there are more than `SAMPLES`."""
    cells = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    if len(cells) <= SAMPLES:
        return cells
    return cells[torch.linspace(0, len(cells) - 1, SAMPLES).long()]


def least_squares(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(W, b) with y ~ x W^T + b, x (N, p), y (N, q): ridge regression on standardised x, as strong as p is to N."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    a, c = (x - mean_x).double(), (y - mean_y).double()
    gram = a.T @ a
    spread = gram.diagonal().clamp_min(1e-12).sqrt()
    gram = gram / spread[:, None] / spread + x.shape[1] / len(x) * torch.eye(x.shape[1], dtype=gram.dtype)
    weight = (torch.linalg.solve(gram, (a.T @ c) / spread[:, None]) / spread[:, None]).T.to(x.dtype)
    return weight, mean_y - weight @ mean_x
