"""Serve the studio by itself, or make it for another app to mount."""

import atexit
import gc
import inspect
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.studio.actions import Studio
from wideopen.studio.tabs import Limits
from wideopen.studio.trim import without_collection

SWEEP_EVERY_S = 60.0
_CACHE_S = (300, 1800)  # Gradio's own uploads: looked at, and deleted when older


def make_app(limits: Limits | None = None, *, photo: Path | None = None, heavy_jobs: int | None = None) -> Any:
    """The page as a `gradio.Blocks`; `photo` is opened in every new tab, `heavy_jobs` is one for each core.

    Serve it with `page.style()`, as `mount` and `serve` do. Its `studio` is closed when the interpreter ends.
    """
    import gradio as gr
    from gradio.utils import get_upload_folder

    from wideopen.studio.events import Events
    from wideopen.studio.page import TITLE, build

    def uploads() -> Path:
        return Path(get_upload_folder())

    # Inside of Gradio's own folder: its server gives files from there, and only to who knows their names.
    root = uploads() / f"wideopen-{secrets.token_hex(8)}"
    studio = Studio(root, limits or Limits(), heavy_jobs=heavy_jobs or os.cpu_count() or 1)
    atexit.register(studio.close)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=_CACHE_S) as app:
        Events(studio, build(), uploads, photo).wire(app)
    app.studio = studio
    app.state_session_capacity = studio.limits.sessions  # what Gradio itself keeps of tabs, their last pictures too
    threading.Thread(target=_sweep, args=(studio,), name="studio sweep", daemon=True).start()
    return app


def mount(server: Any, path: str, limits: Limits | None = None, *, heavy_jobs: int | None = None) -> Any:
    """Mount the studio at `path` of a FastAPI app, and return that app."""
    import gradio as gr

    from wideopen.studio.page import style

    limits = limits or Limits()
    app = make_app(limits, heavy_jobs=heavy_jobs)
    return gr.mount_gradio_app(server, app, path, **style(), **_served(limits))


def serve(host: str, port: int, photo: Path | None, limits: Limits | None = None) -> None:
    """Serve the studio until interrupted. Raises InvalidInput for a photo that is none, or a port that is taken."""
    require(photo is None or photo.is_file(), f"{photo}: expected a photo, found no such file")
    require(1 <= port <= 65535, f"--port: expected 1 to 65535, found {port}")
    folder = Path(tempfile.mkdtemp(prefix="wideopen-studio-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # however it is told to end, photos are deleted
    os.environ["GRADIO_TEMP_DIR"] = str(folder)  # of this server alone, so that all of it can go in the end
    limits = limits or Limits()
    with without_collection(), _without_stubs():
        from wideopen.studio.page import style

        app = make_app(limits, photo=photo)
    gc.freeze()
    try:
        app.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            show_error=False,
            prevent_thread_lock=True,
            state_session_capacity=limits.sessions,
            **_served(limits),
            **style(),
        )
        print(f"wideopen studio: http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}", flush=True)  # noqa: S104, T201
        app.block_thread()
    except OSError as error:
        raise InvalidInput(f"--port: expected a free port on {host}, found {port} taken") from error
    finally:
        app.close(verbose=False)
        app.studio.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _without_stubs() -> Iterator[None]:
    """Let the import of gradio take 0.8 s, not 1.4 s, by leaving out its stubs for editors (.pyi).

    Whenever a class of a component is made it compares stub and source, and writes the stub. Not for classes whose file
    Python does not find, as when they were typed into an interpreter.
    """
    find = inspect.getfile

    def getfile(thing: Any) -> str:
        if type(thing).__module__.startswith("gradio."):  # a class that is made by a metaclass of gradio
            raise OSError("no stub is wanted")
        return find(thing)

    inspect.getfile = getfile  # type: ignore[assignment]  # its argument is named as a built-in
    try:
        yield
    finally:
        inspect.getfile = find


def _sweep(studio: Studio) -> None:
    while studio.sessions.is_open:
        time.sleep(SWEEP_EVERY_S)
        studio.sessions.sweep()


def _served(limits: Limits) -> dict[str, Any]:
    """Settings of the server that `launch` and `mount_gradio_app` share."""
    return {
        "max_file_size": int(limits.max_megabytes * 1e6),
        "footer_links": [],
        "ssr_mode": False,
        "pwa": False,
        "enable_monitoring": False,
    }
