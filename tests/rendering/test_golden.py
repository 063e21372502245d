"""Golden pixels of both looks, so that a change of the picture is seen and explained.

Origin: the NumPy reference at the commit that added this file; `python` on this file prints them again.
The scene is made of formulas: a bright spot and stripes on a slanted floor, a soft round subject.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.backends import pick
from wideopen.lens import Aperture, PaperLook
from wideopen.rendering import BACKENDS, Optics, reference
from wideopen.sheets import BACKENDS as SEPARATORS
from wideopen.sheets.prepare import prepare_sheets

PIXELS = [(2, 3), (10, 40), (20, 14), (24, 31), (35, 47)]  # (row, column): corner, floor, edge, subject, corner
GOLDEN = {
    "thin-lens": [
        [0.409845, 0.233154, 0.469473],
        [0.587763, 0.486592, 0.35278],
        [0.416835, 0.418628, 0.386455],
        [0.351617, 0.466667, 0.241667],
        [0.065618, 0.583987, 0.11152],
    ],
    "paper": [
        [0.487913, 0.229885, 0.473472],
        [0.526033, 0.363836, 0.250928],
        [0.464288, 0.422673, 0.383613],
        [0.357249, 0.466737, 0.241743],
        [0.069281, 0.586448, 0.110366],
    ],
}


def _scene():
    y, x = np.mgrid[0:36, 0:48].astype(np.float32)
    alpha = np.clip((9 - np.hypot(x - 24, y - 22)) / 3 + 0.5, 0, 1)
    rgb = np.stack([0.3 + 0.25 * np.sin(x / 2), 0.2 + y / 90, 0.5 - x / 120], 2).astype(np.float32)
    rgb[4:8, 36:40] = 1
    disparity = np.where(alpha > 0.5, np.float32(0.9), (0.1 + y / 60).astype(np.float32))
    return rgb, alpha, disparity


def _render(look, renderer, separator):
    rgb, alpha, disparity = _scene()
    if look == "thin-lens":
        optics = Optics(
            focus_disparity=0.9, radius_px=8, planes=12, aperture=Aperture(blades=5, rotation_deg=9), quality="exact"
        )
        return renderer.thin_lens(prepare_sheets(rgb, alpha, disparity, separator), optics)
    return renderer.paper(
        rgb,
        disparity,
        Optics(
            focus_disparity=0.9, radius_px=12.0, planes=12, paper=PaperLook(alpha1=4.0, alpha2=4.0), quality="exact"
        ),
    )


@pytest.mark.parametrize("look", list(GOLDEN))
@pytest.mark.parametrize("name", [name for name, backend in BACKENDS.items() if backend.why_not() is None])
def test_pixels_equal_the_golden_values(name, look):
    _, separator = pick(SEPARATORS, name if name in SEPARATORS else "auto")
    image = _render(look, BACKENDS[name].load(), separator)
    got = [image[pixel] for pixel in PIXELS]
    assert_allclose(got, GOLDEN[look], rtol=0, atol=5e-6)  # printed with 6 digits


if __name__ == "__main__":
    for look in GOLDEN:
        image = _render(look, reference, SEPARATORS["reference"].load())
        print(look, [[round(float(v), 6) for v in image[pixel]] for pixel in PIXELS])  # noqa: T201
