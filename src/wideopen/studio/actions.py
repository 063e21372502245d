"""What the page can do, without the page: every action of a person, by the key of their tab, answered by messages.

Quick actions return one message, or None when a newer render was asked for meanwhile; heavy ones are generators of
messages. `events` ties them to the controls and turns what is raised into words for the photographer.
"""

import shutil
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.files.facts import facts_in
from wideopen.files.formats import EXTENSIONS, RAW_EXTENSIONS
from wideopen.session.open_photo import NOTHING_GIVEN, Given
from wideopen.session.progress import Steps
from wideopen.session.results import has_quality, result_name
from wideopen.session.settings import LensSettings, OutputSettings
from wideopen.studio import full_size, messages
from wideopen.studio.brush import Maps, Stroke
from wideopen.studio.equivalent import command_line, f_number_text
from wideopen.studio.heavy import Gate, Pace, run
from wideopen.studio.preview import lens_of, render_preview, with_maps
from wideopen.studio.settings_form import Form, form_of, preset_of, read_preset, settings_of
from wideopen.studio.tabs import ENDED, Detail, Limits, Loaded, Session, Sessions
from wideopen.studio.trim import give_back, without_collection

Message = dict[str, Any]
Messages = Generator[Message, None, None]
Made = TypeVar("Made")

SAMPLES = {
    "bear": ("bear.jpg", "A bear at night, ray-traced by wideopen; its exact matte and depth are inside the file."),
    "astronaut": ("astronaut.jpg", "Eileen Collins, by NASA, public domain, as shipped with scikit-image."),
}
FORMATS = {"As photo": None, "JPEG": ".jpg", "PNG": ".png", "HEIC": ".heic", "TIFF": ".tif"}
_MEGABYTES_PER_MEGAPIXEL = 0.35  # of a file that does not say its size before it is decoded
_SAMPLES_FOLDER = Path(__file__).parent / "samples"


class Studio:
    """All tabs of one server."""

    def __init__(self, root: Path, limits: Limits, *, heavy_jobs: int) -> None:
        """`root` is a folder of ours alone, removed by `close`; at most `heavy_jobs` full-size jobs run at once."""
        self.limits = limits
        self.sessions = Sessions(root, limits)
        self._gate = Gate(heavy_jobs)
        self._quick = threading.Semaphore(heavy_jobs)
        self._loading = threading.Lock()
        self._warm = threading.Event()
        self._opening = Pace(fixed_s=3.0, per_megapixel_s=0.25)
        self._rendering = Pace(fixed_s=1.0, per_megapixel_s=0.25)

    def warm_up(self) -> None:
        """In a thread, once: load what the first photo would wait for, torch with the network, and kernels.

        Not before somebody comes, so that the page is there at once. Jobs wait for it: two threads that import torch at
        the same time find it half there.
        """
        if not self._warm.is_set():
            self._warm.set()
            threading.Thread(target=self._load, name="studio warm-up", daemon=True).start()

    def _load(self) -> None:
        from wideopen import Lens, Photo, analyze, render

        with self._loading, without_collection():  # 2.7 s, not 3.4 s
            scene = analyze(Photo(rgb=np.random.default_rng(1).random((96, 128, 3), np.float32)))
            for look in ("thin-lens", "paper"):
                render(scene, Lens(focus_disparity=0.5, look=look, grain=2.0))

    def close(self) -> None:
        """End all sessions and delete their photos."""
        self.sessions.close()

    def end(self, key: str) -> None:
        """A tab was closed."""
        self.sessions.end(key)
        give_back()

    # Opening

    def open_upload(self, key: str, upload: Path, name: str, form: Form) -> Messages:
        """Open a photo that was uploaded; the upload is moved into the session. Raises InvalidInput."""
        session = self.sessions.open(key)
        suffix = Path(name).suffix.lower()
        kept = suffix if suffix in (*EXTENSIONS, *RAW_EXTENSIONS) else ""
        path = session.new_folder() / f"photo{kept}"
        shutil.move(upload, path)
        megabytes = path.stat().st_size / 1e6
        if megabytes > self.limits.max_megabytes:
            path.unlink()
            raise InvalidInput(
                f"{name}: expected a photo of at most {self.limits.max_megabytes:g} MB, found {megabytes:.0f} MB"
            )
        yield from self._open(key, path, name, form)

    def open_sample(self, key: str, sample: str, form: Form) -> Messages:
        """Open one of the shipped photos."""
        require(sample in SAMPLES, f"sample: expected one of {', '.join(SAMPLES)}, found {sample!r}")
        name, credit = SAMPLES[sample]
        yield from self.open_file(key, _SAMPLES_FOLDER / name, form, notes=(credit,))

    def open_file(self, key: str, file: Path, form: Form, notes: tuple[str, ...] | None = None) -> Messages:
        """Open a copy of a photo on this machine, with `notes` instead of its own."""
        path = self.sessions.open(key).new_folder() / f"photo{file.suffix.lower()}"
        shutil.copyfile(file, path)
        yield from self._open(key, path, file.name, form, notes=notes)

    def give_map(self, key: str, kind: str, upload: Path, form: Form) -> Messages:
        """Take the photographer's own matte or disparity for the open photo. Strokes are dropped."""
        session = self.sessions.get(key)
        loaded = session.photo
        file = loaded.path.parent / f"given-{kind}{upload.suffix.lower()}"
        shutil.move(upload, file)
        given = replace(loaded.given, matte=file) if kind == "matte" else replace(loaded.given, disparity=file)
        try:
            yield from self._open(key, loaded.path, loaded.name, form, given=given, keeps_folder=True)
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(str(file), upload.name)) from error

    def _open(
        self,
        key: str,
        path: Path,
        name: str,
        form: Form,
        *,
        given: Given = NOTHING_GIVEN,
        notes: tuple[str, ...] | None = None,
        keeps_folder: bool = False,
    ) -> Messages:
        session = self.sessions.get(key)
        previous = session.loaded
        try:
            megapixels = _megapixels(path)
            most = self.limits.max_megapixels
            require(megapixels <= most, f"{name}: expected at most {most:g} megapixels, found {megapixels:.1f}")
            loaded = yield from self._heavy(
                self._opening,
                megapixels,
                f"Opening {name}",
                lambda step: full_size.open_full(path, name, self.limits, step, given=given),
            )
        except BaseException as error:
            if not keeps_folder:
                shutil.rmtree(path.parent, ignore_errors=True)
            if isinstance(error, InvalidInput):
                said = str(error).replace(str(path), name)
                raise InvalidInput(said if name in said or keeps_folder else f"{name}: {said}") from error
            raise
        if notes is not None:
            loaded.notes = notes
        if keeps_folder and previous is not None:
            loaded.focus, loaded.edit = previous.focus, previous.edit + 1
        with session.lock:
            session.loaded = loaded
            if not session.folder.exists():  # the session ended meanwhile
                session.loaded = None
                raise InvalidInput(ENDED)
            content = merged(messages.of_photo(loaded), self._rendered(key, session, form, session.next_turn()))
        if previous is not None and not keeps_folder:
            shutil.rmtree(previous.path.parent, ignore_errors=True)
        yield messages.message(**content)

    # Quick actions

    def render(self, key: str, form: Form) -> Message | None:
        """The preview with these settings; None when a newer one was asked for meanwhile."""
        return self._act(key, form, lambda _: {})

    def focus_at(self, key: str, x: float, y: float, form: Form) -> Message | None:
        """Focus on a point, in fractions of the photo."""
        require(0 <= x <= 1 and 0 <= y <= 1, f"focus: expected a point in the photo, found {x:g}, {y:g}")

        def act(loaded: Loaded) -> Message:
            height, width = loaded.size
            loaded.focus = f"{min(int(x * width), width - 1)},{min(int(y * height), height - 1)}"
            return {}

        return self._act(key, form, act)

    def focus_on_subject(self, key: str, form: Form) -> Message | None:
        """Focus on the subject again."""

        def act(loaded: Loaded) -> Message:
            loaded.focus = "subject"
            return {}

        return self._act(key, form, act)

    def stroke(self, key: str, stroke: Stroke, form: Form) -> Message | None:
        """Paint one stroke."""
        return self._edit(key, form, lambda loaded, maps: loaded.history.paint(loaded.preview.rgb, maps, stroke))

    def undo(self, key: str, form: Form) -> Message | None:
        """Take the last stroke back."""
        return self._edit(key, form, lambda loaded, maps: loaded.history.undo(maps))

    def _edit(self, key: str, form: Form, change: Callable[[Loaded, Maps], Maps]) -> Message | None:
        def act(loaded: Loaded) -> Message:
            preview = loaded.preview
            changed = change(loaded, Maps(preview.matte, preview.disparity))
            loaded.preview = with_maps(preview, *changed)
            loaded.edit += 1
            return {"pictures": messages.of_maps(loaded), "strokes": len(loaded.history.strokes)}

        return self._act(key, form, act)

    def _act(self, key: str, form: Form, act: Callable[[Loaded], Message]) -> Message | None:
        """Change something, then render; what was changed is told even if a newer action renders."""
        session = self.sessions.get(key)
        turn = session.next_turn()
        with session.lock:
            told = act(session.photo)
            if session.is_stale(turn) and not told:
                return None
            rendered = self._rendered(key, session, form, turn)
        return messages.message(**merged(told, rendered))

    def _rendered(self, key: str, session: Session, form: Form, turn: int) -> Message:
        """The content of a message with the preview; call with the session's lock held."""
        loaded = session.photo
        settings = self.settings(key, form)
        content = messages.of_focus(loaded) | {"readout": readout(settings, loaded.size)}
        with self._quick:
            if session.is_stale(turn):
                return content
            loaded.preview = loaded.preview.prepared()
            lens = lens_of(settings, loaded.preview, focus_disparity(loaded))
            picture = render_preview(loaded.preview, lens)
        return content | {"pictures": {"result": messages.data_url(picture)}}

    # Full size

    def detail(self, key: str, box: tuple[float, float, float, float], form: Form) -> Messages:
        """A part of the full-size result, `box` (x, y, width, height) in fractions; rendered once per setting."""
        session = self.sessions.get(key)
        loaded, settings = session.photo, self.settings(key, form)
        wanted, edit = loaded.path.parent / "detail.npy", loaded.edit
        found = session.detail
        if found is None or (found.settings, found.edit, found.pixels) != (settings, edit, wanted):

            def job(step: Steps) -> Detail:
                np.save(wanted, full_size.render_pixels(loaded, settings, self.limits, step))
                return Detail(settings=settings, edit=edit, pixels=wanted)

            found = yield from self._heavy(self._rendering, _size_mp(loaded), "Rendering at full size", job)
            session.detail = found
        part, where = full_size.crop(np.load(wanted, mmap_mode="r"), box)
        height, width = loaded.size
        place = [where[0] / width, where[1] / height, where[2] / width, where[3] / height]
        yield messages.message(detail={"box": place, "picture": messages.data_url(part, close=True)})

    def download(self, key: str, form: Form, kind: str, quality: int | None) -> Messages:
        """The result at full size as a file."""
        session = self.sessions.get(key)
        loaded, settings = session.photo, self.settings(key, form)
        name, output = self._result(loaded, kind, quality)
        out = session.new_folder() / name
        path = yield from self._heavy(
            self._rendering,
            _size_mp(loaded),
            "Rendering at full size",
            lambda step: full_size.render_result(loaded, settings, output, out, self.limits, step),
        )
        yield messages.message(download={"path": str(path), "name": name})

    def download_map(self, key: str, kind: str) -> Messages:
        """Matte or disparity at full size, 16-bit PNG."""
        loaded = self.sessions.get(key).photo
        files = yield from self._heavy(
            self._rendering, _size_mp(loaded), "Writing the maps", lambda _: full_size.full_maps(loaded)
        )
        file = files[0 if kind == "matte" else 1]
        yield messages.message(download={"path": str(file), "name": file.name})

    def _result(self, loaded: Loaded, kind: str, quality: int | None) -> tuple[str, OutputSettings]:
        require(kind in FORMATS, f"format: expected one of {', '.join(FORMATS)}, found {kind!r}")
        name = result_name(Path(loaded.name), FORMATS[kind])
        return name, OutputSettings(output_quality=int(quality) if quality and has_quality(Path(name)) else None)

    def command(self, key: str, form: Form, kind: str, quality: int | None) -> str:
        """The command line that makes the same download; empty before a photo is open."""
        loaded = self.sessions.open(key).loaded
        if loaded is None:
            return ""
        name, output = self._result(loaded, kind, quality)
        options = {} if output.output_quality is None else {"output-quality": output.output_quality}
        settings = self.settings(key, form)
        return command_line(loaded.name, settings, out=name, options=options, edited=loaded.edited)

    # Settings and looks

    def settings(self, key: str, form: Form) -> LensSettings:
        """What the controls say, over what a preset said that has no control."""
        session = self.sessions.open(key)
        return settings_of(form, session.base, session.loaded.focus if session.loaded else "subject")

    def preset(self, key: str, form: Form) -> Message:
        """The look as a file to keep."""
        text = preset_of(self.settings(key, form))
        return messages.message(download={"text": text, "name": "look.json"})

    def take_preset(self, key: str, file: Path) -> Form:
        """The controls for a look that was kept."""
        session = self.sessions.open(key)
        settings = read_preset(file.read_text(encoding="utf-8", errors="replace"), file.name)
        session.base = settings
        return form_of(settings, max(session.loaded.size) if session.loaded else 4000)

    def _heavy(
        self, pace: Pace, megapixels: float, doing: str, job: Callable[[Steps], Made]
    ) -> Generator[Message, None, Made]:
        def loaded_job(step: Steps) -> Made:
            step("loading")
            with self._loading:
                pass
            try:
                return job(step)
            finally:
                give_back()

        steps = run(self._gate, pace, megapixels, loaded_job)
        while True:
            try:
                told = next(steps)
            except StopIteration as end:
                made: Made = end.value
                return made
            yield messages.message(**messages.of_progress(told, doing))


def merged(first: Message, second: Message) -> Message:
    """The content of both, with the pictures of both."""
    return first | second | {"pictures": first.get("pictures", {}) | second.get("pictures", {})}


def focus_disparity(loaded: Loaded) -> float | None:
    """The disparity at the point in focus, from the map that the full size is rendered with; None = the subject."""
    if "," not in loaded.focus:
        return None
    x, y = (int(part) for part in loaded.focus.split(","))
    if not loaded.painted:
        disparity: F32 = np.load(loaded.disparity, mmap_mode="r")
        return float(disparity[y, x])
    rows, columns = loaded.preview.size
    return float(loaded.preview.disparity[y * rows // loaded.size[0], x * columns // loaded.size[1]])


def readout(settings: LensSettings, size: tuple[int, int]) -> dict[str, str]:
    """The blur in the words of photographers and of pixels."""
    percent = float(settings.blur.removesuffix("%"))
    return {
        "f_number": f_number_text(percent / 100),
        "radius": f"{percent / 100 * max(size):.0f} px",
        "percent": f"{percent:g}%",
    }


def _size_mp(loaded: Loaded) -> float:
    return loaded.size[0] * loaded.size[1] / 1e6


def _megapixels(path: Path) -> float:
    """Of a photo's file, without decoding it where it says so; else a guess. Raises InvalidInput for no photo."""
    data = path.read_bytes()
    facts = facts_in(data) if data else None
    return len(data) / 1e6 / _MEGABYTES_PER_MEGAPIXEL if facts is None else facts.width * facts.height / 1e6


def last(stream: Iterator[Message]) -> Message:
    """The last message of a heavy action, for tests and scripts."""
    *_, final = stream
    return final
