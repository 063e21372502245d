"""The rows of the table: what each method makes of a photo, its exact matte and its exact disparity."""

from collections.abc import Callable
from dataclasses import replace

from lens import baselines
from lens.truth import F32, View
from wideopen import analyze, render
from wideopen.pipeline import Scene
from wideopen.settings import MapSettings

TRUTHS = ("clamped", "true")
HIGHLIGHTS = {"clamped": 0.0, "true": 1.0}
Method = Callable[[View, Scene, str], F32]


def all_in_focus(view: View, scene: Scene, truth: str) -> F32:  # noqa: ARG001
    """The photo as it is."""
    return view.photo


def blur_and_paste(view: View, scene: Scene, truth: str) -> F32:  # noqa: ARG001
    """One disk for the whole photo, what is in focus pasted back."""
    settings = {"focus_disparity": view.lens.focus_disparity, "full_radius_px": view.full_radius_px}
    return baselines.blur_and_paste(view.photo, view.matte, view.disparity, **settings)


def scatter(view: View, scene: Scene, truth: str) -> F32:  # noqa: ARG001
    """Every pixel spread by its disparity, far to near."""
    settings = {"focus_disparity": view.lens.focus_disparity, "full_radius_px": view.full_radius_px}
    return baselines.scatter(view.photo, view.disparity, **settings)


def paper(view: View, scene: Scene, truth: str) -> F32:
    """`wideopen`, the paper's equations."""
    return render(scene, replace(view.lens, look="paper", highlights=HIGHLIGHTS[truth]))


def thin_lens(view: View, scene: Scene, truth: str) -> F32:
    """`wideopen`, our default."""
    return render(scene, replace(view.lens, highlights=HIGHLIGHTS[truth]))


OURS = "thin-lens"
METHODS: dict[str, Method] = {
    "all in focus": all_in_focus,
    "blur and paste": blur_and_paste,
    "depth-only scatter": scatter,
    "paper": paper,
    OURS: thin_lens,
}


def prepared(view: View) -> Scene:
    """The photo taken apart, with the exact maps as they are."""
    return analyze(view.photo, MapSettings(filter_disparity=False), matte=view.matte, disparity=view.disparity)
