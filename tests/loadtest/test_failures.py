"""Failures are counted by kind, once each; runs that are stopped or lose a process."""

import csv
import re
import signal
from pathlib import Path

import pytest

from tests.support.scripts import finish, interrupt, measured, session_of, start
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS, wait_until

ONE = "local/test_script.py"
WAVES = "local/run_multiple_tests.py"

KINDS = {
    "status/500": "status 500",
    "status/429": "status 429",
    "status/302": "status 302",
    "reset": "reset",
    "close": "closed without a response",
    "cut": "truncated response",
    "garbage": "not an HTTP response",
    "early": "status 413",
    'json/{"predictions":[]}': "no predictions",
    "json/[]": "no predictions",
    "json/oops": "no predictions",
    "nested": "no predictions",
    "endless": "response too large",
}


def test_failures_are_counted_by_kind(stub: Stub, tmp_path: Path) -> None:
    # given: a server that fails in every way but one, and answers every other request
    plan = [behaviour for kind in KINDS for behaviour in (kind, "delay/0")]
    expected: dict[str, int] = {}
    for kind in KINDS.values():
        expected[kind] = expected.get(kind, 0) + 2

    done, report = measured(WAVES, "-N", len(plan), "-T", 0.1, "-R", 2,
                            "--url", stub.follow(*plan), folder=tmp_path)  # fmt: skip

    assert done.returncode == 1
    assert report["failures_by_kind"] == expected
    assert report["answered"] == len(KINDS) * 2
    for kind in expected:
        assert kind in done.stdout


def test_missing_and_partial_responses_time_out(stub: Stub, tmp_path: Path) -> None:
    table = tmp_path / "report.csv"
    url = stub.follow("hang", "half/never")
    done, report = measured(ONE, 4, "--timeout", 0.3, "--csv", table, "--url", url,
                            folder=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert report["failures_by_kind"] == {"timeout": 4}
    # A timeout is the limit, not a latency.
    assert report["latency_ms"]["max"] is None
    with table.open(newline="") as file:
        assert all(float(row["service_ms"]) >= 300 for row in csv.DictReader(file))


def test_response_before_the_end_of_a_large_payload(stub: Stub, tmp_path: Path) -> None:
    image = tmp_path / "large.jpg"
    image.write_bytes(bytes(20_000_000))
    _, report = measured(ONE, 2, "--image", image, "--url", f"{stub.url}/early", folder=tmp_path)
    assert report["failures"] == 2
    assert set(report["failures_by_kind"]) <= {"status 413", "reset"}


def test_early_response_to_a_payload_on_an_open_connection(stub: Stub, tmp_path: Path) -> None:
    image = tmp_path / "large.jpg"
    image.write_bytes(bytes(5_000_000))
    url = stub.follow(*["delay/0"] * 4, then="early")
    _, report = measured(WAVES, "-N", 4, "-T", 0.5, "-R", 3, "--keep-alive", "--image", image,
                         "--url", url, folder=tmp_path)  # fmt: skip
    assert (report["answered"], report["failures"]) == (4, 8)
    assert set(report["failures_by_kind"]) <= {"status 413", "reset"}


def test_requests_are_refused_after_the_server_stops(stub: Stub, tmp_path: Path) -> None:
    # given: a run with more waves than can finish before the server stops listening
    output = tmp_path / "output"
    process = start(WAVES, "-N", 3, "-T", 0.05, "-R", 10_000, "-V", "--url", stub.url,
                    output=output)  # fmt: skip
    wait_until(lambda: len(stub.received) >= 6, "the second wave")

    stub.close_listener()
    wait_until(lambda: "refused\n" in output.read_text(), "a refused request")
    interrupt(process)
    assert finish(process).returncode == 130

    # then: every request is counted
    counts = re.search(r"(\d+): (\d+) answered, (\d+) failed, (\d+) still", output.read_text())
    assert counts
    requests, answered, failed, in_flight = map(int, counts.groups())
    assert requests == answered + failed + in_flight
    assert answered <= len(stub.received) <= answered + in_flight


def test_ctrl_c_reports_results_so_far(stub: Stub, tmp_path: Path) -> None:
    # given: a wave of which five requests are answered and five are not, of a run of 500 waves
    output = tmp_path / "output"
    url = stub.follow(*["delay/0"] * 5, *["hang"] * 5)
    process = start(WAVES, "-N", 10, "-T", 600, "-R", 500, "--timeout", HANG_SECONDS, "-V",
                    "--url", url, output=output)  # fmt: skip
    wait_until(lambda: output.read_text().count("  ok\n") == 5, "five responses")
    wait_until(lambda: len(stub.received) == 10, "the other five requests")

    interrupt(process)
    assert finish(process).returncode == 130

    said = output.read_text()
    assert "Traceback" not in said
    assert "10: 5 answered, 0 failed, 5 still in flight when stopped, 4990 not sent" in said


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_to_the_script_only_stops_the_run(
    stub: Stub, number: int, status: int, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    process = start(ONE, 7, "--timeout", HANG_SECONDS, "--url", f"{stub.url}/hang", "--json", path)
    wait_until(lambda: len(stub.received) == 7, "seven requests")
    process.send_signal(number)
    done = finish(process)
    assert done.returncode == status
    assert "7: 0 answered, 0 failed, 7 still in flight when stopped, 0 not sent" in done.stdout
    assert path.exists()


def test_senders_ignore_ctrl_c(stub: Stub) -> None:
    """Only the script ends them; otherwise their responses would be lost."""
    process = start(ONE, 2, "--url", f"{stub.url}/held/all")
    wait_until(lambda: len(stub.received) == 2, "two requests")
    for sender in session_of(process):
        sender.send_signal(signal.SIGINT)
    stub.release("all")
    done = finish(process)
    assert done.returncode == 0
    assert "2: 2 answered, 0 failed" in done.stdout


def test_ctrl_c_during_a_run_of_many_waves(stub: Stub) -> None:
    process = start(WAVES, "-N", 100, "-T", 0, "-R", 30, "--timeout", HANG_SECONDS,
                    "--url", f"{stub.url}/hang")  # fmt: skip
    wait_until(lambda: stub.received, "a request")
    interrupt(process)
    done = finish(process)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    counts = re.search(r"0 failed, (\d+) still in flight when stopped, (\d+) not", done.stdout)
    assert counts
    assert sum(map(int, counts.groups())) == 3000


def test_requests_of_killed_processes_are_failures(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    process = start(ONE, 7, "--timeout", HANG_SECONDS, "--url", f"{stub.url}/hang", "--json", path)
    wait_until(lambda: len(stub.received) == 7, "seven requests")
    for sender in session_of(process):
        sender.kill()
    done = finish(process)
    assert done.returncode == 1
    assert "7: 0 answered, 7 failed" in done.stdout
    assert "process killed" in done.stdout
