"""Every action of the page, without the page: a method takes the key of a tab and returns a message.

Quick actions touch arrays only and answer at once; they return None if a newer render has been requested. Heavy ones
are coroutines: a worker process does the work. `events` connects both to the controls.

A message is a dictionary; the viewer (static/viewer.js) uses the entries that it has. Each has a serial number, so that
two equal messages differ. Its pictures are JPEG in data URLs, so they reach one person only and are stored nowhere.
"""

import asyncio
import itertools
import os
import shutil
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import require
from wideopen.errors import InvalidInput, WorkerDied, WorkerTimeout
from wideopen.files import read_matte, write_map
from wideopen.files.formats import PHOTO_EXTENSIONS
from wideopen.lens import LOOKS
from wideopen.memory import return_freed_memory
from wideopen.photo import Photo
from wideopen.session.open_photo import Job
from wideopen.session.results import has_quality, result_name
from wideopen.settings import LensSettings, MapSettings, OutputSettings
from wideopen.studio import StudioSettings, work
from wideopen.studio.brush import History, MapPair, Stroke, as_hint
from wideopen.studio.preview import crop, data_url, lens_of, render_u8
from wideopen.studio.settings_form import Form, command_line, form_of, preset_of, read_preset, settings_of
from wideopen.studio.tabs import Detail, Tab, TabPhoto
from wideopen.studio.work import PhotoFile
from wideopen.workers.pool import WarmUp
from wideopen.workers.store import ExpiringStore, FolderSteps, WorkCancelled, ask_to_stop, current_step

Message = dict[str, Any]
RunInWorker = Callable[..., Awaitable[Any]]  # runs a function in a worker process: `await run(function, *arguments)`
ShowProgress = Callable[[float, str], object]
"""Shows a job's progress: the finished share in [0, 1], and the current step."""

ENDED = "This session has ended and its photo was deleted. Open the photo again."
SAMPLES = {
    "bear": ("bear.jpg", "A bear at night, ray-traced by wideopen; its exact matte and depth are inside the file."),
    "astronaut": ("astronaut.jpg", "Eileen Collins, by NASA, public domain, as shipped with scikit-image."),
}
FORMATS = {"As photo": None, "JPEG": ".jpg", "PNG": ".png", "HEIC": ".heic", "TIFF": ".tif"}
_SHARES = {"reading": 0.1, "matte": 0.25, "disparity": 0.45, "sheets": 0.6, "rendering": 0.75, "preview": 0.85}
_DOING = {
    work.open_for_page: "Opening",
    work.render_pixels: "Rendering at full size:",
    work.render_result: "Rendering at full size:",
    work.write_maps: "Writing the maps of",
}
_LOOK_EVERY_S = 0.25
_SAMPLES_FOLDER = Path(__file__).parent / "samples"
_SERIALS = itertools.count(1)


def message(**content: Any) -> Message:
    """A message with the next serial number; the viewer clears an `error` or `download` that it leaves out."""
    return {"serial": next(_SERIALS), **content}


class Studio:
    """All tabs of one server."""

    def __init__(self, root: Path, config: StudioSettings, run: RunInWorker, show_progress: ShowProgress) -> None:
        """`root` is a folder that does not exist yet; `close` removes it. `run` runs what touches photos' files."""
        self.config = config
        limits: dict[str, Any] = {"most": config.tabs, "idle_s": config.idle_s}
        self.tabs: ExpiringStore[Tab] = ExpiringStore(root, **limits, on_drop=lambda tab: tab.end())
        self._run, self.show_progress = run, show_progress
        self._renders = threading.Semaphore(os.cpu_count() or 1)
        self._loading = threading.Lock()

    def warm_up(self) -> None:
        """Load the kernels for previews. Renders wait for it."""
        with self._loading:
            maps = MapSettings(depth="planar")
            WarmUp(maps=maps, looks=LOOKS, backend=self.config.backend, needs_matting=False)()

    def close(self) -> None:
        """End all tabs and delete their photos."""
        self.tabs.close()

    def end(self, key: str) -> None:
        """Delete the state of a closed tab."""
        if key in self.tabs:
            self.tabs.remove(key)
        return_freed_memory()

    def tab(self, key: str) -> Tab:
        """The state of a tab. Raises InvalidInput, with a message for the user, if it has ended."""
        try:
            return self.tabs.get(key).value
        except KeyError:
            raise InvalidInput(ENDED) from None

    def new_tab(self, key: str) -> Tab:
        """The state of a tab, new if it has none. If there are too many tabs, the one idle longest ends."""
        return self.tabs.open(key, Tab).value

    # Opening

    def receive(self, key: str, upload: Path, name: str) -> None:
        """Move an upload into the tab's folder, so that it is deleted with the tab even before it is opened.

        Raises InvalidInput if it is too large.
        """
        megabytes, most = upload.stat().st_size / 1e6, self.config.max_megabytes
        if megabytes > most:
            upload.unlink()
            raise InvalidInput(f"{name}: expected a photo of at most {most:g} MB, found {megabytes:.0f} MB")
        suffix = Path(name).suffix.lower()
        kept = suffix if suffix in PHOTO_EXTENSIONS else ""
        tab = self.new_tab(key)
        path = tab.new_folder() / f"photo{kept}"
        shutil.move(upload, path)
        tab.received = self._photo_file(path, name)

    async def open_received(self, key: str, form: Form) -> Message | None:
        """Open the last upload; None if it was refused or is already open. Raises InvalidInput."""
        tab = self.tab(key)
        file, tab.received = tab.received, None
        return await self._open(key, form, file) if file else None

    async def open_sample(self, key: str, form: Form, sample: str) -> Message:
        """Open one of the shipped photos."""
        require(sample in SAMPLES, f"sample: expected one of {', '.join(SAMPLES)}, found {sample!r}")
        name, credit = SAMPLES[sample]
        return await self.open_file(key, form, _SAMPLES_FOLDER / name, notes=(credit,))

    async def open_file(self, key: str, form: Form, file: Path, notes: tuple[str, ...] | None = None) -> Message:
        """Open a copy of a photo on this machine; `notes`, if given, replace the photo's own."""
        path = self.new_tab(key).new_folder() / f"photo{file.suffix.lower()}"
        await asyncio.to_thread(shutil.copyfile, file, path)
        return await self._open(key, form, self._photo_file(path, file.name), notes=notes)

    async def give_map(self, key: str, form: Form, kind: str, upload: Path) -> Message:
        """Use the user's own matte or disparity for the open photo. Strokes are lost."""
        photo = self.tab(key).photo
        file = photo.opened.folder / f"given-{kind}{upload.suffix.lower()}"
        await asyncio.to_thread(shutil.move, upload, file)
        job = photo.opened.job
        given = replace(job.given, matte=file) if kind == "matte" else replace(job.given, disparity=file)
        try:
            return await self._open(key, form, replace(photo.opened, job=replace(job, given=given)), before=photo)
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(file.name, upload.name)) from error

    async def redo_matte(self, key: str, form: Form) -> Message:
        """Find the matte again, with the strokes on it, and earlier ones, as a hint. All strokes are then removed."""
        photo = self.tab(key).photo
        folder, job = photo.opened.folder, photo.opened.job
        height, width = photo.maps.matte.shape
        unknown = np.full((height, width), 0.5, np.float32)
        before = unknown if job.given.matte_hint is None else read_matte(job.given.matte_hint, size=(height, width))
        hint = as_hint(photo.history.strokes, before)
        advice = "Paint on the matte first: what belongs to the subject, what does not."
        require(not np.array_equal(hint, before), advice)
        file = write_map(folder / f"hint-{photo.edit}.npy", hint, overwrite=True)
        given = replace(job.given, matte=None, matte_hint=file)
        return await self._open(key, form, replace(photo.opened, job=replace(job, given=given)), before=photo)

    def _photo_file(self, path: Path, name: str) -> PhotoFile:
        job = Job.of_upload(self.config.maps, self.config.backend, self.config.max_megapixels)
        return PhotoFile(path=path, name=name, job=job)

    async def _open(
        self,
        key: str,
        form: Form,
        file: PhotoFile,
        before: TabPhoto | None = None,
        notes: tuple[str, ...] | None = None,
    ) -> Message:
        """Open `file` in a worker and show it; `before` is the same photo with other maps."""
        tab = self.tab(key)
        try:
            size = await self._in_worker(key, work.open_for_page, file, self.config.preview_megapixels)
        except BaseException:
            if before is None:
                shutil.rmtree(file.folder, ignore_errors=True)
            raise
        scene = await asyncio.to_thread(work.take_preview, file)
        photo = TabPhoto(
            opened=replace(file, outline=scene.maps.outline),
            size=size,
            found=scene.maps if notes is None else replace(scene.maps, notes=notes),
            small=Photo(rgb=scene.rgb, encoding=scene.encoding, hdr=scene.hdr),
            maps=MapPair(scene.matte, scene.disparity),
            scene=scene,
            history=History(self.config.strokes),
        )
        if before is not None:
            photo.focus, photo.edit = before.focus, before.edit + 1
        return await asyncio.to_thread(self._show, tab, photo, form)

    def _show(self, tab: Tab, photo: TabPhoto, form: Form) -> Message:
        """Replace the tab's photo with an opened one, and delete the files of the previous one."""
        with tab.lock:
            if tab.ended:
                raise InvalidInput(ENDED)
            previous, tab.loaded = tab.loaded, photo
            content = _merged(photo.shown(), self._rendered(tab, form, tab.next_turn()))
        if previous is not None and previous.opened.folder != photo.opened.folder:
            shutil.rmtree(previous.opened.folder, ignore_errors=True)
        return message(**content)

    # Quick actions

    def render(self, key: str, form: Form) -> Message | None:
        """The preview with these settings; None if no photo is open, or if a newer one has been requested."""
        return self._act(key, form, lambda _: None) if self.new_tab(key).loaded else None

    def focus_at(self, key: str, form: Form, x: float, y: float) -> Message | None:
        """Focus on a point, in fractions of the photo."""
        require(0 <= x <= 1 and 0 <= y <= 1, f"focus: expected a point in the photo, found {x:g}, {y:g}")
        return self._act(key, form, lambda photo: photo.focus_at(x, y))

    def focus_on_subject(self, key: str, form: Form) -> Message | None:
        """Focus on the subject again."""
        return self._act(key, form, lambda photo: setattr(photo, "focus", "subject"))

    def stroke(self, key: str, form: Form, stroke: Stroke) -> Message | None:
        """Paint one stroke."""
        return self._edit(key, form, lambda photo: photo.history.paint(photo.small.rgb, photo.maps, stroke))

    def undo(self, key: str, form: Form) -> Message | None:
        """Undo the last stroke."""
        return self._edit(key, form, lambda photo: photo.history.undo(photo.maps))

    def _edit(self, key: str, form: Form, change: Callable[[TabPhoto], MapPair]) -> Message | None:
        def act(photo: TabPhoto) -> Message:
            photo.change(change(photo))
            return {"pictures": photo.shown_maps(), "strokes": len(photo.history.strokes)}

        return self._act(key, form, act)

    def _act(self, key: str, form: Form, act: Callable[[TabPhoto], Message | None]) -> Message | None:
        """Apply `act`, then render; what `act` returns is shown even if a newer action renders."""
        tab = self.tab(key)
        turn = tab.next_turn()
        with tab.lock:
            changed = act(tab.photo)
            if tab.is_stale(turn) and not changed:
                return None
            return message(**_merged(changed or {}, self._rendered(tab, form, turn)))

    def _rendered(self, tab: Tab, form: Form, turn: int) -> Message:
        """The content of a message with the preview. The caller holds the tab's lock."""
        photo, settings = tab.photo, self._settings(tab, form)
        content = {"focus": photo.shown_focus(), "readout": (settings.blur, max(photo.size))}
        with self._renders:
            if tab.is_stale(turn):
                return content
            with self._loading:
                pass
            scene = photo.prepared()
            lens = lens_of(settings, scene, photo.focus_disparity)
            picture = render_u8(scene, lens, backend=self.config.backend)
        return content | {"pictures": {"result": data_url(picture)}}

    # Full size

    async def detail(self, key: str, form: Form, x: float, y: float, width: float, height: float) -> Message:
        """A part of the full-size result, in fractions of the photo. Rendered once per setting."""
        tab = self.tab(key)
        photo, settings = tab.photo.file, self._settings(tab, form)
        found = tab.detail
        if found is None or (found.settings, found.photo) != (settings, photo):
            pixels = photo.folder / "detail.npy"
            await self._in_worker(key, work.render_pixels, photo, settings, pixels)
            found = tab.detail = Detail(settings=settings, photo=photo, pixels=pixels)
        return await asyncio.to_thread(_part, found, (x, y, width, height))

    async def download(self, key: str, form: Form, kind: str, quality: int | None) -> Message:
        """The result at full size as a file."""
        tab = self.tab(key)
        photo = tab.photo.file
        name, output = _result(photo.name, kind, quality)
        out, settings = tab.new_folder() / name, self._settings(tab, form)
        await self._in_worker(key, work.render_result, photo, settings, output, out)
        return message(download={"path": str(out), "name": name})

    async def download_map(self, key: str, kind: str) -> Message:
        """The matte or disparity at full size as a 16-bit PNG."""
        photo = self.tab(key).photo.file
        files = await self._in_worker(key, work.write_maps, photo)
        file = files[0 if kind == "matte" else 1]
        return message(download={"path": str(file), "name": file.name})

    async def _in_worker(self, key: str, function: Callable[..., Any], photo: PhotoFile, *arguments: Any) -> Any:
        """Run `function(photo, *arguments, step)` in a worker; the tab's files are kept until it ends.

        Raises the function's errors, and InvalidInput, with a message for the user, if the worker died or the tab
        ended.
        """
        doing = f"{_DOING[function]} {photo.name}"
        try:
            with self.tabs.using(key) as entry:
                folder = entry.value.new_folder()  # for progress
                running = asyncio.ensure_future(self._run(function, photo, *arguments, FolderSteps(folder)))
                try:
                    while not (await asyncio.wait({running}, timeout=_LOOK_EVERY_S))[0]:
                        step = current_step(folder)
                        self.show_progress(_SHARES.get(step, 0.02), f"{doing}: {step}" if step else doing)
                        if entry.dropped:
                            ask_to_stop(folder)
                    return running.result()
                finally:
                    running.cancel()  # if this coroutine is cancelled
                    shutil.rmtree(folder, ignore_errors=True)
        except (KeyError, WorkCancelled) as error:
            raise InvalidInput(ENDED) from error
        except (WorkerDied, WorkerTimeout) as error:
            raise InvalidInput(f"{photo.name}: the process that worked on it ended: {error}") from error
        except Exception as error:
            if photo.folder.exists():
                raise
            raise InvalidInput(f"{photo.name}: another photo was opened in the meantime") from error

    def command(self, key: str, form: Form, kind: str, quality: int | None) -> str:
        """The command line that makes the same download; empty if no photo is open."""
        tab = self.new_tab(key)
        if tab.loaded is None:
            return ""
        photo = tab.loaded.file
        name, output = _result(photo.name, kind, quality)
        lens = self._settings(tab, form)
        return command_line(photo.name, lens, output, photo.job.maps, out=name, edited=photo.edited)

    # Settings and looks

    def _settings(self, tab: Tab, form: Form) -> LensSettings:
        """The values of the controls, and the preset's values for settings without a control."""
        return settings_of(form, tab.base, tab.loaded.focus if tab.loaded else "subject")

    def preset(self, key: str, form: Form) -> Message:
        """The look as a file to download."""
        text = preset_of(self._settings(self.new_tab(key), form))
        return message(download={"text": text, "name": "look.json"})

    def take_preset(self, key: str, file: Path) -> Form:
        """The controls for a look from a file."""
        tab = self.new_tab(key)
        tab.base = read_preset(file.read_text(encoding="utf-8", errors="replace"), file.name)
        return form_of(tab.base, max(tab.loaded.size) if tab.loaded else 4000)


def _merged(first: Message, second: Message) -> Message:
    """The content of both messages, with the pictures of both."""
    return first | second | {"pictures": first.get("pictures", {}) | second.get("pictures", {})}


def _part(found: Detail, box: tuple[float, float, float, float]) -> Message:
    pixels = np.load(found.pixels, mmap_mode="r")
    part, (x, y, w, h) = crop(pixels, box)
    height, width = pixels.shape[:2]
    place = [x / width, y / height, w / width, h / height]
    return message(detail={"box": place, "picture": data_url(part, close=True)})


def _result(photo: str, kind: str, quality: int | None) -> tuple[str, OutputSettings]:
    """The name of a download of `photo`, and its output settings."""
    require(kind in FORMATS, f"format: expected one of {', '.join(FORMATS)}, found {kind!r}")
    name = result_name(Path(photo), FORMATS[kind])
    return name, OutputSettings(output_quality=int(quality) if quality and has_quality(Path(name)) else None)
