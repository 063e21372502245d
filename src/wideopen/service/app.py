"""`serve` runs the service in uvicorn; `make_app` builds it from its routes, error handlers, limits and the studio."""

import base64
import logging
import os
import secrets
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wideopen import __version__
from wideopen.service import ServeSettings, routes
from wideopen.service.observe import LOG, Metrics, event
from wideopen.service.problems import GONE, add_handlers, documented, problem_response
from wideopen.service.service import Service

STUDIO = "/studio"
_QUIET = ("/healthz", "/readyz", "/metrics")  # asked every few seconds: logged as debug
_KEEP_ALIVE_S = 5
_MOST_HEADERS = 32_768  # bytes
_ABOUT = """Takes a sharp portrait and returns it as if photographed with a fast lens wide open.

`POST /v1/render` renders a photo in one call. `POST /v1/analyze` analyses a photo once, and
`POST /v1/scenes/{id}/render` renders it with as many lenses as you like. Errors are problem+json. When the queue is
full, the service answers 503 with Retry-After.
"""


def serve(settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM; then refuse new connections, finish running requests and return.

    A second SIGINT ends the service at once. Raises OSError if the address is not available.
    """
    # uvicorn raises the signal again after it has stopped, when there is nothing left to interrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    address, most = (settings.host, settings.port), settings.connections
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(address, family=family, backlog=min(most, 2048)))
        if settings.studio:  # uploads are removed when the server stops
            folder = tempfile.TemporaryDirectory(prefix="wideopen-studio-", dir=settings.folder)
            os.environ["GRADIO_TEMP_DIR"] = stack.enter_context(folder)
        config = uvicorn.Config(
            make_app(settings),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=most + 1,  # uvicorn also counts the new connection
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=round(settings.stop_timeout),
            h11_max_incomplete_event_size=_MOST_HEADERS,
        )
        event("listening", host=settings.host, port=listening.getsockname()[1])
        uvicorn.Server(config).run(sockets=[listening])


def make_app(settings: ServeSettings) -> FastAPI:
    """Return the service as an ASGI app; its workers start and end with the app's lifespan."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    # No /docs: that page loads its scripts from a CDN.
    app = FastAPI(
        title="wideopen",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    add_handlers(app)
    login: dict[str, Any] = {}
    if settings.token is not None:
        login = {"dependencies": [Depends(routes.require_token)], "responses": documented("unauthorized")}
    for protected in (routes.work_routes, routes.info_routes):
        app.include_router(protected, **login)
    app.include_router(routes.state_routes)
    if settings.hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts), www_redirect=False)
    app.add_middleware(Outermost, token=settings.token, metrics=service.metrics)
    if settings.studio:
        from wideopen.studio import StudioSettings
        from wideopen.studio.launch import mount

        studio = StudioSettings(
            maps=settings.maps,
            backend=settings.backend,
            photo_s=settings.request_timeout,
            max_megabytes=settings.max_mb,
            max_megapixels=settings.max_megapixels,
        )
        mount(app, STUDIO, studio, run=service.run, jobs=service.size.workers)
    return app


class Outermost:
    """Outermost middleware: request ids, the request log, metrics, the studio's login, and a response to bugs."""

    def __init__(self, app: ASGIApp, token: str | None, metrics: Metrics) -> None:
        self._app, self._token, self._metrics = app, token, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; pass everything else on unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, status, begin = secrets.token_hex(8), 0, time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            if self._may_enter(scope):
                await self._app(scope, receive, send_with_headers)
            else:
                login = {"WWW-Authenticate": 'Basic realm="wideopen", charset="UTF-8"'}
                refusal = problem_response("unauthorized", "the password is the token", login)
                await refusal(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = GONE
        except Exception:  # noqa: BLE001  the last line of defence: bugs
            LOG.exception("bug", extra={"fields": {"request": request}})
            if status == 0:
                await problem_response("bug", "The service's log says more.")(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "other")  # its pattern: the client chose the path
            seconds = time.perf_counter() - begin
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(seconds)
            level = logging.DEBUG if route in _QUIET else logging.INFO
            about = {"request": request, "method": scope["method"], "route": route, "status": status}
            event("request", level=level, **about, seconds=round(seconds, 4), **scope.get("wideopen.fields", {}))

    def _may_enter(self, scope: Scope) -> bool:
        """Whether the request may pass: the studio needs the token, as a bearer token or as a login's password."""
        if self._token is None or not (scope["path"] == STUDIO or scope["path"].startswith(f"{STUDIO}/")):
            return True
        scheme, _, value = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                value = base64.b64decode(value, validate=True).decode().partition(":")[2]
            except ValueError:
                return False
        return scheme.lower() in ("basic", "bearer") and routes.same_token(value, self._token)
