"""Runs the app in uvicorn, with limits on headers and connections and a graceful stop."""

import os
import signal
import socket
import tempfile
from contextlib import ExitStack

import uvicorn

from wideopen.service.app import make_app
from wideopen.service.config import ServeConfig
from wideopen.service.observe import event

_IDLE_S = 5
_MOST_HEADERS = 32_768  # bytes


def serve(config: ServeConfig, *, host: str, port: int, stop_s: float, connections: int) -> None:
    """Serve until SIGINT or SIGTERM; then refuse new connections, finish running requests within `stop_s` and return.

    A second SIGINT ends the service at once. Raises OSError if the address is not available.
    """
    # uvicorn raises the signal again after it has stopped, when there is nothing left to interrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listening = socket.create_server((host, port), family=family, backlog=min(connections, 2048))
        stack.enter_context(listening)
        if config.studio:  # uploads are removed when the server stops
            folder = tempfile.TemporaryDirectory(prefix="wideopen-studio-", dir=config.folder)
            os.environ["GRADIO_TEMP_DIR"] = stack.enter_context(folder)
        settings = uvicorn.Config(
            make_app(config),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=connections + 1,  # uvicorn also counts the new connection
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=round(stop_s),
            h11_max_incomplete_event_size=_MOST_HEADERS,
        )
        event("listening", host=host, port=listening.getsockname()[1])
        uvicorn.Server(settings).run(sockets=[listening])
