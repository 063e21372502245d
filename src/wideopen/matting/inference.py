"""The options of the matting stage. Plain data, so that a command line can read them without loading NumPy or torch."""

from dataclasses import dataclass

from wideopen.errors import require
from wideopen.matting.net.variants import BACKENDS, SHIPPED
from wideopen.options import Settings, option

DEVICES = ("auto", "cpu", "cuda")
NETWORK = "mobile"
"""The network that `auto` uses if the photo contains no matte."""
INSIDE = ("auto", "embedded")
"""The options that use the portrait matte inside the photo, if there is one."""


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
    matting_edges: bool = option(True, help="Align the matte's outline with edges in the photo.")
    matting_tiles: bool = option(
        False, help="Refine the matte's outline by a further pass on full-resolution tiles of the photo."
    )
    matting_refiner: str | None = option(
        None, help="Refine the matte's outline with a VitMatte model: a folder, or a hub id whose weights are on disk."
    )
    matting_backend: str = option(
        "auto", words=BACKENDS, help="Inference runtime of the matting network: auto, torch or onnx (CPU only)."
    )
    device: str = option("auto", words=DEVICES, help="Device that runs the networks: auto, cpu or cuda.")

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        known = self.matting in (*INSIDE, *SHIPPED) or self.matting.startswith("rembg:")
        require(
            known or self.matting.endswith((".safetensors", ".onnx")),
            f"matting: expected {', '.join((*INSIDE, *SHIPPED))}, a .safetensors or .onnx file, or rembg:NAME, "
            f"found {self.matting!r}",
        )

    @property
    def network(self) -> str:
        """The network that predicts a matte when none is given."""
        return NETWORK if self.matting in INSIDE else self.matting
