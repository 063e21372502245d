"""What surrounds every request: its id, its line in the log, its metrics, its time, and our bugs."""

import asyncio
import logging
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wideopen.service.auth import may_enter_studio
from wideopen.service.log import LOG, event
from wideopen.service.metrics import Metrics
from wideopen.service.operation import ServeConfig
from wideopen.service.problems import GONE, WHAT, ClientGone, bug_response, problem_response

STUDIO = "/studio"


class Edge:
    """ASGI middleware, outermost."""

    def __init__(self, app: ASGIApp, config: ServeConfig, metrics: Metrics) -> None:
        self._app = app
        self._config = config
        self._metrics = metrics
        limits = config.limits
        self._all_s = limits.body_s + limits.request_s + limits.grace_s + limits.send_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; what is no HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(self._metrics, scope, receive, send)
        studio = scope["path"] == STUDIO or scope["path"].startswith(f"{STUDIO}/")
        try:
            if not self._is_our_host(scope):
                answer = problem_response(421, "wrong-host", "Misdirected request", "Host: expected one of ours", {})
                await answer(scope, receive, request.send)
                return
            if studio and not self._may_enter_studio(scope):
                asks = {"WWW-Authenticate": 'Basic realm="wideopen", charset="UTF-8"'}
                answer = problem_response(
                    401, "unauthorized", WHAT["unauthorized"][1], "the password is the token", asks
                )
                await answer(scope, receive, request.send)
                return
            async with asyncio.timeout(None if studio else self._all_s):  # the studio's answers are streams
                await self._app(scope, request.receive, request.send)
        except ClientGone:
            request.status = GONE
        except TimeoutError:
            request.status = GONE  # it did not take its answer
        except Exception:  # noqa: BLE001  the last line of defence: our own bugs
            LOG.exception("bug", extra={"fields": {"request": request.id}})
            if request.status == 0:
                await bug_response()(scope, receive, request.send)
        finally:
            request.end()

    def _may_enter_studio(self, scope: Scope) -> bool:
        token = self._config.token
        return token is None or may_enter_studio(Headers(scope=scope).get("authorization", ""), token)

    def _is_our_host(self, scope: Scope) -> bool:
        if not self._config.hosts:
            return True
        host = Headers(scope=scope).get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return name in self._config.hosts


class _Request:
    """One request under way: counts bytes, sees the status, names the request in the answer's headers."""

    def __init__(self, metrics: Metrics, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics, self._scope, self._receive, self._send = metrics, scope, receive, send
        self.id = secrets.token_hex(8)
        self.status = 0
        self._began = time.perf_counter()
        self._bytes_in = 0
        self._bytes_out = 0

    async def receive(self) -> Message:
        """Count what comes in."""
        message = await self._receive()
        self._bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Count what goes out, and add our headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        self._bytes_out += len(message.get("body", b""))
        await self._send(message)

    def end(self) -> None:
        """Log and count the request. Its path is the client's, so only the route's pattern is told."""
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
