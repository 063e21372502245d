"""Bodies, read with a limit on their bytes, on silence within them, and on the time they take.

Where a body is refused before its end, the answer goes out at once, and `server.py` forgets the rest as it comes: most
clients listen only after they have sent everything.
"""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from wideopen.service.operation import MEGABYTE, Limits
from wideopen.service.problems import ClientGone, Problem


async def pieces(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The body, piece by piece. Raises Problem (413, 408) beyond the limits, ClientGone when the client leaves."""
    require_length(request, limits)
    most, found = limits.body_bytes, 0
    clock = asyncio.get_running_loop().time
    end = clock() + limits.body_s
    stream = request.stream().__aiter__()
    while True:
        left = min(limits.silence_s, end - clock())
        try:
            piece = await asyncio.wait_for(anext(stream), left)
        except StopAsyncIteration:
            return
        except ClientDisconnect as error:
            raise ClientGone from error
        except TimeoutError as error:
            found_s = f"{limits.silence_s:g} s of silence" if end > clock() else f"{limits.body_s:g} s"
            detail = f"body: expected all of it in time, found {found} bytes after {found_s}"
            raise Problem("slow-body", detail, headers={"Connection": "close"}) from error
        found += len(piece)
        if found > most:
            raise _too_large(limits, "more")
        yield piece


async def small_body(request: Request, limits: Limits, *, most: int) -> bytes:
    """A whole body of at most `most` bytes; raises as `pieces`, and Problem (413) beyond."""
    body = b""
    async for piece in pieces(request, limits):
        body += piece
        if len(body) > most:
            raise Problem("too-large", f"body: expected at most {most} bytes, found more")
    return body


def require_length(request: Request, limits: Limits) -> None:
    """Refuse a body that says itself that it is too large, before it is read."""
    length = request.headers.get("content-length", "0")  # the HTTP parser lets only digits through
    if int(length) > limits.body_bytes:
        raise _too_large(limits, f"{int(length) / MEGABYTE:.1f}")


def _too_large(limits: Limits, found: str) -> Problem:
    detail = f"body: expected at most {limits.body_mb:g} MB, found {found}"
    return Problem("too-large", detail)
