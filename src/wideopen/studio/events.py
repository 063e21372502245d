"""What happens when: the page's controls tied to the studio's actions, and errors turned into words.

Quick actions go around Gradio's queue, and while one is under way only the last of the next ones is kept, by Gradio
for one control and by the session's turns for all. Heavy ones go through it and tell their progress.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from wideopen.checks import require
from wideopen.errors import InvalidInput, WideopenError
from wideopen.studio import messages
from wideopen.studio.actions import Message, Studio
from wideopen.studio.brush import Stroke
from wideopen.studio.page import Widgets, readout_html
from wideopen.studio.settings_form import Form, form_from

LOG = logging.getLogger(__name__)
BUG = "Something went wrong here, a bug of ours. The photo is untouched; try again, or open it anew."
QUICK: dict[str, Any] = {"queue": False, "trigger_mode": "always_last", "show_progress": "hidden"}
HEAVY: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "trigger_mode": "always_last"}
HIDDEN: dict[str, Any] = {"api_visibility": "private"}
READY = "() => ({ serial: -1, ready: true })"
"""The first message; made in the browser, as soon as it has tied the controls."""


class Events:
    """Ties one page to one studio."""

    def __init__(self, studio: Studio, page: Widgets, uploads: Callable[[], Path], photo: Path | None) -> None:
        """`uploads`: where Gradio puts what is uploaded; `photo`: opened in every new tab."""
        self._studio, self._page, self._uploads, self._photo = studio, page, uploads, photo
        self._shown = [page.viewer, page.readout, page.command]
        self._inputs = [*page.form, page.format, page.quality]

    def wire(self, blocks: gr.Blocks) -> None:
        """Tie everything."""
        page, form = self._page, self._inputs
        moved = [c.input for c in page.form]
        gr.on(moved, self._render, form, self._shown, **QUICK, **HIDDEN)
        page.form[2].input(lambda: False, None, page.form[1], **QUICK, **HIDDEN)  # chosen, so not automatic
        page.subject.click(self._focus_on_subject, form, self._shown, **QUICK, **HIDDEN)
        page.viewer.wo_focus(self._focus, form, self._shown, **QUICK, **HIDDEN)
        every = QUICK | {"trigger_mode": "multiple"}  # no stroke may be dropped
        page.viewer.wo_stroke(self._stroke, form, self._shown, **every, **HIDDEN)
        page.viewer.wo_undo(self._undo, form, self._shown, **every, **HIDDEN)
        gr.on([page.format.input, page.quality.input], self._command, form, page.command, **QUICK, **HIDDEN)
        page.viewer.wo_upload(self._upload, form, self._shown, **HEAVY, **HIDDEN)
        page.viewer.wo_sample(self._sample, form, self._shown, **HEAVY, **HIDDEN)
        page.viewer.wo_detail(self._detail, form, self._shown, **HEAVY, **HIDDEN)
        page.download.click(self._download, form, self._shown, **HEAVY, **HIDDEN)
        page.save_look.click(self._save_look, form, self._shown, **QUICK, **HIDDEN)
        loaded = page.load_look.upload(self._load_look, page.load_look, [page.viewer, *page.form], **QUICK, **HIDDEN)
        loaded.then(self._render, form, self._shown, **QUICK, **HIDDEN)
        for kind, button in page.maps_down.items():
            button.click(self._map_down(kind), form, self._shown, **HEAVY, **HIDDEN)
        for kind, upload in page.maps_up.items():
            upload.upload(self._map_up(kind), [upload, *form], self._shown, **HEAVY, **HIDDEN)
        ready = blocks.load(None, None, page.viewer, js=READY, **QUICK, **HIDDEN)
        ready.then(self._studio.warm_up, **QUICK, **HIDDEN)  # not before: it would hold up the page
        if self._photo is not None:
            blocks.load(self._own_photo, form, self._shown, **HEAVY, **HIDDEN)

        def leave(request: gr.Request) -> None:
            self._leave(blocks, key_of(request))

        blocks.unload(leave)

    # What is shown

    def _showing(self, key: str, values: tuple[Any, ...], told: Message | None) -> tuple[Any, ...]:
        """Viewer, readout and command for a message; untouched where it says nothing about them."""
        if told is None:
            return gr.skip(), gr.skip(), gr.skip()
        if "readout" not in told:
            return told, gr.skip(), gr.skip()
        *form, kind, quality = values
        return told, readout_html(told["readout"]), self._studio.command(key, form_from(tuple(form)), kind, quality)

    def _quick(self, request: gr.Request, values: tuple[Any, ...], act: Callable[[str, Form], Message | None]) -> Any:
        try:
            return self._showing(key_of(request), values, act(key_of(request), form_from(values[:-2])))
        except Exception as error:  # noqa: BLE001  told to the photographer, and to the log if it is a bug
            return self._showing("", values, in_words(error))

    def _heavy(
        self, request: gr.Request, values: tuple[Any, ...], act: Callable[[str, Form], Iterator[Message]]
    ) -> Iterator[Any]:
        try:
            for told in act(key_of(request), form_from(values[:-2])):
                yield self._showing(key_of(request), values, told)
        except Exception as error:  # noqa: BLE001
            yield self._showing("", values, in_words(error))

    # Actions

    def _render(self, request: gr.Request, *values: Any) -> Any:
        def act(key: str, form: Form) -> Message | None:
            if self._studio.sessions.open(key).loaded is None:
                return None  # sliders may be tried before a photo is open
            return self._studio.render(key, form)

        return self._quick(request, values, act)

    def _focus_on_subject(self, request: gr.Request, *values: Any) -> Any:
        return self._quick(request, values, self._studio.focus_on_subject)

    def _focus(self, request: gr.Request, event: gr.EventData, *values: Any) -> Any:
        def act(key: str, form: Form) -> Message | None:
            x, y = numbers(event, "x", "y")
            return self._studio.focus_at(key, x, y, form)

        return self._quick(request, values, act)

    def _stroke(self, request: gr.Request, event: gr.EventData, *values: Any) -> Any:
        return self._quick(
            request, values, lambda key, form: self._studio.stroke(key, Stroke.from_page(event._data), form)
        )

    def _undo(self, request: gr.Request, *values: Any) -> Any:
        return self._quick(request, values, self._studio.undo)

    def _command(self, request: gr.Request, *values: Any) -> Any:
        try:
            *form, kind, quality = values
            return self._studio.command(key_of(request), form_from(tuple(form)), kind, quality)
        except WideopenError as error:
            return str(error)

    def _upload(self, request: gr.Request, event: gr.EventData, *values: Any) -> Any:
        def act(key: str, form: Form) -> Iterator[Message]:
            data = event._data if isinstance(event._data, dict) else {}
            path, name = self._uploaded(str(data.get("path", ""))), Path(str(data.get("name", ""))).name
            return self._studio.open_upload(key, path, name or "photo", form)

        yield from self._heavy(request, values, act)

    def _uploaded(self, path: str) -> Path:
        """The file that was uploaded there. Raises InvalidInput for any other file of this machine."""
        file, folder = Path(path).resolve(), self._uploads().resolve()
        inside = file.is_file() and file.is_relative_to(folder)
        own = file.is_relative_to(self._studio.sessions.root.resolve())
        require(inside and not own, "Upload the photo again: the server has not got it any more.")
        return file

    def _sample(self, request: gr.Request, event: gr.EventData, *values: Any) -> Any:
        name = event._data.get("name", "") if isinstance(event._data, dict) else ""
        yield from self._heavy(request, values, lambda key, form: self._studio.open_sample(key, str(name), form))

    def _own_photo(self, request: gr.Request, *values: Any) -> Any:
        assert self._photo is not None
        photo = self._photo
        yield from self._heavy(request, values, lambda key, form: self._studio.open_file(key, photo, form))

    def _detail(self, request: gr.Request, event: gr.EventData, *values: Any) -> Any:
        def act(key: str, form: Form) -> Iterator[Message]:
            x, y, width, height = numbers(event, "x", "y", "width", "height")
            return self._studio.detail(key, (x, y, width, height), form)

        yield from self._heavy(request, values, act)

    def _download(self, request: gr.Request, *values: Any) -> Any:
        kind, quality = values[-2:]
        yield from self._heavy(request, values, lambda key, form: self._studio.download(key, form, kind, quality))

    def _map_down(self, kind: str) -> Callable[..., Any]:
        def download(request: gr.Request, *values: Any) -> Any:
            yield from self._heavy(request, values, lambda key, _: self._studio.download_map(key, kind))

        return download

    def _map_up(self, kind: str) -> Callable[..., Any]:
        def upload(request: gr.Request, file: str, *values: Any) -> Any:
            yield from self._heavy(
                request, values, lambda key, form: self._studio.give_map(key, kind, Path(file), form)
            )

        return upload

    def _save_look(self, request: gr.Request, *values: Any) -> Any:
        return self._quick(request, values, self._studio.preset)

    def _load_look(self, request: gr.Request, file: str) -> Any:
        try:
            form = self._studio.take_preset(key_of(request), Path(file))
        except Exception as error:  # noqa: BLE001
            return [in_words(error), *[gr.skip()] * len(self._page.form)]
        return [gr.skip(), *(getattr(form, name) for name in Form.__slots__)]

    def _leave(self, blocks: gr.Blocks, key: str) -> None:
        """A tab was closed. Gradio would keep its last values, pictures among them, for thousands of tabs."""
        self._studio.end(key)
        blocks.state_holder.session_data.pop(key, None)
        blocks.state_holder.time_last_used.pop(key, None)


def key_of(request: gr.Request) -> str:
    """The key of a tab, which Gradio's page makes at random. Raises InvalidInput without one."""
    key = request.session_hash
    if not key:
        raise InvalidInput("Open the page in a browser: this request belongs to no tab.")
    return str(key)


def numbers(event: gr.EventData, *names: str) -> tuple[float, ...]:
    """Numbers out of an event of the page. Raises InvalidInput."""
    data = event._data
    try:
        return tuple(float(data[name]) for name in names)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"page: expected numbers {', '.join(names)}, found {data!r}") from error


def in_words(error: Exception) -> Message:
    """A message about what went wrong, for the photographer; a bug of ours is logged."""
    if isinstance(error, WideopenError):
        return messages.message(error=str(error))
    LOG.error("studio", exc_info=error)
    return messages.message(error=BUG)
