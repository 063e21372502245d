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
    from wideopen.errors import BackendUnavailable as BackendUnavailable
    from wideopen.errors import InvalidInput as InvalidInput
    from wideopen.errors import WeightsError as WeightsError
    from wideopen.errors import WideopenError as WideopenError
    from wideopen.files import read as read
    from wideopen.files import write as write
    from wideopen.files.inside import read_embedded as read_embedded
    from wideopen.lens import Aperture as Aperture
    from wideopen.lens import Lens as Lens
    from wideopen.lens import PaperLook as PaperLook
    from wideopen.photo import Photo as Photo
    from wideopen.pipeline import Scene as Scene
    from wideopen.pipeline import analyze as analyze
    from wideopen.pipeline import render as render

    __version__: str

_HOME = {
    "Aperture": "lens",
    "BackendUnavailable": "errors",
    "InvalidInput": "errors",
    "Lens": "lens",
    "PaperLook": "lens",
    "Photo": "photo",
    "Scene": "pipeline",
    "WeightsError": "errors",
    "WideopenError": "errors",
    "analyze": "pipeline",
    "read": "files",
    "read_embedded": "files.inside",
    "render": "pipeline",
    "write": "files",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # slower to import than all of this package's names

        return version("wideopen")
    if name not in _HOME:
        raise AttributeError(f"module 'wideopen' has no attribute {name!r}")
    return getattr(import_module(f"wideopen.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__, "__version__"]
