"""Tables 1 to 3 of the paper with its figures, as printed there, and what each needs to be run anew."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """One table: figures as printed, by method."""

    number: int
    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    needs: str  # the data, and where they are had


_MATTING_COLUMNS = ("blurry MAD", "blurry MSE", "clear MAD", "clear MSE")
_P3M = (
    "P3M-10k: https://github.com/JizhiziLi/P3M says how it is had; its folder, unpacked, is what --matting-data takes"
)
_OURS = (0.0040, 0.0021, 0.0038, 0.0017)

TABLE_1 = PaperTable(
    number=1,
    title="Matting on P3M-500-P (blurry) and P3M-500-NP (clear)",
    columns=_MATTING_COLUMNS,
    rows={
        "LF": (0.0251, 0.0191, 0.0178, 0.0129),
        "AIM": (0.0193, 0.0156, 0.0165, 0.0101),
        "MODNet": (0.0089, 0.0042, 0.0085, 0.0041),
        "GFM": (0.0082, 0.0041, 0.0081, 0.0041),
        "P3M": (0.0046, 0.0023, 0.0042, 0.0019),
        "the paper's": _OURS,
    },
    needs=_P3M,
)
TABLE_2 = PaperTable(
    number=2,
    title="Matting with a part of the network left out",
    columns=_MATTING_COLUMNS,
    rows={
        "without AGM": (0.0052, 0.0025, 0.0047, 0.0023),
        "without low-resolution branch": (0.0058, 0.0036, 0.0054, 0.0031),
        "without high-resolution branch": (0.0068, 0.0052, 0.0079, 0.0050),
        "the paper's, whole": _OURS,
    },
    needs=f"{_P3M}; and weights without each part, trained by `wideopen train matting --ablate PART`",
)
TABLE_3 = PaperTable(
    number=3,
    title="Bokeh against photos by a real lens (WAX)",
    columns=("PSNR", "SSIM", "LPIPS"),
    rows={
        "BokehMe, row 1": (23.12, 0.9290, 0.3963),
        "BokehMe, row 2": (23.22, 0.9295, 0.3962),
        "BokehMe, row 3": (23.15, 0.9292, 0.3881),
        "MPIB": (26.26, 0.9157, 0.3881),
        "the paper's": (26.29, 0.9386, 0.3735),
    },
    needs=(
        "WAX, 20 pairs of wax figures by a Canon EOS 70D: no public copy is known, ask its authors. --pairs takes any "
        "set in the layout of docs/evaluation.md: your own, EBB! (AIM 2020 challenge on rendering realistic bokeh), or "
        "the ray-traced one of benchmarks/lens/export.py"
    ),
)
ABLATED = ("agm", "low-resolution", "high-resolution")
