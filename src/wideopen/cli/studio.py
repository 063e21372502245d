"""`wideopen studio`: the page where a photographer plays with the lens."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer


def studio(
    photo: Annotated[Path | None, typer.Argument(help="Photo to open in the studio.", show_default=False)] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 allows others in your network.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 7860,
) -> None:
    """Open a page in the browser to adjust focus, blur and light. Photos stay on this machine."""
    from wideopen.errors import InvalidInput

    for module in ("gradio", "pebble"):
        if find_spec(module) is None:
            raise InvalidInput(f"studio needs {module}, found it not installed; pip install 'wideopen[web]'")
    from wideopen.studio.launch import serve

    serve(host, port, photo)
