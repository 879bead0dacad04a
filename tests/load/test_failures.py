"""Each way to fail is counted as what it is, once; and runs that are stopped or lose a process."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.support.scripts import finish, interrupt, measured, session_of, start
from tests.support.stub import Stub

ONE = "local/test_script.py"
WAVES = "local/run_multiple_tests.py"

KINDS = {
    "status/500": "status 500",
    "status/429": "status 429",
    "status/302": "status 302",
    "hang": "timeout",
    "slow/5": "timeout",
    "reset": "reset",
    "close": "closed without an answer",
    "cut": "cut short",
    "garbage": "not an HTTP answer",
    "early": "status 413",
    'json/{"predictions":[]}': "no predictions",
    "json/[]": "no predictions",
    "json/oops": "no predictions",
}


def until(condition: object) -> None:
    """Wait for what must happen soon; fail if it does not."""
    assert callable(condition)
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # reaped meanwhile
        return False


def test_each_kind_is_counted_as_what_it_is(stub: Stub, tmp_path: Path) -> None:
    # given: a server that fails in every way, and answers every other request
    plan = [each for kind in KINDS for each in (kind, "delay/0.1")]
    expected: dict[str, int] = {}
    for kind in KINDS.values():
        expected[kind] = expected.get(kind, 0) + 3

    done, report = measured(WAVES, "-N", len(plan), "-T", 0.5, "-R", 3, "--timeout", 1,
                            "--url", stub.follow(*plan), folder=tmp_path)  # fmt: skip

    assert done.returncode == 1
    assert report["failures_by_kind"] == expected
    assert report["answered"] == len(KINDS) * 3
    # Failures are quick (a reset) or as long as the limit (a timeout): neither is a latency.
    assert report["latency_ms"]["p50"] == pytest.approx(100, abs=60)
    assert report["latency_ms"]["max"] < 900
    for kind in expected:
        assert kind in done.stdout


def test_a_large_body_and_an_answer_before_its_end(stub: Stub, tmp_path: Path) -> None:
    image = tmp_path / "large.jpg"
    image.write_bytes(bytes(20_000_000))
    _, report = measured(ONE, 2, "--image", image, "--url", f"{stub.url}/early", folder=tmp_path)
    assert report["failures"] == 2
    assert set(report["failures_by_kind"]) <= {"status 413", "reset"}


def test_a_server_that_goes_away(stub: Stub, tmp_path: Path) -> None:
    # given: a run under way
    path = tmp_path / "report.json"
    process = start(WAVES, "-N", 3, "-T", 0.3, "-R", 6, "--url", stub.url, "--json", path)
    until(lambda: len(stub.received) >= 6)
    # when the server stops listening
    stub.close_listener()
    # then the rest is refused, and nothing is lost
    done = finish(process)
    assert done.returncode == 1
    answered = len(stub.received)
    assert f"18: {answered} answered, {18 - answered} failed" in done.stdout
    assert "refused" in done.stdout


def test_ctrl_c_tells_what_was_measured_so_far(stub: Stub) -> None:
    # given: a wave that is answered and one that is not, of a run that goes on for minutes
    url = stub.follow(*["delay/0"] * 5, *["hang"] * 5)
    process = start(WAVES, "-N", 5, "-T", 0.5, "-R", 500, "--url", url)
    until(lambda: len(stub.received) >= 10)

    interrupt(process)
    done = finish(process)

    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    due = len(stub.received)
    assert f"{due}: {due - 5 * (due // 10)} answered, 0 failed, " in done.stdout
    assert f"{5 * (due // 10)} still in flight when stopped, {2500 - due} not sent" in done.stdout


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_script_alone(stub: Stub, number: int, status: int, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    process = start(ONE, 7, "--url", f"{stub.url}/hang", "--json", path)
    until(lambda: len(stub.received) == 7)
    process.send_signal(number)
    done = finish(process)
    assert done.returncode == status
    assert "7: 0 answered, 0 failed, 7 still in flight when stopped, 0 not sent" in done.stdout
    assert path.exists()


def test_ctrl_c_before_the_first_wave_is_due(stub: Stub) -> None:
    process = start(WAVES, "-N", 100, "-T", 0, "-R", 30, "--url", f"{stub.url}/hang")
    until(lambda: len(session_of(process)) >= 3)
    interrupt(process)
    done = finish(process)
    assert done.returncode == 130
    assert "not sent" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_process_that_is_killed_takes_its_requests_with_it(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    process = start(ONE, 7, "--url", f"{stub.url}/hang", "--json", path)
    until(lambda: len(stub.received) == 7)
    (wave,) = session_of(process)
    wave.kill()
    done = finish(process)
    assert done.returncode == 1
    assert "7: 0 answered, 7 failed" in done.stdout
    assert "worker died" in done.stdout


def test_without_their_parent_the_waves_end(stub: Stub) -> None:
    process = start(ONE, 3, "--url", f"{stub.url}/hang")
    until(lambda: len(stub.received) == 3)
    waves = session_of(process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    gone, alive = psutil.wait_procs(waves, timeout=10)
    assert (len(gone), alive) == (1, [])
    process.communicate()


def test_finished_waves_are_reaped_while_others_run(stub: Stub) -> None:
    # given: one wave that hangs, then waves that are answered at once
    url = stub.follow("hang", *["delay/0"] * 10_000)
    process = start(WAVES, "-N", 1, "-T", 0.02, "-R", 400, "--url", url)
    until(lambda: len(stub.received) >= 200)
    # then there are the hanging one, about a second's worth that stand by, and no dead ones
    children = psutil.Process(process.pid).children()
    assert len(children) < 100
    assert sum(is_zombie(each) for each in children) <= 2
    interrupt(process)
    assert finish(process).returncode == 130
