"""Metrics for Prometheus, at `/metrics` of the web server. Not imported on Lambda.

Names and units follow Prometheus's "Metric and label naming"; docs/monitoring.md lists them.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

from classifier.artifact import ModelCard
from classifier.telemetry.metrics import Load, Metrics
from classifier.telemetry.old_names import REMOVAL, WithOldNames
from classifier.telemetry.request import RequestRecord

METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "POST"))
"""The methods of the service; others share a label, so that clients cannot create many"""

OTHER_METHOD: Final = "other"

_REFRESH_SECONDS: Final = 1.0
"""A monitoring system reads the metrics every 10 or 15 seconds."""

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds"""

_PROBABILITIES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

_NOT_REJECTED: Final = ("/readyz",)
"""A 503 of these routes reports a state: it is not a rejected request."""


class PrometheusMetrics(Metrics):
    """Counts in this process or, with `PROMETHEUS_MULTIPROC_DIR`, together with all processes that
    share that directory."""

    def __init__(self, card: ModelCard, shared: str) -> None:
        """`shared` is that directory, or empty; the library reads the variable itself."""
        self._registry = registry = CollectorRegistry()
        self._shared = shared
        self._load: Load | None = None
        if shared:
            _remove_dead_gauges(Path(shared))
        else:
            ProcessCollector(registry=registry)

        def counter(name: str, description: str, *labels: str) -> Counter:
            return Counter(f"classifier_{name}", description, labels, registry=registry)

        def gauge(name: str, description: str, *labels: str, mode: str = "livesum") -> Gauge:
            return Gauge(
                f"classifier_{name}",
                description,
                labels,
                multiprocess_mode=mode,  # type: ignore[arg-type]
                registry=registry,
            )

        def histogram(
            name: str, description: str, *labels: str, buckets: Sequence[float] = _BUCKETS
        ) -> Histogram:
            return Histogram(
                f"classifier_{name}", description, labels, buckets=buckets, registry=registry
            )

        self._seconds = histogram(
            "request_duration_seconds",
            "Time from the head of a request to the end of its response",
            "method",
            "route",
            "status",
        )
        self._requests = counter(
            "requests",
            "Deprecated: use classifier_request_duration_seconds_count, which has classes of "
            f"status. {REMOVAL}",
            "status",
        )
        self._in_flight = gauge(
            "requests_in_flight", "Requests in flight, including those that wait"
        )
        self._waiting = gauge(
            "requests_waiting", "Requests that wait for room in the queue or in memory"
        )
        self._queue_length = gauge("queue_length", "Images in the queue for a thread")
        self._queue_limit = gauge("queue_limit", "Number of queued images at which requests wait")
        self._memory_used = gauge(
            "memory_used_bytes", "Part of the memory budget that images and request bodies use"
        )
        self._memory_limit = gauge(
            "memory_limit_bytes", "The memory budget of images and request bodies"
        )
        self._rejected = counter("rejected", "Requests rejected with 503")
        self._errors = counter("errors", "Errors by kind", "kind")
        self._queue = histogram(
            "queue_duration_seconds", "Time that each image spends in the queue"
        )
        self._decode = histogram(
            "decode_duration_seconds", "Time to decode each image, including the wait for memory"
        )
        self._infer = histogram("infer_duration_seconds", "Inference time of each image")
        self._images = counter("images", "Classified images by file format", "format")
        self._top = histogram(
            "top_probability",
            "Probability of the first class of each image",
            buckets=_PROBABILITIES,
        )
        model = gauge(
            "model_info", "1, labelled with the served model", "name", "sha256", mode="livemax"
        )
        model.labels(card.name, card.sha256).set(1)
        # Looking labels up costs more than counting.
        self._by_request: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}
        self._by_format: dict[str, Counter] = {}

    def observe_image(
        self,
        decode_seconds: float,
        infer_seconds: float,
        top_probability: float,
        format_name: str,
    ) -> None:
        self._decode.observe(decode_seconds)
        self._infer.observe(infer_seconds)
        self._top.observe(top_probability)
        counter = self._by_format.get(format_name)
        if counter is None:
            counter = self._by_format[format_name] = self._images.labels(format_name)
        counter.inc()

    def count_error(self, kind: str) -> None:
        self._errors.labels(kind).inc()

    def observe_queue_wait(self, seconds: float) -> None:
        self._queue.observe(seconds)

    def wait_started(self) -> None:
        self._waiting.inc()

    def wait_ended(self) -> None:
        self._waiting.dec()

    def request_started(self, record: RequestRecord) -> None:
        self._in_flight.inc()

    def request_finished(self, record: RequestRecord, seconds: float) -> None:
        self._in_flight.dec()
        method = record.method if record.method in METHODS else OTHER_METHOD
        key = method, record.route, record.status
        children = self._by_request.get(key)
        if children is None:
            children = self._by_request[key] = (
                self._seconds.labels(method, record.route, f"{record.status // 100}xx"),
                self._requests.labels(str(int(record.status))),
            )
        duration, requests = children
        duration.observe(seconds)
        requests.inc()
        if record.status == 503 and record.route not in _NOT_REJECTED:
            self._rejected.inc()

    def watch(self, load: Load) -> None:
        self._load = load
        self._queue_limit.set(load.queue_limit)
        self._memory_limit.set(load.memory_limit)
        if not self._shared:
            self._queue_length.set_function(_as_float(load.queued))
            self._memory_used.set_function(_as_float(load.memory_used))

    @property
    def refresh_seconds(self) -> float | None:
        return _REFRESH_SECONDS if self._shared else None

    def refresh(self) -> None:
        """The process that serves /metrics cannot query the others, so each of them writes its
        values regularly. Writing them with each change would take longer."""
        if self._load:
            self._queue_length.set(self._load.queued())
            self._memory_used.set(self._load.memory_used())

    def exposition(self) -> tuple[bytes, str]:
        registry = self._registry
        if self._shared:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(WithOldNames(registry)), CONTENT_TYPE_LATEST


def _as_float(read: Callable[[], int]) -> Callable[[], float]:
    return lambda: float(read())


def _remove_dead_gauges(directory: Path) -> None:
    """Remove live-gauge files left by killed workers."""
    for file in directory.glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        if not _is_running(process):
            multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]


def _is_running(process: int) -> bool:
    """Signal 0 only checks the process: macOS has no /proc."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True
