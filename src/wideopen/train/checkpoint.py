"""Checkpoints: written beside, then renamed, so that a killed run leaves a whole one behind."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wideopen.errors import InvalidInput


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, and dicts or lists of them) to `path`."""
    beside = path.with_name(path.name + ".tmp")
    torch.save(state, beside)
    beside.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; InvalidInput if there is none or it is broken."""
    if not path.is_file():
        raise InvalidInput(f"checkpoint: expected a file {path}, found none")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise InvalidInput(f"checkpoint {path}: expected a readable file, found {error}") from error
    return dict(state)


class Average:
    """Exponential moving average of a network's floating-point state; what is shipped."""

    def __init__(self, net: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.state = {key: value.detach().clone() for key, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Move towards `net`; in the first steps faster, since the start is not worth keeping."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in net.state_dict().items():
            mean: Tensor = self.state[key]
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)
