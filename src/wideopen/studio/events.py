"""What happens when: the page's controls tied to the studio's actions, and errors turned into words.

Quick actions go around Gradio's queue, and while one is under way only the last of the next ones is kept, by Gradio
for one control and by the tab's turns for all. Heavy ones go through it: one line of Gradio's queue for all of them,
as long as there are workers free, and its status over the viewer shows the place in the queue, or the step.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from wideopen.checks import require
from wideopen.errors import InvalidInput, WideopenError
from wideopen.studio.actions import Message, Studio, message
from wideopen.studio.brush import Stroke
from wideopen.studio.page import Widgets, readout_html
from wideopen.studio.settings_form import Form, form_from

LOG = logging.getLogger(__name__)
BUG = "Something went wrong here; this is a bug in wideopen. The photo is untouched: try again, or open it anew."
QUICK: dict[str, Any] = {
    "queue": False,
    "trigger_mode": "always_last",
    "show_progress": "hidden",
    "api_visibility": "private",
}
READY = "() => ({ serial: -1, ready: true })"
"""The first message; made in the browser, as soon as it has tied the controls."""
_PROGRESS = gr.Progress()


class Choices(NamedTuple):
    """All controls of the page."""

    form: Form
    format: str
    quality: int | None


Trigger = Callable[..., Any]
"""A listener of Gradio's: of a handler, inputs, outputs and options."""
Quick = Callable[[str, Choices, Any], Message | None]
"""Of a tab's key, the controls, and what the event brings."""
Heavy = Callable[..., Awaitable[Message]]
"""As `Quick`, and then what the event's own input holds, if it has one."""


class Events:
    """Ties one page to one studio."""

    def __init__(self, studio: Studio, page: Widgets, *, uploads: Callable[[], Path], jobs: int) -> None:
        """`uploads`: where Gradio puts what is uploaded; at most `jobs` heavy actions run at a time."""
        self._studio, self._page, self._uploads = studio, page, uploads
        self._shown = [page.viewer, page.readout, page.command]
        self._inputs = [*page.form, page.format, page.quality]
        self._queue: dict[str, Any] = {
            "concurrency_limit": jobs,
            "concurrency_id": "workers",
            "trigger_mode": "always_last",
            "show_progress": "minimal",
            "show_progress_on": page.viewer,
            "api_visibility": "private",
        }

    def wire(self, blocks: gr.Blocks, *, photo: Path | None, on_ready: Callable[[], None]) -> None:
        """Tie everything. `photo` is opened in every new tab; `on_ready` is called when a page can be used."""
        page, studio = self._page, self._studio
        quick, heavy = self._quick, self._heavy
        moved = quick(partial(gr.on, [c.input for c in page.form]), lambda key, now, _: studio.render(key, now.form))
        page.form[2].input(lambda: False, None, page.form[1], **QUICK)  # chosen, so not automatic
        quick(page.subject.click, lambda key, now, _: studio.focus_on_subject(key, now.form))
        quick(page.viewer.wo_focus, lambda key, now, data: studio.focus_at(key, now.form, *numbers(data, "x", "y")))
        every = {"trigger_mode": "multiple"}  # no stroke may be dropped
        quick(page.viewer.wo_stroke, lambda key, now, data: studio.stroke(key, now.form, Stroke.from_page(data)), every)
        quick(page.viewer.wo_undo, lambda key, now, _: studio.undo(key, now.form), every)
        quick(page.save_look.click, lambda key, now, _: studio.preset(key, now.form))
        gr.on([page.format.input, page.quality.input], self._command, self._inputs, page.command, **QUICK)
        load = page.load_look.upload(self._load_look, page.load_look, [page.viewer, *page.form], **QUICK)
        load.then(moved, self._inputs, self._shown, **QUICK)

        heavy(page.viewer.wo_upload, self._open_upload)
        heavy(
            page.viewer.wo_sample,
            lambda key, now, data: studio.open_sample(key, now.form, text_of(data, "name"), tell),
        )
        heavy(page.viewer.wo_detail, self._detail)
        heavy(page.download.click, lambda key, now, _: studio.download(key, now.form, now.format, now.quality, tell))
        for kind, button in page.maps_down.items():
            heavy(button.click, self._give_map(kind))
        for kind, button in page.maps_up.items():
            heavy(button.upload, self._take_map(kind), [button])
        if photo is not None:
            heavy(blocks.load, lambda key, now, _: studio.open_file(key, now.form, photo, tell))

        ready = blocks.load(None, None, page.viewer, js=READY, **QUICK)
        ready.then(on_ready, **QUICK)  # not before: it would hold up the page

        def leave(request: gr.Request) -> None:
            """A tab was closed. Gradio would keep its last values, pictures among them, for thousands of tabs."""
            key = key_of(request)
            studio.end(key)
            blocks.state_holder.session_data.pop(key, None)
            blocks.state_holder.time_last_used.pop(key, None)

        blocks.unload(leave)

    def _quick(
        self, trigger: Callable[..., Any], act: Quick, options: dict[str, Any] | None = None
    ) -> Callable[..., Any]:
        """Answer events at once, in the serving process; returns the handler."""

        def handler(request: gr.Request, event: gr.EventData, *values: Any) -> Any:
            try:
                key, choices = key_of(request), choices_of(values)
                return self._showing(key, choices, act(key, choices, event._data))
            except Exception as error:  # noqa: BLE001  shown to the photographer, and logged if it is a bug
                return in_words(error), gr.skip(), gr.skip()

        trigger(handler, self._inputs, self._shown, **(QUICK | (options or {})))
        return handler

    def _heavy(self, trigger: Trigger, act: Heavy, inputs: list[Any] | None = None) -> None:
        """Answer events in workers, by way of the queue; the values of `inputs` are handed to `act`."""
        first = inputs or []

        async def handler(request: gr.Request, event: gr.EventData, *values: Any) -> Any:
            try:
                key, choices = key_of(request), choices_of(values[len(first) :])
                return self._showing(key, choices, await act(key, choices, event._data, *values[: len(first)]))
            except Exception as error:  # noqa: BLE001
                return in_words(error), gr.skip(), gr.skip()

        trigger(handler, [*first, *self._inputs], self._shown, **self._queue)

    def _showing(self, key: str, choices: Choices, told: Message | None) -> tuple[Any, ...]:
        """Viewer, readout and command for a message; untouched where it says nothing about them."""
        if told is None:
            return gr.skip(), gr.skip(), gr.skip()
        if "readout" not in told:
            return told, gr.skip(), gr.skip()
        return told, readout_html(told["readout"]), self._studio.command(key, *choices)

    def _command(self, request: gr.Request, *values: Any) -> Any:
        try:
            return self._studio.command(key_of(request), *choices_of(values))
        except WideopenError as error:
            return str(error)

    async def _open_upload(self, key: str, choices: Choices, data: Any) -> Message:
        file, folder = Path(text_of(data, "path")).resolve(), self._uploads().resolve()
        inside = file.is_file() and file.is_relative_to(folder)
        own = file.is_relative_to(self._studio.tabs.root.resolve())
        require(inside and not own, "Upload the photo again: the server has not got it any more.")
        name = Path(text_of(data, "name")).name or "photo"
        return await self._studio.open_upload(key, choices.form, file, name, tell)

    async def _open_sample(self, key: str, choices: Choices, data: Any) -> Message:
        return await self._studio.open_sample(key, choices.form, text_of(data, "name"), tell)

    async def _detail(self, key: str, choices: Choices, data: Any) -> Message:
        x, y, width, height = numbers(data, "x", "y", "width", "height")
        return await self._studio.detail(key, choices.form, (x, y, width, height), tell)

    def _give_map(self, kind: str) -> Heavy:
        return lambda key, _choices, _data: self._studio.download_map(key, kind, tell)

    def _take_map(self, kind: str) -> Heavy:
        async def take(key: str, choices: Choices, _: Any, file: str) -> Message:
            return await self._studio.give_map(key, choices.form, kind, Path(file), tell)

        return take

    def _load_look(self, request: gr.Request, file: str) -> Any:
        try:
            form = self._studio.take_preset(key_of(request), Path(file))
        except Exception as error:  # noqa: BLE001
            return [in_words(error), *[gr.skip()] * len(self._page.form)]
        return [gr.skip(), *(getattr(form, name) for name in Form.__slots__)]


def tell(share: float, what: str) -> None:
    """Show how far a job is, in Gradio's status of the event that runs."""
    _PROGRESS(share, desc=what)


def choices_of(values: tuple[Any, ...]) -> Choices:
    """The controls' values as the page sends them. Raises InvalidInput."""
    *form, kind, quality = values
    return Choices(form_from(tuple(form)), kind, quality)


def key_of(request: gr.Request) -> str:
    """The key of a tab, which Gradio's page makes at random. Raises InvalidInput without one."""
    key = request.session_hash
    if not key:
        raise InvalidInput("Open the page in a browser: this request belongs to no tab.")
    return str(key)


def numbers(data: Any, *names: str) -> tuple[float, ...]:
    """Numbers that an event of the page brings. Raises InvalidInput."""
    try:
        return tuple(float(data[name]) for name in names)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"page: expected numbers {', '.join(names)}, found {data!r}") from error


def text_of(data: Any, name: str) -> str:
    """Text that an event of the page brings; empty where it brings none."""
    return str(data.get(name, "")) if isinstance(data, dict) else ""


def in_words(error: Exception) -> Message:
    """A message about what went wrong, for the photographer; a bug is logged."""
    if isinstance(error, WideopenError):
        return message(error=str(error))
    LOG.error("studio", exc_info=error)
    return message(error=BUG)
