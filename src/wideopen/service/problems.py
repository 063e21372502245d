"""Error responses as problem+json (RFC 9457), without internal details."""

import http
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from wideopen.errors import InvalidInput, WideopenError, WorkerDied, WorkerTimeout
from wideopen.service.observe import add_to_log_line, event

MEDIA_TYPE = "application/problem+json"
GONE = 499  # a status that is logged but never sent: the client disconnected before the response was ready

KINDS = {  # the `type` of a problem: (status, title)
    "bad-request": (400, "The request cannot be read"),
    "unauthorized": (401, "A bearer token is needed"),
    "no-such-scene": (404, "There is no such scene"),
    "not-acceptable": (406, "The Accept header names no available format"),
    "slow-body": (408, "The request's body did not arrive in time"),
    "too-large": (413, "The request is too large"),
    "not-a-photo": (415, "The file is not of a known kind"),
    "refused": (422, "The request cannot be done"),
    "worker-died": (500, "The work ended unexpectedly"),
    "bug": (500, "A bug in the service"),
    "busy": (503, "Too many requests"),
    "starting": (503, "The service is starting"),
    "timed-out": (504, "The work took too long"),
}


class ProblemBody(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class Problem(HTTPException):
    """An error response; `slug` is a key of KINDS, `detail` is one line for the client."""

    def __init__(self, slug: str, detail: str, *, headers: dict[str, str] | None = None) -> None:
        self.slug = slug
        super().__init__(KINDS[slug][0], detail, headers)


class QueueFull(WideopenError):
    """The queue is full; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


def come_again(slug: str, why: str, seconds: int) -> Problem:
    """Return a problem (503) that is likely to be over after `seconds`."""
    return Problem(slug, f"{why}; try again in {seconds} s", headers={"Retry-After": str(seconds)})


def problem_response(slug: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a problem as a response. Its `type` is a URL relative to the service, which need not exist."""
    return _response(slug, *KINDS[slug], detail, headers)


def _response(slug: str, status: int, title: str, detail: str, headers: Mapping[str, str] | None) -> JSONResponse:
    body = ProblemBody(type=f"/problems/{slug}", title=title, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Turn the exceptions that `app` and its framework raise on purpose into problems."""
    for kind in (HTTPException, RequestValidationError, InvalidInput, QueueFull, WorkerTimeout, WorkerDied):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, HTTPException) and not isinstance(error, Problem) and error.status_code != 400:
        phrase = http.HTTPStatus(error.status_code).phrase  # raised by the framework: no such route or method
        return _response(phrase.lower().replace(" ", "-"), error.status_code, phrase, phrase, error.headers)
    problem = _problem_of(error)
    add_to_log_line(request, problem=problem.slug)  # the detail is left out: it may quote a photo's metadata
    return problem_response(problem.slug, problem.detail, problem.headers)


def _problem_of(error: Exception) -> Problem:
    """Return the problem for an error; errors that the client did not cause are logged."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return Problem("bad-request", f"form: {error.detail}")
        case RequestValidationError():
            return refusal(error.errors())
        case QueueFull():
            return come_again("busy", "the queue is full", error.retry_after_s)
        case WorkerTimeout():
            return Problem("timed-out", "work: its worker was stopped at the time limit")
        case WorkerDied():
            event("worker died", level=logging.ERROR, reason=str(error))
            return Problem("worker-died", "work: its worker process died; the service goes on")
        case _:
            return Problem("refused", str(error))


def refusal(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Return the problem for an invalid request: one line that says, for each field, what was expected and found."""
    lines = []
    for item in errors:
        place = ".".join(str(part) for part in item["loc"] if part != "body") or "body"
        if item["type"] == "json_invalid":
            return Problem("bad-request", f"{place}: expected JSON, found something else")
        lines.append(f"{place}: {_expected(item)}")
    return Problem("refused", "; ".join(lines[:3])[:500])


def _expected(item: Mapping[str, Any]) -> str:
    """Say what was expected and found in one field, based on pydantic's message."""
    if item["type"] == "missing":
        return "expected, found none"
    if item["type"] == "extra_forbidden":
        return f"expected a name that /openapi.json knows, found {str(item['loc'][-1])[:80]!r}"
    if "UploadFile" in item["msg"]:
        return "expected a file, found text"
    words = item["msg"].replace("Input should be", "expected").replace("String should match", "expected")
    return f"{words}, found {json.dumps(item['input'], default=lambda _: 'a file')[:80]}"


def documented(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's `responses` for the given problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        status, title = KINDS[slug]
        example = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": "what, expected, found"}
        content = {"schema": ProblemBody.model_json_schema(), "examples": {}}
        entry = found.setdefault(status, {"description": title, "content": {MEDIA_TYPE: content}})
        entry["content"][MEDIA_TYPE]["examples"][slug] = {"value": example}
        if status == 503:
            entry["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found
