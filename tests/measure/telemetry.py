"""CPU time of log, metrics and traces in a request: python -m tests.measure.telemetry

The code that a request runs for them is called many times, in this process and without a server,
and compared with the decoding and inference of the sample, which is less than a request takes: the
shares are an upper bound. With traces, the spans are sent to a receiver in another process.

examples:
  python -m tests.measure.telemetry
  python -m tests.measure.telemetry --quick --gross     the short form of continuous integration

exit status: 0 all targets met, 1 a target missed, 2 invalid command
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

sys.path.insert(0, "function")

from classifier.api.stages import image_stages
from classifier.classifier import Classifier
from classifier.model import Model, load_model
from classifier.settings import SHIPPED_MODEL
from classifier.telemetry.metrics import Metrics
from classifier.telemetry.prometheus import PrometheusMetrics
from classifier.telemetry.request import RequestRecord
from classifier.telemetry.tracing import Tracing
from local.common.cli import OneLineParser, main
from local.common.paths import SAMPLE
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from tests.support.otlp import collecting

CALLS: Final = 20_000
QUICK_CALLS: Final = 4_000
_MIN_QUEUE: Final = 512
"""The exporter's batches are as large."""

PHOTOS_PER_CALL: Final = 1 / 200
"""The sample is classified less often: each time takes a thousand times as long."""

RECORD: Final = Threshold("record of a request, traces off", 0.5, "% of CPU")
METRICS: Final = Threshold("metrics", 1, "% of CPU")
TRACES: Final = Threshold("traces on", 5, "% of CPU")

# On an AMD EPYC: 0.01 %, 0.07 % and 3 %, of 11.5 ms.
TARGETS: Final = (RECORD, METRICS, TRACES)

SCOPE: Final = {
    "method": "POST",
    "path": "/",
    "headers": [
        (b"host", b"localhost:8000"),
        (b"user-agent", b"curl/8.14.1"),
        (b"accept", b"*/*"),
        (b"content-length", b"38712"),
        (b"content-type", b"multipart/form-data; boundary=----------------d74496d66958873e"),
    ],
}
"""What curl sends"""

ATTRIBUTES: Final[dict[str, str | int]] = {
    "http.request.method": "POST",
    "url.scheme": "http",
    "url.path": "/",
    "network.protocol.version": "1.1",
    "server.address": "localhost",
    "server.port": 8000,
    "http.route": "/",
    "http.response.status_code": 200,
}
"""Those that FastAPI gives its span"""


def measure(calls: int) -> Figures:
    """The figures of all targets."""
    model = load_model(str(SHIPPED_MODEL))
    photo = _photo_seconds(model, max(1, int(calls * PHOTOS_PER_CALL)))

    def share(seconds: float) -> float:
        return 100 * seconds / photo

    with _receiver() as url:
        traces = _traces_seconds(model, url, calls)
    return {
        RECORD.name: share(_seconds(lambda: RequestRecord(SCOPE), calls)),
        METRICS.name: share(_metrics_seconds(model, calls)),
        TRACES.name: share(traces),
    }


def _photo_seconds(model: Model, calls: int) -> float:
    classifier, sample = Classifier(model, Metrics()), SAMPLE.read_bytes()
    classifier.classify(sample, 5)
    return _seconds(lambda: classifier.classify(sample, 5), calls)


def _metrics_seconds(model: Model, calls: int) -> float:
    metrics = PrometheusMetrics(model.card, shared="")
    record = RequestRecord(SCOPE)
    record.route, record.status = "/", 200

    def observe() -> None:
        metrics.request_started(record)
        metrics.observe_queue_wait(0.001)
        metrics.observe_image(0.003, 0.008, 0.5, "jpeg")
        metrics.request_finished(record, 0.02)

    return _seconds(observe, calls)


def _traces_seconds(model: Model, url: str, calls: int) -> float:
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_MIN_QUEUE + 4 * calls))
    tracing, tracer = Tracing(provider), provider.get_tracer("fastapi")
    outcome = Classifier(model, Metrics()).classify(SAMPLE.read_bytes(), 5)

    def trace() -> None:
        with tracer.start_as_current_span("POST /", kind=SpanKind.SERVER, attributes=ATTRIBUTES):
            record = RequestRecord(SCOPE)
            tracing.begin(record)
            assert record.stages is not None
            record.stages += image_stages(0, record.start, record.start, outcome, record.start)
            tracing.end(record)

    started = time.process_time()
    for _ in range(calls):
        trace()
    tracing.flush()
    seconds = (time.process_time() - started) / calls
    provider.shutdown()
    return seconds


def _seconds(call: Callable[[], object], calls: int) -> float:
    """CPU seconds of all threads for each call."""
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls


@contextmanager
def _receiver() -> Iterator[str]:
    """The URL of a receiver of traces in another process."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_receive, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join()


def _receive(end: "Connection[Any, Any]") -> None:
    """Receive traces until the other end is closed."""
    with collecting() as collector:
        end.send(collector.url)
        try:
            end.recv()
        except EOFError:
            return


def command(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m tests.measure.telemetry",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_verdict_options(parser)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CALLS:,} calls")
    options = parser.parse_args(arguments)
    calls = QUICK_CALLS if options.quick else CALLS
    return judge(lambda: measure(calls), TARGETS, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    main(command)
