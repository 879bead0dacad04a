"""What a client measures when it is late itself, or out of files and processes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.load.bodies import SAMPLE, read_bodies
from local.load.outcome import Outcome
from local.load.plan import WavePlan
from local.load.sender import WaveSender
from local.load.target import http_target
from tests.support.scripts import assert_consistent, finish, start
from tests.support.stub import Stub


def test_waiting_in_the_client_is_part_of_the_latency(stub: Stub) -> None:
    # given: a wave of three that was due half a second ago, at a server that takes 0.1 s
    target = http_target(f"{stub.url}/delay/0.1", read_bodies(SAMPLE))
    sender = WaveSender(target, WavePlan(3, 1, 1), wave=0, numbers=range(3), timeout=5)
    sender.prepare()
    over: list[Outcome] = sender.fire(time.perf_counter() - 0.5)
    while sender.in_flight:
        over += sender.turn(1)
    # then: what someone waited is 0.6 s, of which the service took 0.1 s
    assert [each.failure for each in over] == [""] * 3
    for each in over:
        assert each.lateness == pytest.approx(0.5, abs=0.05)
        assert each.service == pytest.approx(0.1, abs=0.05)
        assert each.latency == each.lateness + each.service


def test_a_share_of_a_wave(stub: Stub) -> None:
    target = http_target(stub.url, read_bodies(SAMPLE))
    sender = WaveSender(target, WavePlan(10, 1, 9), wave=7, numbers=range(1, 10, 2), timeout=5)
    sender.prepare()
    over = sender.fire(time.perf_counter())
    while sender.in_flight:
        over += sender.turn(1)
    assert sorted((each.wave, each.number) for each in over) == [(7, n) for n in range(1, 10, 2)]
    assert len(stub.received) == 5


def limited(files: int, *arguments: object) -> tuple[str, ...]:
    """A command under `ulimit -n files`."""
    script = "local/run_multiple_tests.py"
    command = " ".join(map(str, (sys.executable, script, *arguments)))
    return "-c", f"import os; os.execlp('sh', 'sh', '-c', 'ulimit -n {files} && exec {command}')"


def test_more_than_the_system_allows(stub: Stub) -> None:
    done = finish(start(*limited(100, "-N", 90, "--url", stub.url)))
    assert done.returncode == 2
    assert done.stderr == (
        "error: N must be 36 or less: a process may open 100 files here (ulimit -Hn).\n"
    )


def test_waves_that_get_no_process(stub: Stub, tmp_path: Path) -> None:
    """A hundred processes at once need more files than the parent may open."""
    path = tmp_path / "report.json"
    plan = ("-N", 2, "-T", 0, "-R", 100)
    done = finish(start(*limited(80, *plan, "--url", stub.url, "--json", path)))
    assert done.returncode == 1, done.stderr
    report = json.loads(path.read_text())
    assert_consistent(report)
    assert report["requests"] == 200
    assert report["answered"] == len(stub.received) > 20
    assert report["failures_by_kind"] == {"no process could be made": 200 - len(stub.received)}


def test_the_clock_is_the_machine_s() -> None:
    """Times of different processes may be subtracted."""
    program = "import time; print(repr(time.perf_counter()))"
    before = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert before < float(done.stdout) < time.perf_counter()
