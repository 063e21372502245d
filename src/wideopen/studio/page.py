"""The page: its layout and texts. `events` has its behaviour, static/studio.css its looks."""

import os
from contextlib import nullcontext
from functools import cache
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import cv2
import gradio as gr

from wideopen.files.maps import MAP_EXTENSIONS
from wideopen.options import Slider
from wideopen.studio.actions import FORMATS, SAMPLES, message
from wideopen.studio.preview import data_url
from wideopen.studio.settings_form import CONTROLS, FIRST, Control

STATIC = Path(__file__).parent / "static"
SAMPLE_FILES = Path(__file__).parent / "samples"
TITLE = "wideopen studio"
THUMBNAIL_PX = 160  # height
FOCAL_MM, SUBJECT_M, SENSOR_MM = 85.0, 2.0, 36.0
"""The lens for f-numbers: a typical portrait lens and distance, and the long side of a full-frame sensor."""


def build() -> SimpleNamespace:
    """Lay out the page, inside a `gr.Blocks`; return what `events` connects, by name.

    `form` is in the order of `CONTROLS`; `boxes` are (a slider, the box that it unticks).
    """
    with gr.Row(elem_id="wo-main", equal_height=False):
        with gr.Column(elem_id="wo-left", scale=1, min_width=320):
            viewer = gr.HTML(
                value=message(),
                html_template=_viewer_html(),
                js_on_load=(STATIC / "viewer.js").read_text(encoding="utf-8"),
                apply_default_css=False,
                elem_id="wo-viewer",
            )
        with gr.Column(elem_id="wo-panel", scale=0, min_width=320), gr.Tabs(elem_id="wo-tabs"):
            with gr.Tab("Lens", id="lens"):
                lens = _lens_tab()
            with gr.Tab("Save", id="save"):
                return SimpleNamespace(viewer=viewer, **lens, **_save_tab())


def _component(one: Control, value: Any) -> Any:
    """The control for one option of the lens."""
    shape = one.shape
    about: dict[str, Any] = {"label": shape.label, "info": shape.info, "elem_id": f"wo-{one.name}"}
    if isinstance(shape, Slider):
        least = one.option.least if shape.least is None else shape.least
        most = one.option.most if shape.most is None else shape.most
        return gr.Slider(least or 0, most or 1, value, step=shape.step, buttons=[], **about)  # no reset button
    return gr.Checkbox(value, **about) if one.is_box else gr.Radio(list(one.words), value=value, **about)


def _lens_tab() -> dict[str, Any]:
    made: dict[str, Any] = {"readout": gr.HTML(readout_html(None), elem_id="wo-readout", apply_default_css=False)}
    form = {}
    for heading, controls in groupby(CONTROLS, lambda one: one.shape.group):
        with gr.Group(elem_classes="wo-group") if heading else nullcontext():
            if heading:
                _heading(heading)
            if heading == "Focus":
                made["subject"] = gr.Button("Focus on subject", elem_id="wo-subject", size="md")
            for one in controls:
                form[one.name] = _component(one, FIRST[one.name])
            if heading == "Look":
                with gr.Row(elem_classes="wo-pair"):
                    small: dict[str, Any] = {"size": "sm", "min_width": 100}
                    made["save_look"] = gr.Button("Save look", elem_id="wo-save-look", **small)
                    load = gr.UploadButton("Load look", file_types=[".json"], elem_id="wo-load-look", **small)
                    made["load_look"] = load
    boxes = [(form[one.option.name], form[one.name]) for one in CONTROLS if one.is_box]
    return {**made, "form": list(form.values()), "boxes": boxes}


def _save_tab() -> dict[str, Any]:
    made: dict[str, Any] = {"maps_down": {}, "maps_up": {}}
    about: dict[str, Any]
    with gr.Group(elem_classes="wo-group wo-first"):
        _heading("Photo at full size")
        about = {"label": "Format", "elem_id": "wo-format", "info": "Metadata and profile are kept."}
        made["format"] = gr.Dropdown(list(FORMATS), value="As photo", **about)
        about = {"label": "Quality", "elem_id": "wo-quality", "info": "0 keeps the photo's. PNG and TIFF have none."}
        made["quality"] = gr.Slider(0, 100, 0, step=1, buttons=[], **about)
        made["download"] = gr.Button("Download", variant="primary", elem_id="wo-download")
    with gr.Group(elem_classes="wo-group"):
        _heading("The same on the command line")
        info = "Makes the same file. After a repair it also needs both maps from below."
        about = {"label": "Command", "elem_id": "wo-command", "placeholder": "Open a photo first.", "info": info}
        made["command"] = gr.Textbox("", lines=3, buttons=["copy"], interactive=False, **about)
    with gr.Group(elem_classes="wo-group"):
        _heading("Matte and depth")
        for which, word in (("matte", "matte"), ("disparity", "depth")):
            with gr.Row(elem_classes="wo-pair"):
                down, up = ({"elem_id": f"wo-{way}-{which}", "size": "sm", "min_width": 100} for way in ("down", "up"))
                made["maps_down"][which] = gr.Button(f"Download {word}", **down)
                made["maps_up"][which] = gr.UploadButton(f"Upload {word}", file_types=list(MAP_EXTENSIONS), **up)
        made["redo_matte"] = gr.Button("Redo matte from strokes", size="sm", elem_id="wo-redo-matte")
        gr.HTML(
            "<p>The matting network runs again, with the brush strokes as a hint.</p>"
            "<p>Maps are 16-bit PNG; white is the subject, or near. An upload replaces a map and removes strokes.</p>",
            apply_default_css=False,
        )
    return made


def _heading(text: str) -> None:
    gr.HTML(f"<h3>{text}</h3>", apply_default_css=False)


def readout_html(blur: tuple[str, int] | None) -> str:
    """The blur in large type; `blur` is (percent of the long side, long side in pixels), None if no photo is open."""
    if blur is None:
        return "<div class='wo-read'><strong>f/2.2</strong><span>open a photo to begin</span></div>"
    percent, long_side_px = float(blur[0].removesuffix("%")), blur[1]
    return (
        f"<div class='wo-read' title='The f-number of an 85 mm lens on full frame, focused at 2 m, that blurs a far "
        f"background as much.'><strong>{f_number_text(percent / 100)}</strong>"
        f"<span>radius {percent / 100 * long_side_px:.0f} px, {percent:g}%</span>"
        "<small>as an 85 mm lens at 2 m</small></div>"
    )


def f_number(radius: float) -> float:
    """The f-number whose blur of a far background has this radius, a fraction of the long side; inf for no blur.

    Thin lens of focal length f focused at s: a point at infinity becomes a disk of diameter f^2 / (N (s - f)).
    """
    if radius <= 0:
        return float("inf")
    subject_mm = 1000 * SUBJECT_M
    return FOCAL_MM**2 / ((subject_mm - FOCAL_MM) * 2 * radius * SENSOR_MM)


def f_number_text(radius: float) -> str:
    """The f-number as photographers write it.

    >>> f_number_text(0.024), f_number_text(0.004), f_number_text(0)
    ('f/2.2', 'f/13', 'no blur')
    """
    number = f_number(radius)
    if number == float("inf"):
        return "no blur"
    return f"f/{number:.0f}" if number >= 9.95 else f"f/{number:.1f}"


@cache
def _viewer_html() -> str:
    """The viewer's HTML with thumbnails of the samples."""
    html = (STATIC / "viewer.html").read_text(encoding="utf-8")
    for name, (file, _) in SAMPLES.items():
        picture: Any = cv2.imread(str(SAMPLE_FILES / file), cv2.IMREAD_REDUCED_COLOR_2)
        size = round(picture.shape[1] * THUMBNAIL_PX / picture.shape[0]), THUMBNAIL_PX
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        html = html.replace(f"@{name}@", data_url(small[..., ::-1]))
    return html


def theme() -> Any:
    """Neutral grey, which does not affect the perception of colours, one warm accent, and the system's fonts.

    static/studio.css sets the variables that differ from Gradio's.
    """
    amber = gr.themes.Color(
        "#fff7ed", "#ffedd5", "#fed7aa", "#fdba74", "#fb923c", "#e07a1f", "#b45309", "#92400e", "#78350f", "#5f2b0b",
        "#451a03",
    )  # fmt: skip
    sans = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif")
    mono = ("ui-monospace", "SF Mono", "Consolas", "Liberation Mono", "monospace")
    return gr.themes.Base(
        primary_hue=amber, secondary_hue=amber, neutral_hue="neutral", font=sans, font_mono=mono, radius_size="md",
        spacing_size="sm", text_size="md",
    )  # fmt: skip


def style() -> dict[str, Any]:
    """Gradio's settings for the looks of the page, for `launch` and `mount_gradio_app`."""
    return {"theme": theme(), "css_paths": [str(STATIC / "studio.css")]}
