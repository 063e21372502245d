"""Connect the page's controls to the studio's actions, and turn errors into messages.

Quick actions bypass Gradio's queue. While one runs, only the latest of the following ones is kept, by Gradio for one
control and by the tab's turns for all. Heavy ones share Gradio's queue, and as many run at a time as there are workers.
Gradio's status over the viewer shows the place in the queue or the current step.
"""

import inspect
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import anyio.to_thread
import gradio as gr
from gradio.utils import get_upload_folder

from wideopen.checks import require
from wideopen.errors import InvalidInput, WideopenError
from wideopen.studio.actions import Message, Studio, message
from wideopen.studio.brush import Stroke
from wideopen.studio.page import readout_html
from wideopen.studio.settings_form import CONTROLS, Form, form_from

LOG = logging.getLogger(__name__)
BUG = "Something went wrong here; this is a bug in wideopen. The photo is untouched: try again, or open it again."
QUICK: dict[str, Any] = {
    "queue": False,
    "trigger_mode": "always_last",
    "show_progress": "hidden",
    "api_visibility": "private",
}
EVERY = QUICK | {"trigger_mode": "multiple"}  # no stroke may be dropped
READY = "() => ({ serial: -1, ready: true })"  # the first message, made in the browser once the controls are connected


class Choices(NamedTuple):
    """All controls of the page."""

    form: Form
    format: str
    quality: int | None


Act = Callable[..., Any]
"""Answers an event with a message, directly or as a coroutine: `act(key, choices, data of the event, *values)`."""


class Events:
    """Connects one page to one studio."""

    def __init__(self, studio: Studio, page: SimpleNamespace, *, jobs: int) -> None:
        """`page`: from `page.build`. At most `jobs` heavy actions run at a time."""
        self._studio, self._page = studio, page
        self._shown = [page.viewer, page.readout, page.command]
        self._inputs = [*page.form, page.format, page.quality]
        self._heavy: dict[str, Any] = {
            "concurrency_limit": jobs,
            "concurrency_id": "workers",
            "trigger_mode": "always_last",
            "show_progress": "minimal",
            "show_progress_on": page.viewer,
            "api_visibility": "private",
        }

    def wire(self, blocks: gr.Blocks, *, photo: Path | None, on_ready: Callable[[], None]) -> None:
        """Connect everything. `photo` is opened in every new tab; `on_ready` is called when a page can be used."""
        page, viewer, studio, heavy = self._page, self._page.viewer, self._studio, self._heavy
        tie = self._tie
        tie(partial(gr.on, [c.input for c in page.form]), lambda key, now, _: studio.render(key, now.form))
        for slider, tick in page.boxes:
            slider.input(lambda: False, None, tick, **QUICK)  # a chosen value is not automatic
        tie(partial(gr.on, [page.format.input, page.quality.input]), lambda *_: {})
        tie(page.subject.click, lambda key, now, _: studio.focus_on_subject(key, now.form))
        tie(viewer.wo_focus, lambda key, now, data: studio.focus_at(key, now.form, *numbers(data, "x", "y")))
        tie(viewer.wo_stroke, lambda key, now, data: studio.stroke(key, now.form, Stroke.from_page(data)), EVERY)
        tie(viewer.wo_undo, lambda key, now, _: studio.undo(key, now.form), EVERY)
        tie(page.save_look.click, lambda key, now, _: studio.preset(key, now.form))
        load = page.load_look.upload(self._load_look, page.load_look, [viewer, *page.form], **QUICK)
        tie(load.then, lambda key, now, _: studio.render(key, now.form))

        received = tie(viewer.wo_upload, self._receive)
        tie(received.then, lambda key, now, _: studio.open_received(key, now.form), heavy)
        tie(viewer.wo_sample, lambda key, now, data: studio.open_sample(key, now.form, text_of(data, "name")), heavy)
        box = ("x", "y", "width", "height")
        tie(viewer.wo_detail, lambda key, now, data: studio.detail(key, now.form, *numbers(data, *box)), heavy)
        tie(page.download.click, lambda key, now, _: studio.download(key, *now), heavy)
        for kind, button in page.maps_down.items():
            tie(button.click, partial(lambda kind, key, *_: studio.download_map(key, kind), kind), heavy)
        for kind, upload in page.maps_up.items():
            give = partial(lambda kind, key, now, _, file: studio.give_map(key, now.form, kind, Path(file)), kind)
            tie(upload.upload, give, heavy, [upload])
        tie(page.redo_matte.click, lambda key, now, _: studio.redo_matte(key, now.form), heavy)
        if photo is not None:
            tie(blocks.load, lambda key, now, _: studio.open_file(key, now.form, photo), heavy)

        ready = blocks.load(None, None, viewer, js=READY, **QUICK)
        ready.then(on_ready, **QUICK)  # earlier, it would delay the page

        def leave(request: gr.Request) -> None:
            """Drop a closed tab. Gradio would keep the last values, including pictures, of thousands of tabs."""
            studio.end(key := key_of(request))
            for kept in (blocks.state_holder.session_data, blocks.state_holder.time_last_used):
                kept.pop(key, None)

        blocks.unload(leave)

    def _tie(
        self, listener: Callable[..., Any], act: Act, options: dict[str, Any] = QUICK, own_inputs: Sequence[Any] = ()
    ) -> Any:
        """Call `act` for the events of one of Gradio's listeners, and show its answer; returns Gradio's dependency.

        `act` is called in a thread. The values of `own_inputs` are passed to it.
        """

        async def handler(request: gr.Request, event: gr.EventData, *values: Any) -> Any:
            try:
                *form, kind, quality = values[len(own_inputs) :]
                key, now = key_of(request), Choices(form_from(tuple(form)), kind, quality)
                answer = await anyio.to_thread.run_sync(act, key, now, event._data, *values[: len(own_inputs)])
                return self._showing(key, now, await answer if inspect.isawaitable(answer) else answer)
            except Exception as error:  # noqa: BLE001  shown to the photographer, and logged if it is a bug
                return in_words(error), gr.skip(), gr.skip()

        return listener(handler, [*own_inputs, *self._inputs], self._shown, **options)

    def _showing(self, key: str, now: Choices, answer: Message | None) -> tuple[Any, ...]:
        """Viewer, readout and command for a message; those that it does not mention stay unchanged."""
        if answer is None:
            return gr.skip(), gr.skip(), gr.skip()
        readout = readout_html(answer["readout"]) if "readout" in answer else gr.skip()
        return answer or gr.skip(), readout, self._studio.command(key, *now)

    def _receive(self, key: str, _now: Choices, data: Any) -> None:
        file, folder = Path(text_of(data, "path")).resolve(), Path(get_upload_folder()).resolve()
        inside = file.is_file() and file.is_relative_to(folder)
        own = file.is_relative_to(self._studio.tabs.root.resolve())
        require(inside and not own, "Upload the photo again: the server no longer has it.")
        self._studio.receive(key, file, Path(text_of(data, "name")).name or "photo")

    def _load_look(self, request: gr.Request, file: str) -> Any:
        try:
            form = self._studio.take_preset(key_of(request), Path(file))
        except Exception as error:  # noqa: BLE001
            return [in_words(error), *[gr.skip()] * len(self._page.form)]
        return [gr.skip(), *(form[one.name] for one in CONTROLS)]


def key_of(request: gr.Request) -> str:
    """The key of a tab: a random one that Gradio's page makes. Raises InvalidInput if it is missing."""
    key = request.session_hash
    if not key:
        raise InvalidInput("Open the page in a browser: this request belongs to no tab.")
    return str(key)


def numbers(data: Any, *names: str) -> tuple[float, ...]:
    """The named numbers in an event's data. Raises InvalidInput."""
    try:
        return tuple(float(data[name]) for name in names)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"page: expected numbers {', '.join(names)}, found {data!r}") from error


def text_of(data: Any, name: str) -> str:
    """The named text in an event's data; empty if it has none."""
    return str(data.get(name, "")) if isinstance(data, dict) else ""


def in_words(error: Exception) -> Message:
    """A message for the user about an error; bugs are logged."""
    if isinstance(error, WideopenError):
        return message(error=str(error))
    LOG.error("studio", exc_info=error)
    return message(error=BUG)
