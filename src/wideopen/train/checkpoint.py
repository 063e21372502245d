"""Checkpoints, and the weights file that `predict_matte` reads, made of one.

Checkpoints are written beside, then renamed, so that a killed run leaves a whole one behind.
"""

import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.matting.weights import save_weights


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


def current_commit() -> str:
    """Commit of the code that runs, or "unknown" outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def export_weights(checkpoint: Path, out: Path, *, licence: str = "Apache-2.0", size: int | None = None) -> str:
    """Write the averaged weights of best.pt or last.pt to `out`; return its SHA-256.

    `size` is the long side at which they matte by default, in pixels; None: the preset's.
    """
    require(out.suffix == ".safetensors", f"export: expected a .safetensors file to write, found {out}")
    state = load_checkpoint(checkpoint)
    require(
        {"preset", "average", "step"} <= state.keys(),
        f"export: expected a checkpoint of a matting run, found keys {', '.join(state)}",
    )
    info = {"steps": str(state["step"]), "commit": current_commit(), "licence": licence}
    return save_weights(out, state["average"], state["preset"], info, size=size)
