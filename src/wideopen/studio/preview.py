"""Previews: a small scene made from a photo analysed at full size, rendered again and again.

Maps are resized, never predicted or filtered again, so that the preview shows what the full size will be. Pictures are
sent as JPEG: at 1.5 megapixels 6 ms and 0.3 MB, where PNG takes 120 ms and 2 MB.
"""

import base64
from dataclasses import replace

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8
from wideopen.hdr.standard import to_standard
from wideopen.lens import Lens
from wideopen.matting import Outline
from wideopen.photo import Photo, srgb_u8
from wideopen.pipeline import Scene, render, take_apart, understand
from wideopen.settings import LensSettings, MapSettings

QUALITY, CLOSE_QUALITY = 88, 94


def preview_size(size: tuple[int, int], megapixels: float) -> tuple[int, int]:
    """(h, w) with the aspect of `size` (H, W) and at most `megapixels`; `size` itself if it is no larger."""
    most = max(int(megapixels * 1e6), 1)
    scale = min(1.0, float(np.sqrt(most / (size[0] * size[1]))))
    height, width = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
    return min(height, most // width or 1), min(width, most // height or 1)  # if a side is already 1


def shrink(scene: Scene, megapixels: float, *, backend: str = "auto") -> Scene:
    """A scene (H, W) at preview size; `scene` itself if it is already small."""
    height, width = scene.disparity.shape
    size = preview_size((height, width), megapixels)
    if size == (height, width):
        return scene
    hdr = scene.hdr and replace(scene.hdr, standard=None)
    small = Photo(rgb=resize_map(scene.rgb, size), encoding=scene.encoding, hdr=hdr)
    maps = resize_map(scene.matte, size), resize_map(scene.disparity, size)
    return prepare(small, *maps, scene.maps.outline, backend=backend)


def prepare(small: Photo, matte: F32, disparity: F32, outline: Outline, *, backend: str = "auto") -> Scene:
    """The scene of a small photo with these maps (h, w): 0.6 s at 1.5 megapixels. `outline`: of the full-size matte."""
    maps = understand(small, MapSettings(filter_disparity=False), matte=matte, disparity=disparity)
    return take_apart(small, replace(maps, outline=outline), backend=backend)


def render_u8(scene: Scene, lens: Lens, *, backend: str = "auto") -> U8:
    """The scene as `lens` sees it, (h, w, 3) uint8, sRGB: the standard picture if the scene has light above white."""
    rgb, hdr = render(scene, lens, backend=backend), scene.hdr
    if hdr is not None and hdr.kind != "floats" and lens.look != "paper":
        codes, _ = to_standard(rgb, scene.rgb, hdr, scene.encoding)
        return srgb_u8(Photo(rgb=rgb, encoding=scene.encoding, hdr=replace(hdr, standard=codes, bit_depth=8)))
    return srgb_u8(Photo(rgb=rgb, encoding=scene.encoding))


def lens_of(settings: LensSettings, scene: Scene, focus_disparity: float | None) -> Lens:
    """The lens for a preview. `focus_disparity` is the full-size map's value at the point in focus, if there is one.

    Raises InvalidInput as `LensSettings.lens`.
    """
    if focus_disparity is not None:
        settings = replace(settings, focus=f"d={min(max(focus_disparity, 0.0), 1.0):.6f}")
    return settings.lens(scene)


def data_url(picture: U8, *, close: bool = False) -> str:
    """A picture (h, w, 3) sRGB, or (h, w) grey, as a JPEG for an <img>; `close`: for viewing pixel by pixel."""
    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    how = [cv2.IMWRITE_JPEG_QUALITY, CLOSE_QUALITY if close else QUALITY]
    if close:
        how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(bgr), how)
    assert done  # OpenCV refuses only arrays that are not pictures
    return "data:image/jpeg;base64," + base64.b64encode(bytes(data)).decode("ascii")


def crop(pixels: U8, box: tuple[float, float, float, float], most_px: int = 2000) -> tuple[U8, tuple[int, ...]]:
    """A part of pixels (H, W, 3) and its place (x, y, width, height). `box` is in fractions; sides are up to `most_px`.

    >>> part, where = crop(np.zeros((100, 200, 3), np.uint8), (0.5, 0.5, 0.5, 1.0))
    >>> part.shape, where
    ((50, 100, 3), (100, 50, 100, 50))
    """
    height, width = pixels.shape[:2]
    x, y = (min(max(int(box[i] * size), 0), size - 1) for i, size in ((0, width), (1, height)))
    columns = min(max(int(np.ceil(box[2] * width)), 1), most_px, width - x)
    rows = min(max(int(np.ceil(box[3] * height)), 1), most_px, height - y)
    return np.ascontiguousarray(pixels[y : y + rows, x : x + columns]), (x, y, columns, rows)


def colour_map(disparity: F32) -> U8:
    """A disparity (h, w) in colours (h, w, 3): dark blue = farthest, yellow = nearest; perceptually uniform."""
    codes = np.rint(np.clip(disparity, 0, 1) * 255).astype(np.uint8)
    bgr: U8 = cv2.applyColorMap(codes, cv2.COLORMAP_CIVIDIS)
    return np.ascontiguousarray(bgr[..., ::-1])
