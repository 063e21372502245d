"""Both looks on all cores, with numba."""

from pathlib import Path

from wideopen.arrays.jit import forget_stale_kernels
from wideopen.rendering.numba import paper_look, pixels, spans, thin_lens_look
from wideopen.rendering.numba.paper_look import paper
from wideopen.rendering.numba.thin_lens_look import thin_lens

__all__ = ["needs_compiling", "paper", "thin_lens"]

for kernels in (spans, pixels, thin_lens_look, paper_look):
    forget_stale_kernels(kernels, spans, pixels)


def needs_compiling(look: str) -> bool:
    """Whether numba's cache on disk holds no kernel of this look for its file as it is now."""
    module, kernel = (
        (paper_look, paper_look._tiles) if look == "paper" else (thin_lens_look, thin_lens_look._sheet_over)
    )
    file = Path(str(module.__file__))
    cached = Path(kernel.stats.cache_path).glob(f"{file.stem}.{kernel.__name__}-*.nbi")
    return not any(index.stat().st_mtime >= file.stat().st_mtime for index in cached)
