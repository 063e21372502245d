"""Checkpoints, and their export to the weights file that `predict_matte` reads.

A checkpoint is written to a temporary file and then renamed, so that a killed run never leaves a partial one.
"""

import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.matting.net.state import save_weights


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, and dicts or lists of them) to `path`."""
    beside = path.with_name(path.name + ".tmp")
    torch.save(state, beside)
    beside.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote. Raises InvalidInput if the file is missing or damaged."""
    if not path.is_file():
        raise InvalidInput(f"checkpoint: expected a file {path}, found none")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many exception types for a damaged file
        raise InvalidInput(f"checkpoint {path}: expected a readable file, found {error}") from error
    return dict(state)


class Average:
    """Exponential moving average of a network's floating-point state; this is what is exported."""

    def __init__(self, net: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.state = {key: value.detach().clone() for key, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Move the average towards `net`; faster in the first steps, since the first weights are not worth keeping."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in net.state_dict().items():
            mean: Tensor = self.state[key]
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


def current_commit() -> str:
    """Return the commit of the running code, or "unknown" outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def export_weights(checkpoint: Path, out: Path, *, licence: str = "Apache-2.0", size: int | None = None) -> str:
    """Write the averaged weights of best.pt or last.pt to `out`; return the file's SHA-256.

    `size` is the default long side for inference in pixels; None takes the preset's.
    """
    require(out.suffix == ".safetensors", f"export: expected a .safetensors file to write, found {out}")
    state = load_checkpoint(checkpoint)
    require(
        {"preset", "average", "step"} <= state.keys(),
        f"export: expected a checkpoint of a matting run, found keys {', '.join(state)}",
    )
    info = {"steps": str(state["step"]), "commit": current_commit(), "licence": licence}
    return save_weights(out, state["average"], state["preset"], info, size=size)
