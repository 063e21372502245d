"""`wideopen serve` and `wideopen studio`: the HTTP service and the page in the browser."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import made, takes
from wideopen.cli.terminal import steps, warn
from wideopen.errors import InvalidInput, require, require_packages, system_errors
from wideopen.service import ServeSettings
from wideopen.settings import MapSettings

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NEEDS = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "pebble")
_STUDIO_NEEDS = ("gradio", "pebble")


@takes(ServeSettings, MapSettings)
def serve(
    folder: Annotated[Path | None, "Folder for uploads and scenes. Default: the system's temporary folder."] = None,
    token_file: Annotated[Path | None, "File with the bearer token that requests must send. Default: no token."] = None,
    allowed_host: Annotated[
        list[str] | None, "Host name that requests may address; may be repeated. Default on loopback: localhost."
    ] = None,
    backend: options.Backend = "auto",
    **chosen: Any,
) -> None:
    """Render photos for clients over HTTP."""
    settings = made(ServeSettings, chosen)
    require(folder is None or folder.is_dir(), f"--folder: expected a folder, found {folder}")
    local = settings.host in _LOOPBACK
    try:
        token = None if token_file is None else token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"--token-file: {token_file} cannot be read ({error})") from error
    settings = replace(
        settings,
        maps=made(MapSettings, chosen),
        backend=backend,
        token=token,
        hosts=tuple(allowed_host or ()) or ((*_LOOPBACK, "[::1]") if local else ()),
        folder=folder,
    )
    require_packages("wideopen serve", "serve", *_NEEDS)
    if settings.studio:
        require_packages("wideopen serve --studio", "web", *_STUDIO_NEEDS)
    from wideopen.service import app
    from wideopen.service.observe import to_stderr
    from wideopen.session.open_photo import fetch_named_model

    if not local and settings.token is None:
        warn(f"note: others may reach {settings.host}, and without --token-file anyone can use the service")
    with steps(settings.maps.depth) as step:
        fetch_named_model(settings.maps, step)
    to_stderr(settings.log_level)
    with system_errors(f"--host, --port: cannot listen on {settings.host}:{settings.port}"):
        app.serve(settings)


@takes(MapSettings, after="port")
def studio(
    photo: Annotated[Path | None, typer.Argument(help="Photo to open in the studio.")] = None,
    host: Annotated[str, "Address to listen on; 0.0.0.0 lets others in your network connect."] = ("127.0.0.1"),
    port: Annotated[int, "Port to listen on."] = 7860,
    backend: options.Backend = "auto",
    **chosen: Any,
) -> None:
    """Open a page in the browser to adjust focus, blur and light. Photos stay on this machine."""
    require_packages("wideopen studio", "web", *_STUDIO_NEEDS)
    from wideopen.studio import StudioSettings
    from wideopen.studio.launch import serve

    serve(host, port, photo, StudioSettings(maps=made(MapSettings, chosen), backend=backend))
