"""What a client is told when something goes wrong: RFC 9457's problem+json, without internals."""

import http
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from wideopen.service.log import told

MEDIA_TYPE = "application/problem+json"
GONE = 499
"""Logged, never sent: the client left before its answer was there."""

WHAT = {  # the `type` of a problem: (status, title)
    "bad-request": (400, "The request cannot be read"),
    "unauthorized": (401, "A bearer token is needed"),
    "no-such-scene": (404, "There is no such scene"),
    "not-acceptable": (406, "No such kind of result"),
    "slow-body": (408, "The request's body did not arrive in time"),
    "too-large": (413, "The request is too large"),
    "not-a-photo": (415, "Not a kind of file that is known"),
    "refused": (422, "The request cannot be done"),
    "worker-died": (500, "The work ended unexpectedly"),
    "bug": (500, "A bug of ours"),
    "busy": (503, "Too many requests"),
    "timed-out": (504, "The work took too long"),
}


class Problem(HTTPException):
    """An answer that is no result; `slug` is a key of WHAT, `detail` one line for the client."""

    def __init__(self, slug: str, detail: str, *, headers: dict[str, str] | None = None) -> None:
        self.slug = slug
        super().__init__(WHAT[slug][0], detail, headers)


class ClientGone(Exception):
    """The client left before its answer was there."""


def problem_response(status: int, slug: str, title: str, detail: str, headers: dict[str, str]) -> JSONResponse:
    """One problem as a response. `type` is relative to the service: nothing need be there."""
    body = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Turn what is raised on purpose in `app`, and what its framework raises, into problems."""
    app.add_exception_handler(HTTPException, _on_http)


def bug_response() -> JSONResponse:
    """What a client is told about a bug of ours: nothing but that."""
    status, title = WHAT["bug"]
    return problem_response(status, "bug", title, "The service's log says more.", {})


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if isinstance(error, Problem):
        told(request, problem=error.slug)  # not the detail: it may quote a photo's metadata
        return problem_response(error.status_code, error.slug, WHAT[error.slug][1], error.detail, headers)
    phrase = http.HTTPStatus(error.status_code).phrase  # the framework's own: no such route or method
    return problem_response(error.status_code, phrase.lower().replace(" ", "-"), phrase, phrase, headers)


def documented(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for the problems named."""
    found: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        status, title = WHAT[slug]
        example = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": "what, expected, found"}
        entry = found.setdefault(
            status,
            {"description": title, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        )
        entry["content"][MEDIA_TYPE].setdefault("examples", {})[slug] = {"value": example}
        if status == 503:
            entry["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found
