"""Timing of requests when the client is late, or lacks files and processes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from local.common.paths import SAMPLE
from local.loadtest.client.sender import WaveSender
from local.loadtest.payload import read_payloads
from local.loadtest.plan import WavePlan
from local.loadtest.result import RequestResult
from local.loadtest.target import http_target
from tests.support.scripts import assert_consistent, finish, start
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS, wait_until


def make_sender(url: str, parallel: int, wave: int = 0) -> WaveSender:
    """A prepared sender."""
    target = http_target(url, read_payloads(SAMPLE))
    plan = WavePlan(parallel, 1, wave + 1)
    sender = WaveSender(target, plan, wave, range(parallel), timeout=HANG_SECONDS)
    sender.prepare()
    return sender


def poll_until(sender: WaveSender, condition: Callable[[], object]) -> list[RequestResult]:
    """The results until `condition` is true."""
    finished: list[RequestResult] = []

    def poll() -> object:
        finished.extend(sender.poll(0.01))
        return condition()

    wait_until(poll, "a condition of the sender")
    return finished


def finish_wave(sender: WaveSender) -> list[RequestResult]:
    return poll_until(sender, lambda: not sender.in_flight)


def test_delay_of_the_client_is_part_of_the_latency(stub: Stub) -> None:
    # given: a wave of three that was due half a second ago, at a server that takes 0.1 s
    sender = make_sender(f"{stub.url}/delay/0.1", 3)
    due = time.perf_counter() - 0.5

    finished = sender.send(due)
    fired = time.perf_counter()
    finished += finish_wave(sender)

    # then: the latency contains both
    assert [result.failure for result in finished] == [""] * 3
    for result in finished:
        assert 0.5 <= result.lateness <= fired - due
        assert result.service >= 0.1
        assert result.latency == result.lateness + result.service


def test_each_request_is_timed_by_its_own_response(stub: Stub) -> None:
    # given: two requests in flight, whose responses are held
    sender = make_sender(stub.follow("held/first", "held/second"), 2)
    before = time.perf_counter()
    assert sender.send(before) == []
    fired = time.perf_counter()
    assert poll_until(sender, lambda: len(stub.received) == 2) == []

    # when: the server responds to one, and to the other after the client has the first response
    released = time.perf_counter()
    stub.release("first")
    (first,) = poll_until(sender, lambda: sender.in_flight == 1)
    between = time.perf_counter()
    stub.release("second")
    (second,) = finish_wave(sender)

    # then
    assert before <= first.started <= fired
    assert before <= second.started <= fired
    assert released <= first.ended <= between <= second.ended


def test_request_ends_with_the_last_byte_of_its_response(stub: Stub) -> None:
    # given: a client that has half of a response
    sender = make_sender(f"{stub.url}/half/rest", 1)
    finished = sender.send(time.perf_counter())
    (connection,) = sender._open.values()
    finished += poll_until(sender, lambda: connection.response.started)
    assert finished == []

    released = time.perf_counter()
    stub.release("rest")
    (result,) = finish_wave(sender)

    assert result.failure == ""
    assert result.ended >= released


def test_next_wave_is_refused_after_the_server_stops_listening(stub: Stub) -> None:
    first, second = make_sender(stub.url, 3), make_sender(stub.url, 3, wave=1)
    finished = first.send(time.perf_counter())
    finished += finish_wave(first)

    stub.close_listener()
    late = second.send(time.perf_counter())
    late += finish_wave(second)

    assert [result.failure for result in finished] == [""] * 3
    assert [result.failure for result in late] == ["refused"] * 3


def test_sender_sends_only_its_numbers(stub: Stub) -> None:
    target = http_target(stub.url, read_payloads(SAMPLE))
    sender = WaveSender(
        target, WavePlan(10, 1, 9), wave=7, numbers=range(1, 10, 2), timeout=HANG_SECONDS
    )
    sender.prepare()
    finished = sender.send(time.perf_counter())
    finished += finish_wave(sender)
    assert sorted((result.wave, result.number) for result in finished) == [
        (7, n) for n in range(1, 10, 2)
    ]
    assert len(stub.received) == 5


def limited(files: int, *arguments: object) -> tuple[str, ...]:
    """A command under `ulimit -n files`."""
    script = "local/run_multiple_tests.py"
    command = " ".join(map(str, (sys.executable, script, *arguments)))
    return "-c", f"import os; os.execlp('sh', 'sh', '-c', 'ulimit -n {files} && exec {command}')"


def test_too_many_files_for_the_limit_exits_2(stub: Stub) -> None:
    done = finish(start(*limited(100, "-N", 90, "--url", stub.url)))
    assert done.returncode == 2
    assert done.stderr == (
        "error: N must be 36 or less, as the limit of open files is 100 (ulimit -Hn).\n"
    )


def test_waves_without_a_process_are_failures(stub: Stub, tmp_path: Path) -> None:
    """A hundred simultaneous processes need more files than the limit."""
    path = tmp_path / "report.json"
    plan = ("-N", 2, "-T", 0, "-R", 100)
    done = finish(start(*limited(80, *plan, "--url", stub.url, "--json", path)))
    assert done.returncode == 4, done.stderr
    report = json.loads(path.read_text())
    assert_consistent(report)
    assert report["requests"] == 200
    assert report["answered"] == len(stub.received) > 20
    assert report["failures_by_kind"] == {"process not started": 200 - len(stub.received)}


def test_perf_counter_is_shared_between_processes() -> None:
    """So times of different processes can be subtracted."""
    program = "import time; print(repr(time.perf_counter()))"
    before = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert before < float(done.stdout) < time.perf_counter()
