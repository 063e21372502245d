"""From a photo understood at full size to pictures for the screen: a small scene, rendered again and again.

Maps are resized, never predicted or filtered again, so that the preview shows what the full size will be. Pictures
leave here as JPEG: at 1.5 megapixels 6 ms and 0.3 MB, where PNG takes 120 ms and 2 MB.
"""

import base64
from dataclasses import dataclass, replace

import cv2
import numpy as np

from wideopen.arrays.resize import resize_map
from wideopen.checks import F32, U8, require
from wideopen.color import Encoding
from wideopen.lens import Lens
from wideopen.photo import Photo, srgb_u8
from wideopen.pipeline import Scene, analyze, render
from wideopen.session.settings import LensSettings, MapSettings

__all__ = ["Preview", "colour_map", "crop", "data_url", "make_preview", "preview_size", "render_preview", "with_maps"]

QUALITY, CLOSE_QUALITY = 88, 94


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preview:
    """A photo at the size of the screen, with the maps it is rendered from."""

    rgb: F32  # (h, w, 3) linear light
    encoding: Encoding
    matte: F32  # (h, w) in [0, 1]
    disparity: F32  # (h, w) in [0, 1], 1 = nearest
    full_size: tuple[int, int]  # (H, W) of the photo
    scene: Scene | None = None  # None until something is rendered from these maps

    @property
    def size(self) -> tuple[int, int]:
        """(h, w)."""
        return self.rgb.shape[0], self.rgb.shape[1]

    def prepared(self, backend: str = "auto") -> "Preview":
        """The same with its scene: 0.6 s at 1.5 megapixels, unless it is there."""
        if self.scene is not None:
            return self
        scene = analyze(
            Photo(rgb=self.rgb, encoding=self.encoding),
            MapSettings(filter_disparity=False),
            matte=self.matte,
            disparity=self.disparity,
            exact_matte=False,  # as the full size's
            backend=backend,
        )
        return replace(self, scene=scene)


def preview_size(size: tuple[int, int], megapixels: float) -> tuple[int, int]:
    """(h, w) with the aspect of `size` (H, W) and at most so many megapixels; `size` itself if it is no larger."""
    most = max(int(megapixels * 1e6), 1)
    scale = min(1.0, float(np.sqrt(most / (size[0] * size[1]))))
    height, width = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
    return min(height, most // width or 1), min(width, most // height or 1)  # where a side was already 1


def make_preview(rgb: F32, encoding: Encoding, matte: F32, disparity: F32, *, megapixels: float) -> Preview:
    """A small copy of a photo (H, W, 3) and its maps (H, W); `rgb` itself where it is small already."""
    full = rgb.shape[0], rgb.shape[1]
    size = preview_size(full, megapixels)
    return Preview(
        rgb=resize_map(rgb, size),
        encoding=encoding,
        matte=resize_map(matte, size),
        disparity=resize_map(disparity, size),
        full_size=full,
    )


def with_maps(preview: Preview, matte: F32, disparity: F32) -> Preview:
    """The same photo with other maps (h, w); its scene must be prepared again."""
    return replace(preview, matte=matte, disparity=disparity, scene=None)


def render_preview(preview: Preview, lens: Lens, *, backend: str = "auto") -> U8:
    """The prepared preview as `lens` sees it, (h, w, 3) uint8, sRGB."""
    require(preview.scene is not None, "preview: expected a prepared one, found no scene")
    assert preview.scene is not None  # for the type checker
    image = render(preview.scene, lens, backend=backend)
    return srgb_u8(Photo(rgb=image, encoding=preview.encoding))


def lens_of(settings: LensSettings, preview: Preview, focus_disparity: float | None) -> Lens:
    """The lens for a preview. `focus_disparity` is what the full-size map has at the point in focus, if one is.

    A radius in pixels means pixels of the full size. Raises InvalidInput as `LensSettings.lens`.
    """
    require(preview.scene is not None, "preview: expected a prepared one, found no scene")
    assert preview.scene is not None  # for the type checker
    if focus_disparity is not None:
        settings = replace(settings, focus=f"d={min(max(focus_disparity, 0.0), 1.0):.6f}")
    return settings.lens(preview.scene)


def data_url(picture: U8, *, close: bool = False) -> str:
    """A picture (h, w, 3) sRGB, or (h, w) grey, as a JPEG for an <img>; `close`: to be looked at pixel by pixel."""
    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    how = [cv2.IMWRITE_JPEG_QUALITY, CLOSE_QUALITY if close else QUALITY]
    if close:
        how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(bgr), how)
    assert done  # OpenCV refuses only arrays that are no picture
    return "data:image/jpeg;base64," + base64.b64encode(bytes(data)).decode("ascii")


def crop(pixels: U8, box: tuple[float, float, float, float], most_px: int = 2000) -> tuple[U8, tuple[int, ...]]:
    """A part of pixels (H, W, 3) and where it is, (x, y, width, height). `box` is in fractions; no side over `most_px`.

    >>> part, where = crop(np.zeros((100, 200, 3), np.uint8), (0.5, 0.5, 0.5, 1.0))
    >>> part.shape, where
    ((50, 100, 3), (100, 50, 100, 50))
    """
    height, width = pixels.shape[:2]
    x, y = (min(max(int(box[i] * size), 0), size - 1) for i, size in ((0, width), (1, height)))
    columns = min(max(int(np.ceil(box[2] * width)), 1), most_px, width - x)
    rows = min(max(int(np.ceil(box[3] * height)), 1), most_px, height - y)
    return np.ascontiguousarray(pixels[y : y + rows, x : x + columns]), (x, y, columns, rows)


def original_u8(preview: Preview) -> U8:
    """The sharp photo, (h, w, 3) uint8, sRGB."""
    return srgb_u8(Photo(rgb=preview.rgb, encoding=preview.encoding))


def matte_u8(matte: F32) -> U8:
    """A matte (h, w) as grey, white = subject."""
    return np.rint(matte * 255).astype(np.uint8)


def colour_map(disparity: F32) -> U8:
    """A disparity (h, w) in colours (h, w, 3): dark blue = farthest, yellow = nearest; even steps look even."""
    codes = np.rint(np.clip(disparity, 0, 1) * 255).astype(np.uint8)
    bgr: U8 = cv2.applyColorMap(codes, cv2.COLORMAP_CIVIDIS)
    return np.ascontiguousarray(bgr[..., ::-1])
