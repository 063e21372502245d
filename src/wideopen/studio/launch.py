"""Serve the studio by itself, or mount it on another app."""

import atexit
import gc
import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.lens import LOOKS
from wideopen.studio import StudioSettings
from wideopen.studio.actions import RunInWorker, Studio
from wideopen.workers import WarmUp, Workers, pool_size

_CACHE_S = (300, 1800)  # for Gradio's own uploads: seconds between checks, and the age at which they are deleted


def make_app(
    config: StudioSettings,
    run: RunInWorker,
    *,
    jobs: int,
    start: Callable[[], object] | None = None,
    photo: Path | None = None,
) -> Any:
    """The page as a `gradio.Blocks`; `photo` is opened in every new tab.

    `run` runs functions in worker processes, at most `jobs` at a time; `start` starts these and is called when the
    first page can be used. Serve the page with `page.style()`, as `mount` and `serve` do. Its `studio` is closed when
    the interpreter exits.
    """
    import gradio as gr
    from gradio.utils import get_upload_folder

    from wideopen.studio.events import Events
    from wideopen.studio.page import TITLE, build

    # Inside Gradio's own folder: its server serves files from there, only to clients that know their names.
    root, progress = Path(get_upload_folder()) / f"wideopen-{secrets.token_hex(8)}", gr.Progress()
    studio = Studio(root, config, run, lambda share, what: progress(share, desc=what))
    atexit.register(studio.close)

    def load() -> None:
        """Start the workers, then load the kernels for previews."""
        if start is not None:
            start()
        studio.warm_up()

    once = cache(lambda: threading.Thread(target=load, name="studio warm-up", daemon=True).start())

    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=_CACHE_S) as app:
        Events(studio, build(), jobs=jobs).wire(app, photo=photo, on_ready=once)
    app.studio = studio
    app.state_session_capacity = config.tabs  # limits the tabs whose values and last pictures Gradio keeps
    return app


def mount(
    server: Any, path: str, config: StudioSettings | None = None, *, run: RunInWorker | None = None, jobs: int = 1
) -> Any:
    """Mount the studio at `path` of a FastAPI app and return that app.

    `run` runs functions in worker processes of the app, `jobs` at a time; without it the studio starts its own.
    """
    import gradio as gr

    from wideopen.studio.page import style

    config, start = config or StudioSettings(), None
    if run is None:
        workers = _own_workers(config)
        atexit.register(workers.stop)
        run, jobs, start = runner(workers, config.photo_s), workers.size.workers, workers.start
    app = make_app(config, run, jobs=jobs, start=start)
    return gr.mount_gradio_app(server, app, path, **style(), **_served(config))


def serve(host: str, port: int, photo: Path | None, config: StudioSettings | None = None) -> None:
    """Serve the studio until interrupted. Raises InvalidInput for a missing photo or a port in use."""
    require(photo is None or photo.is_file(), f"{photo}: expected a photo, found no such file")
    require(1 <= port <= 65535, f"--port: expected 1 to 65535, found {port}")
    config = config or StudioSettings()
    workers = _own_workers(config)
    folder = Path(tempfile.mkdtemp(prefix="wideopen-studio-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # photos are deleted then, too
    os.environ["GRADIO_TEMP_DIR"] = str(folder)  # only this server uses it, so all of it can be deleted at exit
    gc.disable()  # imports make no garbage: saves 0.6 s
    from wideopen.studio.page import style

    app = make_app(config, runner(workers, config.photo_s), jobs=workers.size.workers, start=workers.start, photo=photo)
    gc.freeze()
    gc.enable()
    try:
        app.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            show_error=False,
            prevent_thread_lock=True,
            state_session_capacity=config.tabs,
            **_served(config),
            **style(),
        )
        print(f"wideopen studio: http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}", flush=True)  # noqa: S104, T201
        app.block_thread()
    except OSError as error:
        raise InvalidInput(f"--port: expected a free port on {host}, found {port} taken") from error
    finally:
        app.close(verbose=False)
        app.studio.close()
        workers.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _own_workers(config: StudioSettings) -> Workers:
    """Workers of a studio without a service; they start with the first page or photo."""
    return Workers(pool_size(), WarmUp(maps=config.maps, looks=LOOKS, backend=config.backend))


def runner(workers: Workers, timeout_s: float) -> RunInWorker:
    """What runs a studio's functions in `workers`; Gradio's queue runs only as many at a time as there are."""

    async def run(function: Callable[..., Any], *arguments: Any) -> Any:
        return (await workers.run(function, *arguments, timeout_s=timeout_s)).value

    return run


def _served(config: StudioSettings) -> dict[str, Any]:
    """Server settings for both `launch` and `mount_gradio_app`."""
    return {
        "max_file_size": int(config.max_megabytes * 1e6),
        "footer_links": [],
        "ssr_mode": False,
        "pwa": False,
        "enable_monitoring": False,
        "run_history": False,  # it would keep pictures in the browser
    }
