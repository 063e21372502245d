"""uvicorn around the app: time-outs for headers, a bound on connections, and a stop that finishes what runs."""

import asyncio
import os
import signal
import socket
import tempfile
from contextlib import ExitStack
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from wideopen.service.app import make_app
from wideopen.service.log import event
from wideopen.service.operation import ServeConfig

_IDLE_S = 5
_MOST_HEADERS = 32_768  # bytes


class _Impatient(H11Protocol):  # type: ignore[misc]  # uvicorn is not followed
    """Closes connections whose headers do not arrive in time, which uvicorn awaits without end, and those too many."""

    headers_s = 10.0
    rest_s = 60.0
    """For the rest of a body that was answered before its end; it is read and forgotten."""
    most = 1000
    _headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._have_headers()
        elif self._headers_due is None and self.timeout_keep_alive_task is None:
            self._expect_headers()  # another request has begun, or the rest of a body is there at last

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(self.rest_s, self._still_sending, self.cycle)

    def _still_sending(self, cycle: Any) -> None:
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self.transport.abort()

    def _expect_headers(self) -> None:
        self._headers_due = self.loop.call_later(self.headers_s, self._too_late)

    def _have_headers(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _too_late(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.abort()


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
        server = uvicorn.Server(_settings(config, stop_s=stop_s, connections=connections))
        event("listening", host=host, port=listening.getsockname()[1])
        server.run(sockets=[listening])


def _settings(config: ServeConfig, *, stop_s: float, connections: int) -> uvicorn.Config:
    class Protocol(_Impatient):
        headers_s = config.limits.silence_s
        rest_s = config.limits.body_s
        most = connections

    return uvicorn.Config(
        make_app(config),
        http=Protocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=round(stop_s),
        h11_max_incomplete_event_size=_MOST_HEADERS,
    )
