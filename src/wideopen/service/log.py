"""Structured logs: one line of JSON per event. No photo content, no file names, no addresses, no tokens."""

import json
import logging
import sys
import time
from typing import Any

from fastapi import Request

LOG = logging.getLogger("wideopen.service")


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what `extra` holds under `fields` stands beside time, level and event."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def event(name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log `name` with its fields."""
    LOG.log(level, name, extra={"fields": fields})


def told(request: Request, **fields: Any) -> None:
    """Remember fields for the line that is logged when the request ends."""
    request.scope.setdefault("wideopen.fields", {}).update(fields)


def to_stderr(level: str) -> None:
    """Send all records to stderr as JSON lines: ours from `level` (debug, info, ...) on, others' from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("wideopen").setLevel(level.upper())
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # its warnings quote bodies
