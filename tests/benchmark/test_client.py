"""The load clients, against a server with known delays and failures."""

from pathlib import Path

import pytest

from local.benchmark.client.load import Load, apply_load, client_name, has_wrk, write_requests
from local.benchmark.servers.server import MeasurementError
from local.loadtest.payload import Payload
from tests.support.stub import Received, Stub, serving_stub
from tests.support.tools import WRK, needs
from tests.support.wait import HANG_SECONDS

BOTH = pytest.mark.parametrize("wrk", [False, pytest.param(True, marks=needs(WRK))])
BODIES = [Payload(b"first", "image/jpeg"), Payload(b"second\r\n\0", "image/png; a=b")]
DELAY = 0.05


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    return write_requests(BODIES, tmp_path / "requests")


def load_of_at_least(
    count: int, *plan: str, then: str = "", requests: Path, connections: int, wrk: bool
) -> tuple[Load, list[Received]]:
    """Apply load to a server that follows `plan`, for as long as `count` requests take on this
    machine. Also returns the requests as the server received them."""
    seconds = 1
    while seconds < HANG_SECONDS:
        with serving_stub() as stub:
            url = stub.follow(*plan, then=then)
            try:
                load = apply_load(url, requests, connections=connections, seconds=seconds, wrk=wrk)
            except MeasurementError:
                pass  # it does not wait for responses at the end
            else:
                assert load.wall_s >= 0.9 * seconds
                if load.requests >= count:
                    return load, stub.received
        seconds *= 2
    raise AssertionError(f"fewer than {count} requests in {HANG_SECONDS / 2} s")


@BOTH
def test_each_request_is_counted_and_takes_at_least_as_long_as_the_server(
    requests: Path, wrk: bool
) -> None:
    # when
    load, received = load_of_at_least(
        5, f"delay/{DELAY}", requests=requests, connections=2, wrk=wrk
    )
    # then
    assert load.failed == 0
    assert 1000 * DELAY <= load.p50_ms <= load.p99_ms
    # requests that are in flight when the time is over are dropped
    assert 0 <= len(received) - load.requests <= 2


@BOTH
def test_as_many_requests_are_in_flight_as_there_are_connections(requests: Path, wrk: bool) -> None:
    # when the server does not respond before it has two requests, and then takes its time
    plan = ("together/2", "together/2")
    _, received = load_of_at_least(
        6, *plan, then=f"delay/{DELAY}", requests=requests, connections=2, wrk=wrk
    )
    # then no third request came before the response to one of the two
    arrivals = [request.at for request in received if request.path not in plan]
    pairs = zip(arrivals, arrivals[2:], strict=False)
    assert all(third - first >= DELAY for first, third in pairs)


@BOTH
def test_payloads_are_sent_in_turn_with_their_types(requests: Path, wrk: bool) -> None:
    _, received = load_of_at_least(4, "delay/0", requests=requests, connections=1, wrk=wrk)
    sent = [(request.body, request.headers["content-type"]) for request in received]
    turn = [(payload.content, payload.content_type) for payload in BODIES]
    if sent[0] == turn[1]:
        turn.reverse()  # wrk calls the script for one more request than it sends
    assert sent == [turn[number % 2] for number in range(len(sent))]


@BOTH
def test_failures_are_counted(requests: Path, wrk: bool) -> None:
    plan = ("delay/0", "status/500", "delay/0", "delay/0")
    load, received = load_of_at_least(4, *plan, requests=requests, connections=1, wrk=wrk)
    counted = [request.path for request in received][: load.requests]
    assert load.failed == counted.count("status/500")
    assert load.answered == counted.count("delay/0")


@BOTH
def test_no_successful_response_is_an_error(stub: Stub, requests: Path, wrk: bool) -> None:
    with pytest.raises(MeasurementError, match="no request was answered"):
        apply_load(f"{stub.url}/status/500", requests, connections=1, seconds=1, wrk=wrk)


def test_client_name() -> None:
    assert client_name().startswith("wrk " if has_wrk() else "local.benchmark")
