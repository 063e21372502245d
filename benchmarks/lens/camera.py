"""Pin-hole and thin lens of one scene, and their blur as settings for wideopen.

A point at distance z on the optical axis, seen through an aperture of radius A focused at z_f, becomes a disk of
A f |1/z_f - 1/z| pixels, f the focal length of the pin-hole in pixels (similar triangles; the rays through the
lens's centre are the pin-hole's). With disparity d = (1/z - 1/far) / (1/near - 1/far) this is R |d_f - d| with
R = A f (1/near - 1/far), and its sign is wideopen's: positive behind the focus.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen import Lens


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Where everything is seen from: the origin, along -z."""

    width: int
    height: int
    focal_px: float
    near: float  # metres along the axis: disparity 1
    far: float  # disparity 0

    def disparity(self, z: Any) -> Any:
        """Disparity in [0, 1] at z metres along the axis; NumPy or Dr.Jit arrays."""
        return (1 / z - 1 / self.far) / (1 / self.near - 1 / self.far)

    def distance(self, disparity: float) -> float:
        """Metres along the axis at a disparity."""
        return 1 / (disparity * (1 / self.near - 1 / self.far) + 1 / self.far)

    def full_radius_px(self, aperture_m: float) -> float:
        """R: the radius in pixels at a disparity difference of 1."""
        return aperture_m * self.focal_px * (1 / self.near - 1 / self.far)

    def aperture_m(self, focus_m: float, subject_m: float, radius_px: float) -> float:
        """The aperture's radius that blurs what lies at `subject_m` by `radius_px` when focused at `focus_m`."""
        return radius_px / (self.focal_px * abs(1 / focus_m - 1 / subject_m))

    def lens(self, focus_m: float, aperture_m: float, *, look: str = "thin-lens", highlights: float = 0.0) -> Lens:
        """The same optics for `wideopen.render`."""
        radius = self.full_radius_px(aperture_m) / max(self.width, self.height)
        return Lens(
            focus_disparity=self.disparity(focus_m), max_radius=radius, look=look, highlights=highlights, grain=0.0
        )

    def sensor(self, focus_m: float | None = None, aperture_m: float = 0.0) -> dict[str, Any]:
        """Mitsuba's description: `thinlens`, or `perspective` (the pin-hole) when no focus is given."""
        import mitsuba as mi

        shape = {"type": "perspective"}
        if focus_m is not None:
            shape = {"type": "thinlens", "aperture_radius": aperture_m, "focus_distance": focus_m}
        return {
            **shape,
            "fov": float(np.degrees(2 * np.arctan(0.5 * self.width / self.focal_px))),
            "fov_axis": "x",
            "near_clip": 0.01,
            "far_clip": 1000.0,
            "to_world": mi.ScalarTransform4f().look_at([0, 0, 0], [0, 0, -1], [0, 1, 0]),
            "film": {"type": "hdrfilm", "width": self.width, "height": self.height, "rfilter": {"type": "box"}},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """What lights a scene, linear, 1 = display white on a white surface that faces it."""

    sun: tuple[float, float, float]  # towards it
    sun_rgb: tuple[float, float, float]
    sky_rgb: tuple[float, float, float]
    shadows: bool = True


def disk_radius_px(image: NDArray[np.floating]) -> float:
    """Radius of the one uniform disk in an (H, W) image, from its second moment.

    A disk's is R^2 / 2, and each pixel's own square adds 1 / 6.
    """
    share = image / image.sum()
    y, x = np.indices(image.shape)
    moment = sum(float((share * p**2).sum() - (share * p).sum() ** 2) for p in (x, y))
    return float(np.sqrt(2 * max(moment - 1 / 6, 0)))
