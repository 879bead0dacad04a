"""Metrics for Prometheus, at `/metrics` of the web server. Not imported on Lambda."""

from collections.abc import Sequence
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
from classifier.telemetry.metrics import Metrics

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds"""

_PROBABILITIES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class PrometheusMetrics(Metrics):
    """Counts in this process or, with `PROMETHEUS_MULTIPROC_DIR`, together with all processes that
    share that directory."""

    def __init__(self, card: ModelCard, shared: str) -> None:
        """`shared` is that directory, or empty; the library reads the variable itself."""
        self._registry = registry = CollectorRegistry()
        self._shared = shared
        if shared:
            _remove_dead_gauges(Path(shared))
        else:
            ProcessCollector(registry=registry)

        def histogram(
            name: str, description: str, buckets: Sequence[float] = _BUCKETS
        ) -> Histogram:
            return Histogram(f"classifier_{name}", description, buckets=buckets, registry=registry)

        self._requests = Counter(
            "classifier_requests", "Responses by status", ["status"], registry=registry
        )
        self._errors = Counter("classifier_errors", "Errors by kind", ["kind"], registry=registry)
        self._rejected = Counter(
            "classifier_rejected", "Requests rejected with 503", registry=registry
        )
        self._in_flight = Gauge(
            "classifier_in_flight",
            "Requests in flight, those that wait included",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._waiting = Gauge(
            "classifier_waiting",
            "Requests that wait for room in the queue",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._seconds = histogram("request_seconds", "From a request's head to its response's end")
        self._decode = histogram(
            "decode_seconds", "Decoding of each image, wait for memory included"
        )
        self._infer = histogram("infer_seconds", "Inference of each image")
        self._queue = histogram("queue_seconds", "Time in the queue of each image")
        self._top = histogram(
            "top_probability", "Probability of the first class of each image", _PROBABILITIES
        )
        model = Gauge(
            "classifier_model_info",
            "1, labelled with the served model",
            ["name", "sha256"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        model.labels(card.name, card.sha256).set(1)
        self._by_status: dict[int, Counter] = {}

    def observe_image(
        self, decode_seconds: float, infer_seconds: float, top_probability: float
    ) -> None:
        self._decode.observe(decode_seconds)
        self._infer.observe(infer_seconds)
        self._top.observe(top_probability)

    def count_error(self, kind: str) -> None:
        self._errors.labels(kind).inc()

    def observe_queue_wait(self, seconds: float) -> None:
        self._queue.observe(seconds)

    def wait_started(self) -> None:
        self._waiting.inc()

    def wait_ended(self) -> None:
        self._waiting.dec()

    def request_started(self) -> None:
        self._in_flight.inc()

    def request_finished(self, status: int, seconds: float) -> None:
        self._in_flight.dec()
        self._seconds.observe(seconds)
        counter = self._by_status.get(status)
        if counter is None:  # looking a label up costs more than counting
            counter = self._by_status[status] = self._requests.labels(str(status))
        counter.inc()
        if status == 503:
            self._rejected.inc()

    def exposition(self) -> tuple[bytes, str]:
        registry = self._registry
        if self._shared:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


def _remove_dead_gauges(directory: Path) -> None:
    """Remove live-gauge files left by killed workers."""
    for file in directory.glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{process}").exists():
            multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]
