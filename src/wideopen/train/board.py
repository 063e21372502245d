"""Progress of a training run: TensorBoard scalars and images, and a progress bar with the remaining time."""

from pathlib import Path
from types import TracebackType

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from wideopen.errors import BackendUnavailable
from wideopen.matting.net.blocks import resize
from wideopen.matting.net.model import StageOutput

SHOWN = 4  # samples in an image


def picture_grid(image: Tensor, out: StageOutput, truth: Tensor) -> Tensor:
    """Return (3, rows * H, 5 * W) in [0, 1]: one row per sample with photo, m_s, m_d, matte and true matte.

    m_s is shown as class probabilities: red is foreground, green transition, blue background.
    """

    def grey(x: Tensor) -> Tensor:
        return resize(x, image).expand(-1, 3, -1, -1)

    semantic = torch.softmax(resize(out.semantic, image), 1)
    columns = torch.cat([image, semantic, grey(out.detail), grey(out.alpha), grey(truth)], 3)  # (B, 3, H, 5 W)
    return torch.cat(list(columns[:SHOWN]), 1).clamp(0, 1)


class Board:
    """Writes TensorBoard files below `folder` and, on a terminal, shows a bar; both are optional."""

    def __init__(self, folder: Path, *, tensorboard: bool, bar: bool) -> None:
        self.writer = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise BackendUnavailable(f"TensorBoard: expected wideopen[train] installed, found {error}") from error
            self.writer = SummaryWriter(str(folder / "tensorboard"))
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self.bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=not (bar and console.is_terminal))
        self.task = self.bar.add_task("training", total=1.0)

    def __enter__(self) -> "Board":
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.stop()
        if self.writer is not None:
            self.writer.close()

    def advance(self, progress: float, step: int) -> None:
        """Move the bar to `progress` in [0, 1]."""
        self.bar.update(self.task, completed=progress, description=f"step {step}")

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Add a point to each curve."""
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)

    def picture(self, step: int, grid: Tensor) -> None:
        """Add an image (3, H, W)."""
        if self.writer is not None:
            self.writer.add_image("photo, m_s, m_d, matte, truth", grid, step)
