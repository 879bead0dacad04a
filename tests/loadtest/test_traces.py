"""--traceparent: each request begins a trace, and the CSV has its id."""

import csv
from pathlib import Path

import numpy as np
import pytest

from classifier.telemetry.trace_context import parse_traceparent
from local.loadtest.traces import Traces
from tests.support.access_log import line_of
from tests.support.scripts import measured, refused
from tests.support.server import Server
from tests.support.stub import Stub

MESSAGE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
SAMPLED = "01"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_header_is_added_to_the_head_and_nothing_else_changes() -> None:
    marked = Traces(1, 2).mark(MESSAGE, 0)
    start, header, rest = marked.split(b"\r\n", maxsplit=2)
    assert start + b"\r\n" + rest == MESSAGE
    assert header == b"traceparent: 00-00000000000000010000000000000002-0000000000000002-01"


def test_ids_are_valid_distinct_and_evenly_spread() -> None:
    """A sampler that keeps a share of traces by their lower half keeps that share of a run."""
    traces = Traces(7, 2**64 - 1)
    requests = np.arange(1000, dtype=np.uint32)
    ids = traces.ids(requests)
    assert len(set(ids)) == 1000
    for index, trace in enumerate(ids):
        header = traces.mark(MESSAGE, index).split(b"\r\n")[1]
        context = parse_traceparent(header.removeprefix(b"traceparent: "))
        assert context
        assert context.trace_id == trace
    lows = [int(trace[16:], 16) for trace in ids]
    assert sum(low < 2**64 // 10 for low in lows) == pytest.approx(100, abs=3)


def test_runs_have_other_traces() -> None:
    assert len({Traces.new().run for _ in range(10)}) == 10


@pytest.mark.parametrize("keep_alive", [(), ("--keep-alive",)])
def test_each_request_has_the_trace_of_its_row(
    stub: Stub, tmp_path: Path, keep_alive: tuple[str, ...]
) -> None:
    path = tmp_path / "requests.csv"
    options = ("-N", 3, "-T", 0.1, "-R", 4, "--url", f"{stub.url}/delay/0", "--csv", path)
    done, _ = measured(
        "local/run_multiple_tests.py", *options, "--traceparent", *keep_alive, folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    sent = [request.headers["traceparent"].split("-") for request in stub.received]
    traces = [row["trace_id"] for row in rows_of(path)]
    assert len(traces) == 12
    assert sorted(trace for _, trace, _, _ in sent) == sorted(traces)
    assert {flags for *_, flags in sent} == {SAMPLED}


def test_slow_request_is_found_in_the_log_by_its_trace(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    options = ("--rate", 20, "--for", 0.2, "--url", server.url, "--csv", path)
    done, _ = measured("local/run_rate_test.py", *options, "--traceparent", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for row in rows_of(path):
        assert line_of(server, row["request_id"])["trace_id"] == row["trace_id"]


def test_without_the_option_there_is_no_trace(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    measured(
        "local/test_script.py", 2, "--url", f"{stub.url}/delay/0", "--csv", path, folder=tmp_path
    )
    assert not any("traceparent" in request.headers for request in stub.received)
    assert "trace_id" not in rows_of(path)[0]


def test_traces_that_cannot_be_sent_are_refused() -> None:
    script = "local/test_script.py"
    line = refused(script, 1, "--lambda", "f", "--traceparent")
    assert "--traceparent needs --url" in line
    line = refused(script, 1, "--traceparent", "--header", "Traceparent: x")
    assert "leave out --header 'traceparent: …'" in line
