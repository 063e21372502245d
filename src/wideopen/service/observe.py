"""Logs, as one line of JSON per event, and metrics for Prometheus.

Neither contains photo content, file names, addresses or tokens. Each service has its own metrics; there is no global
state.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from fastapi import Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)

LOG = logging.getLogger("wideopen.service")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; the `fields` in `extra` are added to time, level and event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
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


def add_to_log_line(request: Request, **fields: Any) -> None:
    """Add fields to the log line that is written when the request ends."""
    request.scope.setdefault("wideopen.fields", {}).update(fields)


def to_stderr(level: str) -> None:
    """Log to stderr as JSON lines: wideopen's records from `level` (debug, info, ...) up, others from warning up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("wideopen").setLevel(level.upper())
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # its warnings quote request bodies


class Metrics:
    """Counters and gauges of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        kept: Any = {"registry": self._registry}
        self.requests = Counter("wideopen_requests", "Requests by route and status.", ["route", "status"], **kept)
        self.worker_deaths = Counter(
            "wideopen_worker_deaths", "Workers that died at work, or had to be killed.", ["why"], **kept
        )
        kept["buckets"] = _SECONDS
        self.request_seconds = Histogram(
            "wideopen_request_seconds", "From a request's headers to the end of its response.", ["route"], **kept
        )
        self.step_seconds = Histogram("wideopen_step_seconds", "Of one step of a job, in a worker.", ["step"], **kept)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge `wideopen_NAME`; each scrape calls `value`."""
        Gauge(f"wideopen_{name}", text, registry=self._registry).set_function(value)

    def page(self) -> bytes:
        """Return the metrics in the Prometheus exposition format."""
        return generate_latest(self._registry)
