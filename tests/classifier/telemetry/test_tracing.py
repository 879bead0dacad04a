"""Spans of a real service at a real receiver, by OpenTelemetry's standard variables."""

import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from classifier.settings import SettingsError
from classifier.telemetry.tracing import check_tracing, start_tracing
from tests.classifier.server.clients import Clients
from tests.support import raw
from tests.support.access_log import line_of
from tests.support.gate import PATIENCE, GatedServer, serving_gated
from tests.support.metrics import Scrape
from tests.support.otlp import Collector, Span, collecting
from tests.support.paths import ROOT
from tests.support.server import (
    SERVER_COMMAND,
    Server,
    run,
    serving,
    serving_by_command,
    start_refused,
)
from tests.support.wait import HANG_SECONDS, wait_until

SPAN = "00f067aa0ba902b7"
SERVER = 2
"""`SPAN_KIND_SERVER` of opentelemetry/proto/trace/v1/trace.proto"""
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
"""Milliseconds; so that only a flush sends"""


@dataclass
class Traced:
    server: Server
    collector: Collector

    def post(self, spans: int, *images: bytes, **headers: str) -> tuple[str, list[Span]]:
        """POST `images` as part of a new trace. Returns the id of the request, and the spans."""
        trace = secrets.token_hex(16)
        response = self.server.client.post(
            "/",
            files=[("file", image) for image in images],
            headers={"traceparent": f"00-{trace}-{SPAN}-01", **headers},
        )
        return response.headers["x-request-id"], self.collector.of(trace, spans)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    log = tmp_path_factory.mktemp("traced") / "log"
    with (
        collecting() as collector,
        serving(log, **variables(collector), OTEL_SERVICE_NAME="photos") as server,
    ):
        yield Traced(server, collector)


def variables(collector: Collector) -> dict[str, str]:
    """The usual variables; spans are sent ten times a second."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}


def test_request_is_a_span_of_the_callers_trace(traced: Traced, sample: bytes) -> None:
    request_id, (request, *children) = traced.post(4, sample)
    assert (request.name, request.kind, request.parent) == ("POST /", SERVER, SPAN)
    assert request.service == "photos"
    expected = {
        "http.request.method": "POST",
        "http.route": "/",
        "http.response.status_code": 200,
        "url.path": "/",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": int(traced.server.url.rpartition(":")[2]),
    }
    assert expected.items() <= request.attributes.items()
    assert not request.failed
    assert [child.name for child in children] == ["queue", "decode", "infer"]
    assert {child.parent for child in children} == {request.id}
    line = line_of(traced.server, request_id)
    assert (line["trace_id"], line["span_id"]) == (request.trace, request.id)


def test_stages_are_inside_the_request_in_order(traced: Traced, sample: bytes) -> None:
    request_id, (request, queue, decode, infer) = traced.post(4, sample)
    times = [
        request.start,
        queue.start,
        queue.end,
        decode.start,
        decode.end,
        infer.start,
        infer.end,
        request.end,
    ]
    assert times == sorted(times)
    line = line_of(traced.server, request_id)
    for stage in (queue, decode, infer):
        assert (stage.end - stage.start) / 1e6 <= line[f"{stage.name}_ms"] + 0.01
    assert (infer.end - infer.start) / 1e6 == pytest.approx(line["infer_ms"], abs=0.01)


def test_each_image_has_its_stages(traced: Traced, sample: bytes) -> None:
    _, (request, *children) = traced.post(6, sample, b"no image")
    assert request.attributes["http.response.status_code"] == 415
    assert not request.failed  # a mistake of the client (semantic conventions of HTTP spans)
    by_image = {
        number: [
            (child.name, child.attributes.get("error.type"))
            for child in children
            if child.attributes["classifier.image.number"] == number
        ]
        for number in (0, 1)
    }
    assert by_image == {
        0: [("queue", None), ("decode", None), ("infer", None)],
        1: [("queue", None), ("decode", "UnsupportedFormat")],
    }
    formats = {child.attributes.get("classifier.image.format") for child in children}
    assert formats == {None, "jpeg"}
    failed = [child for child in children if child.failed]
    assert [child.attributes.get("error.type") for child in failed] == ["UnsupportedFormat"]


def test_request_without_a_trace_begins_one(traced: Traced, sample: bytes) -> None:
    response = traced.server.client.post("/", files={"file": sample})
    line = line_of(traced.server, response.headers["x-request-id"])
    request, *_ = traced.collector.of(line["trace_id"], 4)
    assert (request.parent, request.id) == ("", line["span_id"])


def test_request_with_two_traces_begins_one(traced: Traced) -> None:
    """Neither is continued (W3C Trace Context), by the span or by the log."""
    sent = [secrets.token_hex(16) for _ in range(2)]
    headers = [("traceparent", f"00-{trace}-{SPAN}-01") for trace in sent]
    response = traced.server.client.get("/model", headers=headers)
    line = line_of(traced.server, response.headers["x-request-id"])
    (request,) = traced.collector.of(line["trace_id"], 1)
    assert (request.parent, request.id) == ("", line["span_id"])
    assert request.trace not in sent


def test_unsampled_trace_is_in_the_log_only(traced: Traced, sample: bytes) -> None:
    trace = secrets.token_hex(16)
    parent = f"00-{trace}-{SPAN}-00"
    response = traced.server.client.post(
        "/", files={"file": sample}, headers={"traceparent": parent}
    )
    traced.post(4, sample)  # sent later, received: the others were, too
    assert line_of(traced.server, response.headers["x-request-id"])["trace_id"] == trace
    assert not [span for span in traced.collector.spans if span.trace == trace]


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/ping"])
def test_probes_are_not_traced(traced: Traced, sample: bytes, path: str) -> None:
    traced.server.client.get(path)
    traced.server.client.get("/model")
    wait_until(
        lambda: "GET /model" in {span.name for span in traced.collector.spans}, "a traced request"
    )
    assert path not in {span.attributes.get("url.path") for span in traced.collector.spans}


def fill_queue(server: GatedServer, clients: Clients) -> list[socket.socket]:
    """Block the only thread, and fill the queue of one image. Returns both connections."""
    first = clients.post(b"no image")
    server.gate.next()  # before the second, which might have to wait while the first arrives
    second = clients.post(b"no image")
    wait_until(lambda: Scrape(server.client).value("queue_length") == 1, "a full queue")
    return [first, second]


def test_rejected_request_is_a_failed_span(tmp_path: Path) -> None:
    """Given a blocked thread and a full queue, a request waits, and is then refused with 503."""
    with (
        collecting() as collector,
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="1", **variables(collector)) as server,
        Clients(server.url) as clients,
    ):
        waiting = fill_queue(server, clients)
        refused = clients.post(b"no image")
        assert raw.status(raw.response(refused)) == 503
        server.gate.open()
        assert {raw.status(raw.response(each)) for each in waiting} == {415}
        wait_until(lambda: len(collector.spans) == 3 + 2 * 2, "all spans")
    (failed,) = [span for span in collector.spans if span.failed and span.kind == SERVER]
    assert failed.attributes["http.response.status_code"] == 503
    assert failed.attributes["error.type"] == "503"


def test_wait_for_room_is_a_stage(tmp_path: Path) -> None:
    """Given a blocked thread and a full queue, a request waits, and is then admitted."""
    settings = {"THREADS": "1", "QUEUE": "1", PATIENCE: str(HANG_SECONDS)}
    with (
        collecting() as collector,
        serving_gated(tmp_path / "log", **settings, **variables(collector)) as server,
        Clients(server.url) as clients,
    ):
        waiting = fill_queue(server, clients)
        admitted = clients.post(b"no image")
        wait_until(
            lambda: Scrape(server.client).value("requests_waiting") == 1, "a waiting request"
        )
        server.gate.open()
        assert {raw.status(raw.response(each)) for each in (*waiting, admitted)} == {415}
        wait_until(lambda: len(collector.spans) == 3 + 2 * 2 + 3, "all spans")
    (admission,) = [span for span in collector.spans if span.name == "admission"]
    (queue,) = [
        span for span in collector.spans if (span.name, span.trace) == ("queue", admission.trace)
    ]
    assert admission.end <= queue.start


def test_workers_send_their_spans_before_they_end(tmp_path: Path, sample: bytes) -> None:
    with collecting() as collector:
        options = ("--workers", "2")
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **LATE}
        with serving_by_command(tmp_path / "log", *options, **variables) as server:
            for _ in range(8):
                server.client.post("/", files={"file": sample}).raise_for_status()
            assert collector.spans == []
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=HANG_SECONDS) == 0
        assert len([span for span in collector.spans if span.name == "POST /"]) == 8
        assert {span.service for span in collector.spans} == {"image-classifier"}


def test_trace_of_aws_is_continued_with_its_propagator(tmp_path: Path, sample: bytes) -> None:
    trace = secrets.token_hex(16)
    header = f"Root=1-{trace[:8]}-{trace[8:]};Parent={SPAN};Sampled=1"
    with (
        collecting() as collector,
        serving(tmp_path / "log", OTEL_PROPAGATORS="xray", **variables(collector)) as server,
    ):
        server.client.post("/", files={"file": sample}, headers={"X-Amzn-Trace-Id": header})
        request, *_ = collector.of(trace, 4)
    assert request.parent == SPAN


def test_provider_of_the_process_is_used_and_nothing_is_doubled(
    tmp_path: Path, sample: bytes
) -> None:
    """It may know samplers that the SDK does not."""
    app = "tests.support.instrumented_app:app"
    own = {"OTEL_TRACES_SAMPLER": "xray"}
    with (
        collecting() as collector,
        serving(tmp_path / "log", app=app, **variables(collector), **own) as server,
    ):
        server.client.post("/", files={"file": sample})
        wait_until(lambda: len(collector.spans) >= 4, "four spans")
    names = sorted(span.name for span in collector.spans)
    assert names == ["POST /", "decode", "infer", "queue"]
    assert {span.service for span in collector.spans} == {"instrumented"}


@pytest.mark.slow
def test_unreachable_collector_does_not_fail_requests(tmp_path: Path, sample: bytes) -> None:
    nowhere = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    with serving(tmp_path / "log", OTEL_BSP_SCHEDULE_DELAY="100", **nowhere) as server:
        server.client.post("/", files={"file": sample}).raise_for_status()
    assert server.process.returncode == 0


def test_collector_that_refuses_is_logged_once_until_it_takes_spans(tmp_path: Path) -> None:
    with (
        collecting() as collector,
        serving(tmp_path / "log", **variables(collector)) as server,
    ):

        def ask_until(requests: int) -> None:
            wait_until(
                lambda: bool(server.client.get("/model")) and collector.requests >= requests,
                "requests to the collector",
            )

        collector.status = HTTPStatus.FORBIDDEN
        ask_until(4)
        collector.status = HTTPStatus.OK
        wait_until(
            lambda: bool(server.client.get("/model")) and "again" in server.log.read_text(),
            "a line that it takes spans",
        )
        ask_until(collector.requests + 2)
    lines = [each for each in server.log.read_text().splitlines() if '"time"' not in each]
    assert [each for each in lines if not each.startswith("INFO:")] == [
        "Spans are dropped until the collector takes them. Failed to export spans batch code: "
        "403, reason: Forbidden",
        "The collector takes spans again.",
    ]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_silent_collector_delays_the_end_by_its_timeout_alone(tmp_path: Path, workers: str) -> None:
    """Given a collector that accepts connections and never responds, and spans for many batches,
    each of which the SDK would try for so long, 200 s together."""
    seconds, batches = 5, 40
    limits = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": str(seconds),
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
        "WEB_CONCURRENCY": workers,
    }
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        log = tmp_path / "log"
        with serving_by_command(log, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **limits) as server:
            for _ in range(batches * int(workers)):
                server.client.get("/model").raise_for_status()
            server.process.send_signal(signal.SIGTERM)
            assert seconds * batches > HANG_SECONDS
            assert server.process.wait(timeout=HANG_SECONDS) == 0
    assert "Traceback" not in log.read_text()


def run_python(code: str, **environment: str) -> str:
    """The output of `code`, which may import main."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "function",
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=True,
    )
    return done.stdout + done.stderr


IMPORTED = (
    "import sys, main; print(sorted({name for name in sys.modules if name in "
    "('opentelemetry', 'opentelemetry.sdk', 'opentelemetry.exporter', 'google.protobuf')}))"
)


def test_nothing_is_imported_without_the_variables() -> None:
    """FastAPI itself imports opentelemetry-api; Lambda imports neither."""
    assert run_python(IMPORTED) == "['opentelemetry']\n"
    assert run_python(IMPORTED, AWS_LAMBDA_FUNCTION_NAME="f") == "[]\n"


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none")]
)
def test_tracing_can_be_turned_off(variable: str, value: str) -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert start_tracing({**endpoint, variable: value}) is None


LAMBDA = """
import main
from types import SimpleNamespace
from tests.support.lambda_events import v2
event = v2("POST", "/", b"no image", {"content-type": "image/jpeg", "traceparent": %r})
print(main.handler(event, SimpleNamespace(aws_request_id="id"))["statusCode"])
input()
"""


def test_lambda_sends_its_spans_with_each_invocation() -> None:
    """The process goes on: what it sends only at its end may never be sent."""
    trace = secrets.token_hex(16)
    with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **LATE}
        function = {"AWS_LAMBDA_FUNCTION_NAME": "f", "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            [sys.executable, "-c", LAMBDA % f"00-{trace}-{SPAN}-01"],
            cwd=ROOT / "function",
            env={**environment, **function},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            lines = [process.stdout.readline() for _ in range(3)]
            received = list(collector.spans)
            process.communicate("\n")
    assert lines[-1] == "415\n"
    names = [span.name for span in received if span.trace == trace]
    assert sorted(names) == ["POST /", "decode", "queue"]
    (request,) = [span for span in received if span.name == "POST /"]
    assert re.search(f'"trace_id":"{trace}","span_id":"{request.id}"', "".join(lines))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "there is no exporter otlp_proto_grpc. Install function/requirements-otel.txt, or",
        ),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "there is no exporter zipkin"),
        ({"OTEL_TRACES_EXPORTER": ", zipkin,"}, "there is no exporter zipkin"),
        ({"OTEL_TRACES_EXPORTER": "otlp,none"}, "there is no exporter none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "there is no exporter otlp of the protocol http/json",
        ),
    ],
)
def test_exporter_that_is_not_installed_is_named(
    environment: dict[str, str], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert start_tracing(environment) is None
    assert f"Tracing is off: {message}" in caplog.text


def test_propagator_that_is_not_installed_refuses_to_start() -> None:
    line = start_refused(OTEL_PROPAGATORS="tracecontext,b3multi")
    assert "OTEL_PROPAGATORS has 'b3multi', which is not installed." in line


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("OTEL_BSP_SCHEDULE_DELAY", "x", "a whole number of milliseconds, 1 or more; it is 'x'"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "1 or more; it is '0'"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1e3", "a whole number of spans"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049", "OTEL_BSP_MAX_QUEUE_SIZE, 2048, or less"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "-1", "a whole number of milliseconds, 0 or more"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", "a whole number of attributes, 0 or more"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "a number of seconds above 0; it is '10s'"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "nan", "a number of seconds above 0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "br", "one of none, gzip, deflate; it is 'br'"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_traceidratio; it is 'sometimes'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "a URL, such as http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[::1", "a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "htp://me:secret@host", "it is 'host'"),
    ],
)
def test_value_that_the_sdk_cannot_use_is_an_error(variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} must be .*{re.escape(message)}"):
        check_tracing({"OTEL_TRACES_EXPORTER": "otlp", variable: value})


@pytest.mark.parametrize("ratio", ["10", "-0.1", "half", "nan"])
def test_ratio_of_sampled_traces_is_from_0_to_1(ratio: str) -> None:
    """The SDK takes all traces then."""
    environment = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER_ARG": ratio}
    check_tracing({**environment, "OTEL_TRACES_SAMPLER": "always_on"})
    with pytest.raises(SettingsError, match="OTEL_TRACES_SAMPLER_ARG must be a number from 0"):
        check_tracing({**environment, "OTEL_TRACES_SAMPLER": "traceidratio"})


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_BSP_SCHEDULE_DELAY": "x"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true", "OTEL_TRACES_SAMPLER": "x"},
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
         "OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4317"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": " ",
         "OTEL_BSP_MAX_QUEUE_SIZE": "600"},
    ],
    ids=["no traces", "disabled", "no endpoint", "the endpoint of gRPC", "empty is unset"],
)  # fmt: skip
def test_values_that_are_not_used_are_not_checked(environment: dict[str, str]) -> None:
    check_tracing(environment)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_invalid_variable_refuses_to_start_in_one_line(workers: str) -> None:
    environment = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "x"}
    done = run(*SERVER_COMMAND, "--port", "0", WEB_CONCURRENCY=workers, **environment)
    assert done.returncode == 2
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("error: ")]
    assert "OTEL_BSP_SCHEDULE_DELAY must be a whole number" in line
    assert "Traceback" not in done.stderr


def test_missing_sdk_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hidden: Any = None
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", hidden)
    assert start_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) is None
    message = "opentelemetry.sdk.trace is not installed. Install function/requirements-otel.txt."
    assert f"Tracing is off: {message}" in caplog.text
