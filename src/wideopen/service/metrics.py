"""What Prometheus scrapes from /metrics; all of it belongs to one service, nothing is global."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)


class Metrics:
    """Counters and gauges of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "wideopen_requests", "Requests by route and status.", ["route", "status"], registry=self._registry
        )
        self.request_seconds = Histogram(
            "wideopen_request_seconds",
            "From a request's headers to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.step_seconds = Histogram(
            "wideopen_step_seconds",
            "Of one step of the work, in the worker.",
            ["step"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.bytes_in = Counter("wideopen_received_bytes", "Of bodies.", registry=self._registry)
        self.bytes_out = Counter("wideopen_sent_bytes", "Of results.", registry=self._registry)
        self.worker_deaths = Counter(
            "wideopen_worker_deaths",
            "Workers that died at work, or had to be killed.",
            ["why"],
            registry=self._registry,
        )

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge `wideopen_NAME` that is asked for its value at each scrape."""
        Gauge(f"wideopen_{name}", text, registry=self._registry).set_function(value)

    def page(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)
