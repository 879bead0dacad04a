"""Runs of the load engine, with its processes."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from local.common.cpu import cpu_count
from local.loadtest.run import IN_FLIGHT, lateness
from tests.support.load_run import (
    finish_run,
    kinds_of,
    progress,
    run_load,
    start_run,
    waves,
)
from tests.support.scripts import finish, interrupt, session_of, start
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS, wait_until

CLOCKS_S = 0.01
"""Difference of `time.time` between two processes of a machine."""

PERIODS = (0.1, 1, 10)
"""Seconds between requests, of which the first suffices on most machines: a response must come
before the next request is due."""

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def test_each_request_has_one_record_and_is_sent_when_due(stub: Stub, tmp_path: Path) -> None:
    due = waves(3, 0.1, 5)
    before = time.time()
    run = run_load(f"{stub.url}/delay/0", due, tmp_path)
    records = np.sort(run.records, order="request")
    assert len(stub.received) == 15
    assert records["request"].tolist() == list(range(15))
    assert records["due"].tolist() == due
    assert kinds_of(run) == {"": 15}
    for first, second in (
        *(("due", "started"), ("started", "connected"), ("connected", "sent")),
        *(("sent", "first_byte"), ("first_byte", "ended")),
    ):
        assert (records[first] <= records[second]).all(), (first, second)
    assert (run.records["ended"][1:] >= run.records["ended"][:-1]).all()
    assert records["status"].tolist() == [200] * 15
    assert before - CLOCKS_S <= run.start_epoch <= time.time() - max(due) + CLOCKS_S
    assert (run.connections, run.stopped_by) == ("new", None)


def test_waves_do_not_wait_for_one_another(stub: Stub, tmp_path: Path) -> None:
    # given: a server that does not respond before the requests of all waves are in flight
    run = run_load(f"{stub.url}/together/20", waves(4, 0.05, 5), tmp_path)
    assert kinds_of(run) == {"": 20}


def test_there_is_one_process_per_core_whatever_the_number_of_waves(
    stub: Stub, tmp_path: Path
) -> None:
    process = start_run(f"{stub.url}/held/all", waves(1, 0, 300), tmp_path)
    wait_until(lambda: len(stub.received) == 300, "all requests")
    assert len(session_of(process)) == cpu_count()
    stub.release("all")
    assert kinds_of(finish_run(process, tmp_path)) == {"": 300}
    client = json.loads((tmp_path / "client.json").read_text())
    assert client["senders"] == cpu_count()
    assert client["cpu_seconds"] > 0
    assert client["peak_mb"] > 10


def test_idle_senders_take_no_cpu(stub: Stub, tmp_path: Path) -> None:
    process = start_run(f"{stub.url}/held/all", [0, 0, 600, 600], tmp_path)
    wait_until(lambda: len(stub.received) == 2, "two requests")
    senders = session_of(process)
    before = [sum(sender.cpu_times()[:2]) for sender in senders]
    time.sleep(0.5)
    used = [sum(sender.cpu_times()[:2]) for sender in senders]
    assert [after - then for after, then in zip(used, before, strict=True)] == pytest.approx(
        [0] * len(senders), abs=0.1
    )
    interrupt(process)
    finish_run(process, tmp_path)


def test_server_timing_and_request_ids_are_recorded(stub: Stub, tmp_path: Path) -> None:
    url = stub.follow("timed/queue;dur=1.5, decode;dur=2, infer;dur=18.25", "timed/infer;dur=7")
    run = run_load(url, [0, 0.2], tmp_path)
    # The requests may arrive in any order.
    second, first = np.sort(run.records, order="infer")
    assert [first[name] for name in ("queue", "decode", "infer")] == [1.5, 2, 18.25]
    assert np.isnan([second["queue"], second["decode"]]).all()
    assert second["infer"] == 7
    assert first["id"] == b"stub-1"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity"])
def test_coded_bodies_are_decoded(stub: Stub, coding: str, tmp_path: Path) -> None:
    run = run_load(f"{stub.url}/coded/{coding}", [0], tmp_path)
    assert kinds_of(run) == {"": 1}
    assert stub.received[0].headers["accept-encoding"] == "identity"


def test_unknown_codings_are_failures(stub: Stub, tmp_path: Path) -> None:
    run = run_load(stub.follow("coded/none", "delay/0"), [0, 0.1], tmp_path)
    assert kinds_of(run) == {"": 1, "content coding none": 1}


def test_failures_of_all_senders_have_the_same_kinds(stub: Stub, tmp_path: Path) -> None:
    url = stub.follow("status/500", "delay/0", "close", "garbage")
    run = run_load(url, waves(1, 0.02, 24), tmp_path)
    assert kinds_of(run) == {
        **{"": 6, "status 500": 6, "closed without a response": 6},
        "not an HTTP response": 6,
    }
    failed = run.records[run.records["failure"] > 0]
    assert set(failed["status"]) == {500, 0}


def test_keep_alive_uses_connections_again(stub: Stub, tmp_path: Path) -> None:
    for period in PERIODS:
        stub.received.clear()
        due = waves(1, period, 12)
        run = run_load(f"{stub.url}/delay/0", due, tmp_path, keep_alive=True, senders=2)
        ports = {request.port for request in stub.received}
        if len(ports) < 12:
            break
    assert len(ports) < 12
    assert kinds_of(run) == {"": 12}
    assert run.connections == "keep-alive"
    assert "connection" not in stub.received[0].headers
    # A request over an open connection has no time of connecting.
    assert np.isnan(run.records["connected"]).sum() == 12 - len(ports)


def test_by_default_each_request_has_its_own_connection(stub: Stub, tmp_path: Path) -> None:
    run_load(f"{stub.url}/delay/0", waves(1, 0.05, 6), tmp_path)
    assert len({request.port for request in stub.received}) == 6
    assert stub.received[0].headers["connection"] == "close"


@pytest.mark.parametrize("way", ["vanish", "last"])
def test_connections_that_the_server_closes_are_replaced(
    stub: Stub, way: str, tmp_path: Path
) -> None:
    run = run_load(f"{stub.url}/{way}", waves(1, 0.05, 6), tmp_path, keep_alive=True)
    assert kinds_of(run) == {"": 6}
    assert len({request.port for request in stub.received}) == 6


def test_request_on_a_connection_that_closes_is_sent_once_more(stub: Stub, tmp_path: Path) -> None:
    for period in PERIODS:
        stub.received.clear()
        url = stub.follow("delay/0", "delay/0", "close", then="delay/0")
        run = run_load(url, waves(1, period, 4), tmp_path, keep_alive=True, senders=1)
        first, second, closed, *_ = (request.port for request in stub.received)
        if closed in (first, second):
            break
    assert closed in (first, second)
    assert kinds_of(run) == {"": 4}
    assert len(stub.received) == 5


def test_request_is_sent_at_most_twice(stub: Stub, tmp_path: Path) -> None:
    url = stub.follow("delay/0", "delay/0", then="close")
    run = run_load(url, [0, 0.2, 0.4, 0.6], tmp_path, keep_alive=True, senders=1)
    assert kinds_of(run) == {"": 2, "closed without a response": 2}
    assert len(stub.received) <= 6


def test_descriptors_that_run_out_are_a_kind_of_failure(stub: Stub, tmp_path: Path) -> None:
    limit = 64 + 40
    due = waves(60, 0.2, 5)
    code = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}));"
    code += "runpy.run_module('tests.support.load_run', run_name='__main__')"
    given = {"url": f"{stub.url}/hang", "due": due, "timeout": 1.5, "options": {}, "senders": 2}
    process = start("-c", code.format(limit), json.dumps(given), tmp_path)
    assert finish(process).returncode == 0
    rest = json.loads((tmp_path / "run.json").read_text())
    assert sorted(rest["kinds"][2:]) == ["EMFILE", "timeout"]
    assert len(np.load(tmp_path / "records.npy")) == 300


def test_run_of_more_than_a_year_is_refused(stub: Stub, tmp_path: Path) -> None:
    done = finish(start_run(stub.url, [0, 1e12], tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        "error: A run takes at most a year; the last request of this one is due after 11,574,074 "
        "days. Use a shorter plan.\n"
    )
    assert stub.received == []


# Signals


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_ends_the_run_with_the_results_so_far(
    stub: Stub, number: int, tmp_path: Path
) -> None:
    url = stub.follow(*["delay/0"] * 4, then="hang")
    process = start_run(url, [0] * 4 + [0.2] * 6 + [600] * 5, tmp_path)
    wait_until(lambda: len(stub.received) == 10, "ten requests")
    wait_until(lambda: sum(progress(tmp_path)) == 4, "the records of four responses")
    os.killpg(process.pid, number)
    run = finish_run(process, tmp_path)
    assert run.stopped_by == number
    assert kinds_of(run) == {"": 4, IN_FLIGHT: 6}


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_before_the_start_sends_nothing(stub: Stub, number: int, tmp_path: Path) -> None:
    process = start_run(stub.url, [600] * 10, tmp_path)
    wait_until(lambda: session_of(process), "the first sender")
    process.send_signal(number)
    run = finish_run(process, tmp_path)
    assert (run.stopped_by, len(run.records)) == (number, 0)
    assert stub.received == []


def test_second_signal_ends_a_sender_that_hangs(stub: Stub, tmp_path: Path) -> None:
    process = start_run(f"{stub.url}/hang", [0] * 6, tmp_path, killed_after=10 * HANG_SECONDS)
    wait_until(lambda: len(stub.received) == 6, "six requests")
    for sender in session_of(process):
        sender.suspend()
    process.send_signal(signal.SIGINT)
    # A signal that comes before the first one is delivered is lost.
    calls = len(progress(tmp_path))
    wait_until(lambda: len(progress(tmp_path)) >= calls + 2, "a step after the signal")
    process.send_signal(signal.SIGINT)
    run = finish_run(process, tmp_path)
    assert (run.stopped_by, kinds_of(run)) == (signal.SIGINT, {IN_FLIGHT: 6})


def test_sender_that_does_not_stop_is_killed(stub: Stub, tmp_path: Path) -> None:
    process = start_run(f"{stub.url}/hang", [0] * 6, tmp_path)
    wait_until(lambda: len(stub.received) == 6, "six requests")
    for sender in session_of(process):
        sender.suspend()
    process.send_signal(signal.SIGTERM)
    run = finish_run(process, tmp_path)
    assert (run.stopped_by, kinds_of(run)) == (signal.SIGTERM, {IN_FLIGHT: 6})


def test_requests_of_a_killed_sender_are_failures(stub: Stub, tmp_path: Path) -> None:
    due = waves(6, 0.3, 4)
    process = start_run(f"{stub.url}/held/all", due, tmp_path, senders=2)
    wait_until(lambda: len(stub.received) >= 6, "the first wave")
    killed, _ = session_of(process)
    killed.kill()
    wait_until(lambda: len(session_of(process)) == 1, "its end")
    stub.release("all")
    run = finish_run(process, tmp_path)
    kinds = kinds_of(run)
    assert sorted(run.records["request"]) == list(range(24))
    assert kinds == {"": 12, "process killed": 12}
    assert (run.records["ended"] >= run.records["due"]).all()
    assert (lateness(run.records) >= 0).all()


def test_senders_end_with_their_parent(stub: Stub, tmp_path: Path) -> None:
    process = start_run(f"{stub.url}/hang", [0] * 4 + [600] * 4, tmp_path)
    wait_until(lambda: len(stub.received) == 4, "four requests")
    senders = session_of(process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(senders, timeout=HANG_SECONDS)
    assert alive == []
    process.communicate()
