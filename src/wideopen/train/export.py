"""From a checkpoint of a run to the weights file that `predict_matte` reads."""

import subprocess
from pathlib import Path

from wideopen.checks import require
from wideopen.matting.weights import save_weights
from wideopen.train.checkpoint import load_checkpoint


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
