"""ComfyUI nodes of wideopen: matte, depth, lens and bokeh.

Install: `pip install` wideopen into ComfyUI's Python, and copy this folder to custom_nodes/wideopen. ComfyUI's types:
IMAGE is (B, H, W, C) float in [0, 1], sRGB-encoded; MASK is (B, H, W) float in [0, 1]. A disparity is a MASK, 1 =
nearest. The inputs of the nodes are made from wideopen's own options.
"""

from typing import Any

import numpy as np
import torch

from wideopen import analyze, render
from wideopen.arrays.transfer import decode, encode
from wideopen.color import SRGB
from wideopen.errors import require
from wideopen.options import Option, Slider, options_of
from wideopen.settings import LensSettings, MapSettings

LENS_TYPE = "WIDEOPEN_LENS"
CATEGORY = "wideopen"
BITS = 16  # sRGB codes between ComfyUI's floats and linear light


def input_of(one: Option) -> tuple[Any, dict[str, Any]]:
    """An option as an input of a node. Text forms and optional values are text; empty text is the default."""
    shown: dict[str, Any] = {"tooltip": one.sentence}
    if one.kind is bool:
        return "BOOLEAN", shown | {"default": one.default}
    if one.words and not one.optional:
        return list(one.words), shown | {"default": one.default}
    if one.optional or one.text is not None or one.kind is str:
        default = one.default if one.text is None else one.text.write(one.default)
        return "STRING", shown | {"default": default or ""}
    ends = {"min": one.least, "max": one.most}
    shown |= {"default": one.default} | {name: end for name, end in ends.items() if end is not None}
    if one.kind is float:
        shown["step"] = one.control.step if isinstance(one.control, Slider) else 0.01
    return {int: "INT", float: "FLOAT"}[one.kind], shown


def value_of(one: Option, given: Any) -> Any:
    """The value of an option from a node's input."""
    if given == "":
        return one.default
    return one.kind(given) if one.optional and one.text is None and isinstance(given, str) else given


def chosen(settings: type, given: dict[str, Any]) -> Any:
    """Settings from the inputs of a node. Raises InvalidInput."""
    return settings(**{one.name: value_of(one, given[one.name]) for one in options_of(settings) if one.name in given})


def inputs(settings: type, *, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """The inputs of a node for the options of `settings`, or for those named in `only`."""
    return {one.name: input_of(one) for one in options_of(settings) if one.flag and (not only or one.name in only)}


def to_linear(image: torch.Tensor) -> list[np.ndarray]:
    """Each picture of an IMAGE as (H, W, 3) linear light; a fourth channel is dropped."""
    require(image.ndim == 4 and image.shape[3] >= 3, f"image: expected (B, H, W, 3), found {tuple(image.shape)}")
    codes = np.rint(image[..., :3].cpu().numpy().clip(0, 1) * (2**BITS - 1)).astype(np.uint16)
    return [decode(one, SRGB, bit_depth=BITS) for one in codes]


def to_image(photos: list[np.ndarray]) -> torch.Tensor:
    """An IMAGE from pictures (H, W, 3) in linear light."""
    codes = np.stack([encode(one, SRGB, bit_depth=BITS) for one in photos])
    return torch.from_numpy(codes.astype(np.float32) / (2**BITS - 1))


def to_maps(name: str, mask: torch.Tensor, image: torch.Tensor) -> list[np.ndarray]:
    """Each map (H, W) of a MASK; one map serves all pictures. Raises InvalidInput for another size than the image's."""
    count, height, width = image.shape[:3]
    found = tuple(mask.shape)
    require(
        mask.ndim == 3 and mask.shape[0] in (1, count) and mask.shape[1:] == (height, width),
        f"{name}: expected a mask ({count}, {height}, {width}), found {found}",
    )
    maps = mask.cpu().numpy().astype(np.float32).clip(0, 1)
    return list(np.broadcast_to(maps, (count, height, width)))


def to_mask(maps: list[np.ndarray]) -> torch.Tensor:
    """A MASK from maps (H, W)."""
    return torch.from_numpy(np.stack(maps))


class Node:
    """What all nodes share: `run` is called with the inputs by name."""

    CATEGORY = CATEGORY
    FUNCTION = "run"


class Matte(Node):
    """Find the subject: an IMAGE in, its matte out."""

    RETURN_TYPES = ("MASK",)
    RETURN_NAMES = ("matte",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  ComfyUI's name
        """The image, and the options of the matting network."""
        shown = inputs(MapSettings, only=("matting", "matting_size", "matting_edges", "matting_strands"))
        return {"required": {"image": ("IMAGE",), **shown}}

    def run(self, image: torch.Tensor, **given: Any) -> tuple[torch.Tensor]:
        """The matte."""
        from wideopen.pipeline import understand

        settings = chosen(MapSettings, given | {"depth": "planar"})
        return (to_mask([understand(photo, settings).matte for photo in to_linear(image)]),)


class Depth(Node):
    """Find how near everything is: an IMAGE and its matte in, the disparity out; 1 = nearest."""

    RETURN_TYPES = ("MASK",)
    RETURN_NAMES = ("disparity",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """The image, its matte, and the options of the depth network."""
        shown = inputs(MapSettings, only=("depth", "filter_disparity"))
        return {"required": {"image": ("IMAGE",), "matte": ("MASK",), **shown}}

    def run(self, image: torch.Tensor, matte: torch.Tensor, **given: Any) -> tuple[torch.Tensor]:
        """The disparity."""
        from wideopen.pipeline import understand

        settings = chosen(MapSettings, given)
        pairs = zip(to_linear(image), to_maps("matte", matte, image), strict=True)
        return (to_mask([understand(photo, settings, matte=alpha).disparity for photo, alpha in pairs]),)


class Lens(Node):
    """Choose a lens: blur, focus, aperture, character and light."""

    RETURN_TYPES = (LENS_TYPE,)
    RETURN_NAMES = ("lens",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """The options of the lens."""
        return {"required": inputs(LensSettings)}

    def run(self, **given: Any) -> tuple[LensSettings]:
        """The lens."""
        return (chosen(LensSettings, given),)


class Bokeh(Node):
    """Render an IMAGE as a lens sees it, with its matte and disparity."""

    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """The image, its maps, and a lens."""
        return {"required": {"image": ("IMAGE",), "matte": ("MASK",), "disparity": ("MASK",), "lens": (LENS_TYPE,)}}

    def run(
        self, image: torch.Tensor, matte: torch.Tensor, disparity: torch.Tensor, lens: LensSettings
    ) -> tuple[torch.Tensor]:
        """The image with bokeh."""
        mattes, disparities = to_maps("matte", matte, image), to_maps("disparity", disparity, image)
        rendered = []
        for photo, alpha, nearness in zip(to_linear(image), mattes, disparities, strict=True):
            scene = analyze(photo, matte=alpha, disparity=nearness, filter_disparity=False, exact_matte=False)
            rendered.append(render(scene, lens.lens(scene)))
        return (to_image(rendered),)


NODE_CLASS_MAPPINGS = {"WideopenMatte": Matte, "WideopenDepth": Depth, "WideopenLens": Lens, "WideopenBokeh": Bokeh}
NODE_DISPLAY_NAME_MAPPINGS = {name: f"{node.__name__} (wideopen)" for name, node in NODE_CLASS_MAPPINGS.items()}
