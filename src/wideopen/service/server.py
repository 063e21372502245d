"""uvicorn around the app: bounds on headers and connections, and a stop that finishes what runs."""

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
    """Serve until SIGINT or SIGTERM, then take no more connections, finish what runs within `stop_s`, and return.

    A second SIGINT ends at once. Raises OSError where the address cannot be had.
    """
    # uvicorn raises the signal again when it has stopped; by then all is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listening = socket.create_server((host, port), family=family, backlog=min(connections, 2048))
        stack.enter_context(listening)
        if config.studio:  # what its users upload goes when the server goes
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
            limit_concurrency=connections + 1,  # uvicorn counts the new one too
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=round(stop_s),
            h11_max_incomplete_event_size=_MOST_HEADERS,
        )
        event("listening", host=host, port=listening.getsockname()[1])
        uvicorn.Server(settings).run(sockets=[listening])
