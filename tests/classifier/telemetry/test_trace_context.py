"""The trace that a request belongs to: the headers, and the log."""

import pytest

from classifier.telemetry.trace_context import (
    TraceContext,
    find_trace,
    parse_amzn_trace,
    parse_traceparent,
)
from tests.support.access_log import line_of
from tests.support.server import Server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
CONTEXT = TraceContext(TRACE, SPAN)
AMZN = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"


@pytest.mark.parametrize(
    "value",
    [
        PARENT,
        f"00-{TRACE}-{SPAN}-00",
        f"00-{TRACE}-{SPAN}-ff",  # flags that are not known yet
        f"01-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{SPAN}-01-",
    ],
)
def test_valid_traceparent_is_read(value: str) -> None:
    assert parse_traceparent(value.encode()) == CONTEXT


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00_{TRACE}_{SPAN}_01",
        f"{PARENT},{PARENT}",
    ],
)
def test_invalid_traceparent_is_ignored(value: str) -> None:
    assert parse_traceparent(value.encode()) is None


@pytest.mark.parametrize(
    ("value", "span"),
    [
        (AMZN, SPAN),
        (AMZN.upper().replace("ROOT", "Root").replace("PARENT", "Parent"), SPAN),
        (f"Self=1-67891234-12456789abcdef012345678;Root=1-{TRACE[:8]}-{TRACE[8:]}", ""),
        (f"Sampled=?; Root=1-{TRACE[:8]}-{TRACE[8:]}; Lineage=a87bd80c:1|68fd508a:5", ""),
        (f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent=none", ""),
        (f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={'0' * 16}", ""),
    ],
)
def test_header_of_aws_is_read(value: str, span: str) -> None:
    assert parse_amzn_trace(value.encode()) == TraceContext(TRACE, span)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";;=",
        "Parent=00f067aa0ba902b7",
        f"Root={TRACE}",
        f"Root=2-{TRACE[:8]}-{TRACE[8:]}",
        f"Root=1-{TRACE[:8]}-{TRACE[9:]}",
        f"Root=1-{'0' * 8}-{'0' * 24}",
    ],
)
def test_invalid_header_of_aws_is_ignored(value: str) -> None:
    assert parse_amzn_trace(value.encode()) is None


def test_traceparent_counts_before_the_header_of_aws() -> None:
    other = b"Root=1-11111111-222222222222222222222222"
    both = [(b"x-amzn-trace-id", other), (b"traceparent", PARENT.encode())]
    assert find_trace(both) == CONTEXT
    invalid = [(b"x-amzn-trace-id", AMZN.encode()), (b"traceparent", b"none")]
    assert find_trace(invalid) == CONTEXT
    twice = [(b"traceparent", PARENT.encode())] * 2
    assert find_trace(twice) is None


@pytest.mark.parametrize("headers", [{"traceparent": PARENT}, {"X-Amzn-Trace-Id": AMZN}])
def test_log_has_the_trace_of_the_caller(
    server: Server, sample: bytes, headers: dict[str, str]
) -> None:
    response = server.client.post("/", files={"file": sample}, headers=headers)
    line = line_of(server, response.headers["x-request-id"])
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize("headers", [{}, {"traceparent": PARENT.replace("00-", "ff-")}])
def test_log_has_no_trace_without_a_valid_header(server: Server, headers: dict[str, str]) -> None:
    response = server.client.get("/healthz", headers=headers)
    line = line_of(server, response.headers["x-request-id"])
    assert line.keys().isdisjoint({"trace_id", "span_id"})
