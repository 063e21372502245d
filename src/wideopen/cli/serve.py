"""`wideopen serve` and `wideopen studio`: the HTTP service and the page in the browser."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import made, takes
from wideopen.errors import InvalidInput, require
from wideopen.settings import MapSettings

if TYPE_CHECKING:
    from wideopen.service.config import ServeConfig

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NEEDS = {"fastapi": "serve", "uvicorn": "serve", "python_multipart": "serve", "prometheus_client": "serve"}
_STUDIO_NEEDS = {"gradio": "web", "pebble": "web"}
_LEVELS = ("debug", "info", "warning", "error")


@takes(MapSettings, after="studio")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free port.")] = 8000,
    workers: Annotated[
        int | None, typer.Option(help="Number of worker processes. Default: as cores and memory allow.")
    ] = None,
    waiting: Annotated[
        int | None, typer.Option(help="Number of requests that may wait for a worker. Default: 4 per worker.")
    ] = None,
    uploads: Annotated[int, typer.Option(help="Number of request bodies read at a time.")] = 16,
    connections: Annotated[int, typer.Option(help="Number of open connections; further ones get 503.")] = 1000,
    max_mb: Annotated[float, typer.Option(help="Largest request body, in megabytes.")] = 64.0,
    max_megapixels: Annotated[float, typer.Option(help="Largest photo or map, in megapixels.")] = 50.0,
    body_timeout: Annotated[float, typer.Option(help="Time limit for receiving a request, in seconds.")] = 60.0,
    request_timeout: Annotated[
        float, typer.Option(help="Time limit for answering a request, waiting included, in seconds.")
    ] = 60.0,
    stop_timeout: Annotated[
        float, typer.Option(help="Time limit for requests in progress when the service is stopped, in seconds.")
    ] = 75.0,
    scenes: Annotated[int, typer.Option(help="Number of analysed scenes that are kept.")] = 64,
    scenes_mb: Annotated[float, typer.Option(help="Disk space for analysed scenes, in megabytes.")] = 4000.0,
    scene_minutes: Annotated[float, typer.Option(help="Minutes after which an unused scene is removed.")] = 15.0,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for uploads and scenes. Default: the system's temporary folder.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token that requests must send. Default: no token.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Host name that requests may address; may be repeated. Default on loopback: its own names."),
    ] = None,
    studio: Annotated[bool, typer.Option("--studio", help="Also serve the studio, at /studio.")] = False,
    backend: options.Backend = "auto",
    log_level: Annotated[str, typer.Option(help="Log level: debug, info, warning or error.")] = "info",
    **chosen: Any,
) -> None:
    """Serve rendering over HTTP."""
    _require_extras("serve", _NEEDS | (_STUDIO_NEEDS if studio else {}))
    from wideopen.service.config import RequestLimits, SceneLimits, ServeConfig
    from wideopen.workers import pool_size

    require(log_level in _LEVELS, f"--log-level: expected {', '.join(_LEVELS)}, found {log_level!r}")
    require(0 <= port <= 65535, f"--port: expected 0 to 65535, found {port}")
    require(connections >= 1, f"--connections: expected at least 1, found {connections}")
    require(stop_timeout >= 0, f"--stop-timeout: expected 0 or more, found {stop_timeout:g}")
    require(folder is None or folder.is_dir(), f"--folder: expected a folder, found {folder}")
    size = pool_size(workers)
    names = tuple(allowed_host or ()) or ((*_LOOPBACK, "[::1]") if host in _LOOPBACK else ())
    config = ServeConfig(
        workers=size.workers,
        threads=size.threads,
        waiting=4 * size.workers if waiting is None else waiting,
        uploads=uploads,
        limits=RequestLimits(
            body_mb=max_mb,
            megapixels=max_megapixels,
            body_s=body_timeout,
            request_s=request_timeout,
        ),
        scenes=SceneLimits(most=scenes, most_mb=scenes_mb, idle_s=60 * scene_minutes),
        maps=made(MapSettings, chosen),
        backend=backend,
        token=_token(token_file),
        hosts=names,
        folder=folder,
        studio=studio,
    )
    _run(config, host=host, port=port, stop_s=stop_timeout, connections=connections, log_level=log_level)


@takes(MapSettings, after="port")
def studio(
    photo: Annotated[Path | None, typer.Argument(help="Photo to open in the studio.", show_default=False)] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 allows others in your network.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 7860,
    backend: options.Backend = "auto",
    **chosen: Any,
) -> None:
    """Open a page in the browser to adjust focus, blur and light. Photos stay on this machine."""
    _require_extras("studio", _STUDIO_NEEDS)
    from wideopen.studio.launch import serve
    from wideopen.studio.tabs import StudioConfig

    serve(host, port, photo, StudioConfig(maps=made(MapSettings, chosen), backend=backend))


def _run(config: "ServeConfig", *, host: str, port: int, stop_s: float, connections: int, log_level: str) -> None:
    from wideopen.cli.terminal import steps, warn
    from wideopen.service import server
    from wideopen.service.observe import to_stderr
    from wideopen.session.sources import fetch_named_model

    if host not in _LOOPBACK and config.token is None:
        warn(f"note: {host} may be reached by others, and no --token-file is given: everybody may use the service")
    with steps(config.maps.depth) as step:
        fetch_named_model(config.maps, step)
    to_stderr(log_level)
    try:
        server.serve(config, host=host, port=port, stop_s=stop_s, connections=connections)
    except OSError as error:
        raise InvalidInput(f"--host, --port: cannot listen on {host}:{port} ({error.strerror or error})") from error


def _require_extras(command: str, needs: dict[str, str]) -> None:
    """Refuse to start if a needed module is missing; `needs` is {module: extra that installs it}."""
    for module, extra in needs.items():
        if find_spec(module) is None:
            raise InvalidInput(
                f"wideopen {command} needs {module}, found it not installed; pip install 'wideopen[{extra}]'"
            )


def _token(file: Path | None) -> str | None:
    """The token: the file's content without surrounding whitespace."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"--token-file: {file} cannot be read ({error})") from error
