"""The depth-of-field multi-plane image (paper 3.2) and its one compositor.

Both looks are the same object: planes of premultiplied colour, farthest first, grouped into sheets. Inside a sheet
planes *add* (they divide one surface among blur radii); sheets go *over* one another (nearer surfaces hide farther
ones).
- `paper`: each plane is a sheet of its own, with the alpha of Eq. (5): composition is Eqs. (6)-(9) as printed.
- `thin-lens`: one sheet per surface (background, subject); the weights of a pixel are linear between neighbouring
  planes.
"""

from dataclasses import dataclass

import numpy as np

from wideopen.checks import F32

PLANE_SPACING = 1.5
"""Exponent of the thin-lens plane radii: r_j ~ |j|^1.5.

Ours. Between two planes a pixel is a mixture of two disks, which is accurate while their radii are close *relative* to
each other, so planes lie closer together near the focus. For 32 planes up to 96 px: steps of 0.6, 1.0, 1.3 px next to
the focus and 4.6 px (5%) at the far end, instead of 3.1 px everywhere.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Mpi:
    """Blurred planes, index 0 = farthest."""

    planes: F32  # (N, H, W, 4) premultiplied
    weight: F32  # (N, H, W) each plane's blurred share of its sheet; 1 where a plane is a whole sheet
    sheet: np.ndarray  # (N,) int, ascending: planes with the same number add up


def composite(mpi: Mpi) -> F32:
    """Return (H, W, 3): sheets composited far to near; not premultiplied, as Eq. (8) divides by the total alpha."""
    height, width = mpi.planes.shape[1:3]
    over = np.zeros((height, width, 4))
    for sheet in np.unique(mpi.sheet):
        chosen = mpi.sheet == sheet
        share = mpi.weight[chosen].sum(0, dtype=np.float64)[..., None]  # (H, W, 1)
        added = mpi.planes[chosen].sum(0, dtype=np.float64)  # (H, W, 4)
        rgba = np.divide(added, share, out=np.zeros_like(added), where=share > 1e-12)
        over = rgba + over * (1 - rgba[..., 3:])  # Eqs. (7), (8)
    total = over[..., 3:]
    return np.divide(over[..., :3], total, out=np.zeros_like(over[..., :3]), where=total > 0).astype(np.float32)


def paper_planes(disparity: F32, count: int) -> tuple[F32, float]:
    """Plane disparities (N,), farthest first, and the range: bins of equal width, midpoints (paper 3.2)."""
    low, high = float(disparity.min()), float(disparity.max())
    edges = np.linspace(low, high, count + 1)
    return ((edges[:-1] + edges[1:]) / 2).astype(np.float32), high - low


def paper_alpha(disparity: F32, plane: float, extent: float) -> F32:
    """Eq. (5) for one plane, (H, W) in [0, 1]; `extent` is d_max - d_min.

    The printed value already lies in [0, 1], so the normalisation that the paper mentions is the identity here. A
    constant disparity (extent 0) gives 1.
    """
    if extent <= 0:
        return np.ones_like(disparity)
    return np.clip(1 - np.sqrt(np.abs(disparity - np.float32(plane)) / np.float32(extent)), 0, 1)


def thin_lens_planes(low_px: float, high_px: float, count: int) -> F32:
    """Signed plane radii (at most N, but 3 where both sides of the focus need one), farthest (largest) first.

    They cover [low_px, high_px], with one plane exactly at 0, so what is in focus takes no part in any blur.
    """

    def bend(x: float) -> float:
        return float(np.sign(x) * np.abs(x) ** (1 / PLANE_SPACING))

    low, high = min(bend(low_px), 0.0), max(bend(high_px), 0.0)
    if high == low:
        return np.zeros(1, np.float32)
    count = max(count, 2 + int(low < 0 < high))
    near = round((count - 1) * -low / (high - low))
    near = min(max(near, int(low < 0)), count - 1 - int(high > 0))  # at least one plane on each side in use
    u = np.concatenate([np.linspace(high, 0, count - near)[:-1], [0.0], np.linspace(0, low, near + 1)[1:]])
    return (np.sign(u) * np.abs(u) ** PLANE_SPACING).astype(np.float32)


def plane_position(radius: F32, plane_radii: F32) -> F32:
    """Each pixel's position among the planes, (H, W): 2.25 is a quarter of the way from plane 2 to plane 3."""
    ascending = plane_radii[::-1]
    index = np.arange(len(plane_radii) - 1, -1, -1)
    return np.interp(radius, ascending, index).astype(np.float32)


def plane_weight(position: F32, plane: int) -> F32:
    """Each pixel's share in `plane`: linear between neighbours, so that a sloping floor shows no steps."""
    return np.maximum(0, 1 - np.abs(position - np.float32(plane)))
