"""A collector of traces: it receives what OpenTelemetry's exporter sends over HTTP (OTLP)."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.threads import serving_in_thread
from tests.support.wait import wait_until


@dataclass(frozen=True)
class Span:
    """A received span; ids are hexadecimal, times in nanoseconds since the epoch."""

    service: str
    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]


class Collector:
    """Received spans, in the order of their arrival."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.requests = 0
        self.status = HTTPStatus.OK
        """Of the responses from now on"""
        self.url = ""

    def of(self, trace: str, spans: int) -> list[Span]:
        """The spans of this trace, by their start, as soon as there are so many."""

        def found() -> list[Span]:
            return [span for span in list(self.spans) if span.trace == trace]

        wait_until(lambda: len(found()) >= spans, f"{spans} spans of {trace}")
        return sorted(found(), key=lambda span: (span.start, -span.end))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free loopback port; `url` is for OTEL_EXPORTER_OTLP_ENDPOINT."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.spans += _spans(body)
            response = ExportTraceServiceResponse().SerializeToString()
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(response)))
            self.end_headers()
            self.wfile.write(response)
            collector.requests += 1

        def log_message(self, *_: object) -> None:
            """Not to the output of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    with serving_in_thread(server):
        yield collector


def _spans(body: bytes) -> Iterator[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=service,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    attributes=_values(span.attributes),
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in attributes
    }
