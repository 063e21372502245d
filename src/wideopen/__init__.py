"""wideopen: give a photo in which everything is sharp the look of a fast lens wide open.

    from wideopen import Lens, analyze, read, render, write

    photo = read("portrait.jpg")
    scene = analyze(photo)                                  # slow, once
    focus, focus_range = scene.focus_on_subject()
    lens = Lens(focus_disparity=focus, focus_range=focus_range, max_radius=0.03)
    write("portrait.bokeh.jpg", render(scene, lens), like=photo)

Importing this package is cheap: the names below are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError, WideopenError
    from wideopen.files import read, write
    from wideopen.files.inside import read_embedded
    from wideopen.lens import Aperture, Lens, PaperLook
    from wideopen.photo import Photo
    from wideopen.pipeline import Scene, analyze, render

    __version__: str

__all__ = [
    "Aperture", "BackendUnavailable", "InvalidInput", "Lens", "PaperLook", "Photo", "Scene", "WeightsError",
    "WideopenError", "analyze", "read", "read_embedded", "render", "write",
]  # fmt: skip
_HOME = {"read": "files", "write": "files", "read_embedded": "files.inside", "Photo": "photo"}
_HOME |= dict.fromkeys(("Aperture", "Lens", "PaperLook"), "lens")
_HOME |= dict.fromkeys(("Scene", "analyze", "render"), "pipeline")
_HOME |= dict.fromkeys(("BackendUnavailable", "InvalidInput", "WeightsError", "WideopenError"), "errors")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # slower to import than all of this package's names

        return version("wideopen")
    if name not in _HOME:
        raise AttributeError(f"module 'wideopen' has no attribute {name!r}")
    return getattr(import_module(f"wideopen.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__, "__version__"]
