"""`make_app(config)` builds the app from its routes, error handlers, limits and the studio."""

import base64
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wideopen import __version__
from wideopen.service import routes
from wideopen.service.config import ServeConfig
from wideopen.service.observe import LOG, Metrics, event
from wideopen.service.problems import GONE, add_handlers, documented, problem_response
from wideopen.service.service import Service

STUDIO = "/studio"
_ABOUT = """A sharp portrait in, a photo as from a fast lens wide open out.

`POST /v1/render` does all at once. `POST /v1/analyze` understands a photo once, `POST /v1/scenes/{id}/render` renders
it again and again. Errors are problem+json. Beyond its queue the service answers 503 with Retry-After.
"""


def make_app(config: ServeConfig) -> FastAPI:
    """Return the service as an ASGI app; its workers start and end with the app's lifespan."""
    service = Service(config)

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
    for protected in (routes.work_routes, routes.info_routes):
        if config.token is None:
            app.include_router(protected)
        else:
            token = Depends(routes.require_token)
            app.include_router(protected, dependencies=[token], responses=documented("unauthorized"))
    app.include_router(routes.state_routes)
    if config.hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(config.hosts), www_redirect=False)
    app.add_middleware(Outermost, token=config.token, metrics=service.metrics)
    if config.studio:
        from wideopen.studio.launch import mount
        from wideopen.studio.tabs import StudioConfig

        settings = StudioConfig(
            maps=config.maps,
            backend=config.backend,
            photo_s=config.limits.request_s,
            max_megabytes=config.limits.body_mb,
            max_megapixels=config.limits.megapixels,
        )
        mount(app, STUDIO, config=settings, run=service.run, jobs=config.workers)
    return app


class Outermost:
    """Outermost middleware: request ids, the request log, metrics, the studio's login, and a response to bugs."""

    def __init__(self, app: ASGIApp, token: str | None, metrics: Metrics) -> None:
        self._app = app
        self._token = token
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; pass everything else on unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(self._metrics, scope, receive, send)
        try:
            if self._may_enter(scope):
                await self._app(scope, request.receive, request.send)
            else:
                login = {"WWW-Authenticate": 'Basic realm="wideopen", charset="UTF-8"'}
                answer = problem_response("unauthorized", "the password is the token", login)
                await answer(scope, receive, request.send)
        except ClientDisconnect:
            request.status = GONE
        except Exception:  # noqa: BLE001  the last line of defence: bugs
            LOG.exception("bug", extra={"fields": {"request": request.id}})
            if request.status == 0:
                await problem_response("bug", "The service's log says more.")(scope, receive, request.send)
        finally:
            request.end()

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


class _Request:
    """A request in progress: counts its bytes, records its status and adds its id to the response headers."""

    def __init__(self, metrics: Metrics, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics, self._scope, self._receive, self._send = metrics, scope, receive, send
        self.id = secrets.token_hex(8)
        self.status = 0
        self._began = time.perf_counter()
        self._bytes_in = 0
        self._bytes_out = 0

    async def receive(self) -> Message:
        """Receive a message and count its bytes."""
        message = await self._receive()
        self._bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Add headers, count the bytes and send a message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        self._bytes_out += len(message.get("body", b""))
        await self._send(message)

    def end(self) -> None:
        """Log and count the request. The client chose the path, so only the route's pattern is logged."""
        route = getattr(self._scope.get("route"), "path", "other")
        seconds = time.perf_counter() - self._began
        self._metrics.requests.labels(route, str(self.status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        self._metrics.bytes_in.inc(self._bytes_in)
        self._metrics.bytes_out.inc(self._bytes_out)
        event(
            "request",
            level=logging.DEBUG if route in ("/healthz", "/readyz", "/metrics") else logging.INFO,
            request=self.id,
            method=self._scope["method"],
            route=route,
            status=self.status,
            seconds=round(seconds, 4),
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            **self._scope.get("wideopen.fields", {}),
        )
