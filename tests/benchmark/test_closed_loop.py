"""The closed-loop load client, against a server with known delays and failures."""

import json
import resource
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.benchmark.client.closed_loop import TIMEOUT, ClosedLoop, read_messages
from local.benchmark.client.load import run_closed_loop, write_requests
from local.benchmark.client.loop_client import LoopClient
from local.benchmark.client.loop_plan import LoopPlan
from local.benchmark.client.loop_result import LoopResult
from local.common.cli import UsageError
from local.common.descriptors import allow_descriptors
from local.loadtest.engine.connection import NO_RESPONSE, REFUSED, RESET
from local.loadtest.payload import Payload
from local.loadtest.target import parse_url, resolve
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.stub import Stub, serving_stub
from tests.support.wait import HANG_SECONDS

BODY = b"image" * 20_000
DELAY = 0.02


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    return write_requests([Payload(BODY, "image/jpeg")], tmp_path / "requests")


def run(url: str, requests: Path, **plan: Any) -> LoopResult:
    target = resolve(parse_url(url))
    return ClosedLoop(target, read_messages(url, requests), LoopPlan(**plan)).run()


def run_until(
    condition: Callable[[LoopResult, Stub], object],
    requests: Path,
    *behaviours: str,
    then: str = "",
    **plan: Any,
) -> tuple[LoopResult, Stub]:
    """Run the plan for as long as it takes on this machine until `condition` holds, each time
    against a new server that follows `behaviours`."""
    seconds = 0.25
    while seconds < HANG_SECONDS:
        with serving_stub() as stub:
            url = stub.follow(*behaviours, then=then)
            result = run(url, requests, **{"connections": 1, "seconds": seconds, **plan})
        if condition(result, stub):
            return result, stub
        seconds *= 2
    raise AssertionError(f"not within {HANG_SECONDS / 2} s")


def at_least(count: int) -> Callable[[LoopResult, Stub], bool]:
    return lambda result, _: result.attempts >= count


def test_a_connection_is_used_again(requests: Path) -> None:
    result, stub = run_until(at_least(5), requests, "delay/0")
    assert result.counts() == {"200": result.good}
    assert {request.body for request in stub.received} == {BODY}
    assert len({request.port for request in stub.received}) == 1


def test_a_response_that_closes_its_connection_is_followed_by_a_new_one(requests: Path) -> None:
    result, stub = run_until(at_least(3), requests, "last")
    assert result.counts() == {"200": result.good}
    assert len({request.port for request in stub.received}) == len(stub.received)


def test_statuses_have_their_own_counts_and_latencies(requests: Path) -> None:
    result, _ = run_until(at_least(4), requests, "status/503", f"delay/{DELAY}")
    refused, accepted = (result.hammering.statuses[status] for status in (503, 200))
    assert (result.hammering.refused, result.good) == (refused.count, accepted.count)
    assert abs(refused.count - accepted.count) <= 1
    assert accepted.p50_ms >= 1000 * DELAY
    assert accepted == result.accepted
    assert result.cpu_s > 0


def test_a_success_takes_the_time_of_the_refusals_before_it(requests: Path) -> None:
    plan = (f"busy/{0}", f"busy/{0}", f"delay/{DELAY}")
    result, _ = run_until(lambda result, _: result.good >= 2, requests, *plan)
    successes, accepted = result.hammering.successes, result.accepted
    assert successes.count == accepted.count == result.good
    assert successes.p50_ms > accepted.p50_ms >= 1000 * DELAY


@pytest.mark.parametrize(("behaviour", "kind"), [("reset", RESET), ("close", NO_RESPONSE)])
def test_a_lost_connection_is_counted_and_made_again(
    requests: Path, behaviour: str, kind: str
) -> None:
    result, stub = run_until(lambda result, _: result.good >= 2, requests, behaviour, "delay/0")
    assert set(result.counts()) == {"200", kind}
    assert abs(result.hammering.failures[kind] - result.good) <= 1
    assert len({request.port for request in stub.received}) > 1


def test_a_response_that_comes_before_the_end_of_the_body_counts(tmp_path: Path) -> None:
    body = Payload(bytes(30_000_000), "image/jpeg")
    requests = write_requests([body], tmp_path / "large")
    # the server closes the connection of an unread body, which may reset it before the response
    result, _ = run_until(lambda result, _: 413 in result.hammering.statuses, requests, "early")
    assert result.hammering.statuses[413].count > 0
    assert set(result.counts()) <= {"413", RESET}


def test_an_impatient_client_drops_its_connection_and_tries_again(requests: Path) -> None:
    result, stub = run_until(at_least(3), requests, "hang", timeout=0.01)
    assert result.counts() == {TIMEOUT: result.attempts}
    assert len({request.port for request in stub.received}) == len(stub.received)


def test_a_polite_client_waits_as_long_as_retry_after_says(requests: Path) -> None:
    """The others do not wait. All are refused for longer than the test takes."""
    result, stub = run_until(
        lambda result, _: result.hammering.refused > 2 and result.polite.attempts == 2,
        requests,
        f"busy/{10 * HANG_SECONDS}",
        connections=3,
        polite=2,
    )
    assert (result.polite.clients, result.hammering.clients) == (2, 1)
    assert result.polite.counts() == {"503": 2}
    assert len({request.port for request in stub.received}) == 3


def test_a_polite_client_tries_again_after_the_wait(requests: Path) -> None:
    result, stub = run_until(
        lambda result, _: result.good, requests, "busy/1", then=f"delay/{DELAY}", polite=1
    )
    first, second = stub.received[:2]
    assert second.at - first.at >= 1
    assert result.polite.successes.max_ms >= 1000
    assert first.port == second.port


def test_requests_of_the_warm_up_do_not_count(requests: Path) -> None:
    clients = 2

    def some_before(result: LoopResult, stub: Stub) -> bool:
        before = [request for request in stub.received if request.at < result.window_start]
        return len(before) > 3 * clients and result.attempts > 0

    result, stub = run_until(some_before, requests, "delay/0", connections=clients, warm_up=0.5)
    # the clocks are the same on Linux
    within = sum(request.at >= result.window_start for request in stub.received)
    assert abs(result.attempts - within) <= clients


def test_clients_that_cannot_connect_pause(requests: Path, stub: Stub) -> None:
    address = resolve(parse_url(stub.url))
    stub.close_listener()
    for seconds in (0.35, 3.5, 35):  # the first suffices unless the machine is busy
        plan = LoopPlan(connections=2, seconds=seconds)
        result = ClosedLoop(address, read_messages(stub.url, requests), plan).run()
        if result.attempts >= 2:
            break
    assert set(result.counts()) == {REFUSED}
    assert 2 <= result.attempts <= 2 * (1 + result.window_s / 0.1)


def test_a_response_is_freed_by_the_next_request() -> None:
    """The client has no garbage collection."""
    client = LoopClient(polite=False)
    first = weakref.ref(client.response)
    client.begin(b"", 0.0)
    assert first() is None


def test_as_many_requests_are_in_flight_as_there_are_clients(requests: Path) -> None:
    count = 200
    result, stub = run_until(at_least(count), requests, f"together/{count}", connections=count)
    assert result.counts() == {"200": result.good}
    assert len({request.port for request in stub.received}) == count


def test_the_command_prints_the_result(requests: Path, stub: Stub) -> None:
    plan = LoopPlan(3, 0.5, warm_up=0.1, timeout=HANG_SECONDS, polite=1)
    result = run_closed_loop(f"{stub.url}/delay/0", requests, plan)
    assert (result.hammering.clients, result.polite.clients) == (2, 1)
    assert result.window_s >= 0.5
    assert LoopResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def refusal(*arguments: object, before: Callable[[], None] | None = None) -> str:
    """The line on stderr of a command that ends with status 2."""
    done = subprocess.run(
        [sys.executable, "-m", "local.benchmark.client.closed_loop", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
        preexec_fn=before,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("8", "1", "--polite", "9"), "--polite must be CONNECTIONS or less"),
        (("8", "0"), "must be above 0"),
        (("0", "1"), "'0' is not a whole number"),
    ],
)
def test_invalid_arguments_are_refused(
    arguments: tuple[str, ...], message: str, requests: Path
) -> None:
    assert message in refusal(f"http://127.0.0.1:{free_port()}/", requests, *arguments)


def test_a_list_that_is_none_is_refused(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("no tab")
    assert f"{path} is not a list of requests" in refusal(stub.url, path, 1, 1)


def test_a_low_hard_limit_of_descriptors_is_reported(requests: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    line = refusal(f"http://127.0.0.1:{free_port()}/", requests, 4000, 1, before=limit)
    assert line.startswith("error: 4,064 open files are needed, and the limit is 100. Raise it")


def test_a_low_soft_limit_of_descriptors_is_raised() -> None:
    program = (
        "import resource; from local.common.descriptors import allow_descriptors;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 90)); allow_descriptors(80);"
        "allow_descriptors(10); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "(80, 90)\n"


def test_no_limit_of_descriptors_is_exceeded() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("there is no limit")
    with pytest.raises(UsageError, match="open files are needed"):
        allow_descriptors(hard + 1)
