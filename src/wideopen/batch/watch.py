"""A hot folder: the photos that are there, and those that come, once they are all there.

Looks again and again rather than asking the system for events: that also works on network drives and buckets. A file
is taken when it has not changed between two looks, so that one still being copied is left alone.
"""

import time
from collections.abc import Callable, Iterator

from wideopen.batch.places import Status, status_of
from wideopen.batch.walk import Found, Problem
from wideopen.errors import InvalidInput

Clock = Callable[[], float]


def watched(
    look: Callable[[], Iterator[Found | Problem]], *, every_s: float, clock: Clock = time.monotonic
) -> Iterator[Found | Problem | None]:
    """Yield what `look` finds, each photo once for each state of its file; None while there is nothing new. No end.

    Problems are told once. What cannot be looked at now is looked at again later.
    """
    taken: dict[str, Status] = {}
    last: dict[str, Status] = {}
    told: set[Problem] = set()
    while True:
        now: dict[str, Status] = {}
        for found in look():
            if isinstance(found, Problem):
                if found not in told:
                    told.add(found)
                    yield found
                continue
            status = _status(found.photo)
            if status is None or taken.get(found.photo) == status:
                continue
            now[found.photo] = status
            if last.get(found.photo) == status and status.size > 0:
                taken[found.photo] = status
                yield found
        last = now
        until = clock() + every_s
        yield None
        while clock() < until:
            yield None


def _status(photo: str) -> Status | None:
    try:
        return status_of(photo)
    except InvalidInput:
        return None
