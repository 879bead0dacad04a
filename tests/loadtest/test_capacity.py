"""capacity.py as users run it. The search itself is tested in test_capacity_search.py."""

import io
import json
import math
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local.loadtest.capacity import experiment
from local.loadtest.capacity.progress import Progress
from local.loadtest.capacity.result import Result
from local.loadtest.capacity.search import Search
from local.loadtest.capacity.shapes import Steady
from local.loadtest.capacity.step import Criteria
from local.loadtest.run import RECORD, Run
from local.loadtest.schedule import Schedule
from local.loadtest.target import Target, http_target
from tests.support.runs import make_run
from tests.support.scripts import finish, interrupt, refused, script, start
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS, wait_until

CAPACITY = "local/capacity.py"

PATIENT = ("--limit", HANG_SECONDS * 1000, "--timeout", HANG_SECONDS, "--for", 10 * HANG_SECONDS)
"""So that only failures decide, however slow the machine is."""

ONE_WAVE = ("--arrivals", "waves", "-T", 600, "-R", 1, *PATIENT)
"""One wave of each size, so that the search never waits for T."""

PROBES = 3
"""Single requests before the search."""


def read(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def test_largest_wave_of_a_service_that_refuses_more_is_found(stub: Stub, tmp_path: Path) -> None:
    # given: one request of each wave of more than ten is refused
    sizes = [1, 2, 4, 8, 16, 13, 10, 12, 11, 10, 11, 10, 11]
    plan = ["delay/0"] * PROBES
    for size in sizes:
        plan += ["delay/0"] * (size - 1) + ["status/503" if size > 10 else "delay/0"]
    table, plot = tmp_path / "capacity.json", tmp_path / "capacity.SVG"

    url = stub.follow(*plan, then="close")
    reports = ("--json", table, "--plot", plot)
    done = script(
        CAPACITY, "--url", url, *ONE_WAVE, "--failures", 0, "--header", "X-Who: me", *reports,
        "--require", "rate>=0.016", "--require", "rate>0.02"
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert [line for line in done.stdout.splitlines() if "not met" in line] == [
        "not met     rate>0.02: it was 0.017/s"
    ]
    report = read(table)
    assert [step["load"] for step in report["steps"]] == sizes
    assert report["status"] == "found"
    assert report["wave"] == 10
    assert report["sustainable_rps"] == pytest.approx(10 / 600)
    assert report["highest_passed"] == {"rps": 10 / 600, "passed": 3, "measured": 3}
    assert report["lowest_failed"] == {"rps": 11 / 600, "passed": 0, "measured": 3}
    assert "in waves of 10 every 600 s" in done.stdout
    assert "<svg" in plot.read_text()
    assert {received.headers["x-who"] for received in stub.received} == {"me"}


def test_steady_rate_is_measured_up_to_the_most(stub: Stub, tmp_path: Path) -> None:
    """On a busy machine, the verdict may be any; the counts agree."""
    table = tmp_path / "capacity.json"
    # Timeouts and failures would be followed by single requests, which no step counts.
    limits = ("--limit", HANG_SECONDS * 1000, "--timeout", HANG_SECONDS)
    done = script(CAPACITY, "--url", f"{stub.url}/delay/0", "--most", 30, "--for", 20,
                  "--precision", "50%", "--json", table, *limits)  # fmt: skip
    assert done.stderr == ""
    report = read(table)
    assert {step["offered_rps"] <= 30 for step in report["steps"]} == {True}
    assert len(stub.received) == PROBES + sum(step["requests"] for step in report["steps"])
    assert report["sustainable_rps"] is None or report["sustainable_rps"] <= 30
    assert report["arrivals"] == "constant"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("status/503", r"fails \(status 503\)"), ("delay/0.1", r"takes \d{3,}\.\d ms")],
)
def test_service_that_fails_a_single_request_sustains_nothing(
    stub: Stub, behaviour: str, reason: str
) -> None:
    done = script(CAPACITY, "--url", f"{stub.url}/{behaviour}", "--limit", 50)
    assert done.returncode == 1
    assert re.search(f"sustainable: none; one request at a time {reason}", done.stdout)


@pytest.mark.parametrize(
    ("number", "answered", "sent", "loads"),
    [
        (signal.SIGINT, 0, 1, []),
        (signal.SIGINT, PROBES + 1 + 2, PROBES + 1 + 2 + 4, [1, 2]),
        (signal.SIGTERM, PROBES + 1 + 2, PROBES + 1 + 2 + 4, [1, 2]),
    ],
)
def test_stopped_search_reports_what_is_known_and_no_result(
    stub: Stub,
    tmp_path: Path,
    number: signal.Signals,
    answered: int,
    sent: int,
    *,
    loads: list[int],
) -> None:
    table = tmp_path / "capacity.json"
    url = stub.follow(*["delay/0"] * answered, then="hang")
    process = start(CAPACITY, "--url", url, *ONE_WAVE, "--json", table)
    wait_until(lambda: len(stub.received) == sent, "requests that hang")
    if number == signal.SIGINT:
        interrupt(process)
    else:
        process.terminate()
    done = finish(process)
    assert (done.returncode, done.stderr) == (128 + number, "")
    assert "incomplete, because it was stopped" in done.stdout
    assert "sustainable" not in done.stdout
    report = read(table)
    assert (report["status"], report["stopped"]) == ("incomplete", True)
    assert report["sustainable_rps"] is report["wave"] is report["interval_rps"] is None
    assert [step["load"] for step in report["steps"]] == loads
    assert report["highest_passed"] == (
        {"rps": 2 / 600, "passed": 1, "measured": 1} if loads else None
    )


def test_progress_on_a_terminal_names_the_load_and_the_time_left() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    progress = Progress(100, terminal)
    progress.start("50 requests/s", 400, 8)
    progress.add(np.zeros(3, RECORD))
    assert terminal.getvalue().endswith("50 requests/s: 0/400, 0 of 8 s; at most 1:40 min left")


def test_progress_is_silent_elsewhere() -> None:
    stream = io.StringIO()
    progress = Progress(100, stream)
    progress.start("50 requests/s", 400, 8)
    progress.clear()
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-T", "1"), "-T and -R need --arrivals waves."),
        (("--arrivals", "waves", "-T", "0"), "T must be more than 0 seconds."),
        (("--arrivals", "waves", "-R", "0"), "R must be 1 or more; it is 0."),
        (("--arrivals", "waves", "--most", "0"), "--most must be a number of requests, 1 or more"),
        (("--arrivals", "waves", "--most", "1e9"), "A run has at most 20,000,000 requests"),
        (("--most", "0"), "--most must be more than 0 requests/s; it is 0."),
        (("--most", "inf"), "--most must be more than 0 requests/s; it is inf."),
        (("--most", "1e9"), "A run has at most 20,000,000 requests"),
        (("--limit", "0"), "--limit must be more than 0 ms; it is 0."),
        (("--limit", "10001"), "--limit must be at most the --timeout of a request, 10000 ms."),
        (("--for", "19"), "--for must be 20 seconds or more; it is 19."),
        (("--for", "nan"), "--for must be 20 seconds or more; it is nan."),
        (("--precision", "0.1%"), "--precision must be from 1% to 50%; it is 0.001."),
        (("--failures", "2"), "argument --failures: '2' is not a share such as 0.1% or 0.001"),
        (("--failures", "x%"), "argument --failures: 'x%' is not a share such as 0.1% or 0.001"),
        (("--require", "p99<250"), "--require 'p99<250': only a rate can be required, such as"),
        (("--plot", "capacity.txt"), "--plot must end in .svg, .png, .pdf: 'capacity.txt'."),
    ],
)
def test_invalid_arguments_exit_2(stub: Stub, arguments: tuple[str, ...], message: str) -> None:
    assert refused(CAPACITY, "--url", stub.url, *arguments).startswith(f"error: {message}")
    assert stub.received == []


def test_service_that_crashes_has_no_result(stub: Stub, tmp_path: Path) -> None:
    # given: all requests fail after the first two measurements, of one and of two requests
    table = tmp_path / "capacity.json"
    url = stub.follow(*["delay/0"] * (PROBES + 3), then="close")

    done = script(CAPACITY, "--url", url, *ONE_WAVE, "--json", table)

    assert done.returncode == 1, done.stderr
    why = "because even single requests fail now (closed without a response)"
    assert f"incomplete, {why}; no result" in done.stdout
    report = read(table)
    assert (report["status"], report["sustainable_rps"]) == ("incomplete", None)
    assert [step["load"] for step in report["steps"]] == [1, 2, 4]


@dataclass
class Clock:
    """Instead of `time`, so that a search takes no time."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_search_of_a_service_that_crashes_near_the_end_is_over_in_time(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a service that sustains 100 requests/s and refuses connections for the last 4 seconds
    clock = Clock()

    def run(_target: Target, schedule: Schedule, *_: object) -> Run:
        failure = ["" if clock.now + due < 16 else "refused" for due in schedule.due]
        clock.now += schedule.span or 0.001
        rate = schedule.requests / (schedule.span or math.inf)
        growth = max(0.0, rate / 100 - 1)
        return make_run(schedule, 0.01 + growth * schedule.due, failure=failure)

    monkeypatch.setattr(experiment, "time", clock)
    monkeypatch.setattr(experiment, "run", run)
    search = Search(Steady("constant", 20 / 15), 1.0, 10_000, 0.01)
    result = Result("http://localhost/", search, Criteria(1000, 0.001, 0.004))

    target = http_target(stub.url, [])
    experiment.Experiment(target, result, 20, 10).search()

    assert result.gone == "refused"
    assert clock.now <= 20
    assert result.status == "incomplete"


def test_address_is_no_mathematics_in_a_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from local.loadtest.capacity.plot import save_plot

    search = Search(Steady("constant", 8.0), 1.0, 10.0, 0.05)
    result = Result(r"http://localhost/$\bad$", search, Criteria(500, 0.001, 0.02))
    save_plot(result, tmp_path / "capacity.svg")
    assert "bad$" in (tmp_path / "capacity.svg").read_text("utf-8")
