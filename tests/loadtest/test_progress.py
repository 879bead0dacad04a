"""Progress of a run, on a terminal and elsewhere, on a clock of the test."""

import io
import re

import pytest

from local.loadtest.report.progress import Progress, duration
from local.loadtest.run import Records
from local.loadtest.schedule import Schedule
from tests.support.runs import make_run, steady


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def set(self, seconds: float) -> None:
        self.now = 1000.0 + seconds


def ended(schedule: Schedule, first: float, last: float) -> Records:
    """The records of 100 ms that end between two times; each tenth request fails."""
    failure = ["" if number % 10 else "timeout" for number in range(schedule.requests)]
    records = make_run(schedule, [0.1] * schedule.requests, failure=failure).records
    return records[(records["ended"] > first) & (records["ended"] <= last)]


def test_a_terminal_shows_rate_failures_p99_and_time_left() -> None:
    clock = Clock()
    stream, schedule = Terminal(), steady(100, 60)
    shown = Progress(schedule, stream, clock)
    for second in range(10):
        clock.set(second + 1)
        shown.add(ended(schedule, second, second + 1))
    line = stream.getvalue().rpartition("\r\x1b[K")[2]
    assert line.startswith("[###      ")
    found = re.search(r"\] (\d+)/6000  (\d+)/s  (\d+) failed  p99 (\d+) ms  (.*) left$", line)
    assert found, line
    over, rate, failed, p99, left = found.groups()
    assert (int(over), int(failed), int(p99), left) == (991, 100, 100, "50 s")
    assert int(rate) == pytest.approx(100, abs=1)


def test_the_p99_is_that_of_the_last_seconds() -> None:
    # given: requests of 100 ms, and nothing for ten seconds
    clock = Clock()
    stream, schedule = Terminal(), steady(100, 60)
    shown = Progress(schedule, stream, clock)
    clock.set(1)
    shown.add(ended(schedule, 0, 1))
    assert "p99 100 ms" in stream.getvalue().rpartition("\r")[2]
    clock.set(11)
    shown.add(ended(schedule, 0, 0))
    line = stream.getvalue().rpartition("\r")[2]
    assert "p99" not in line
    assert "  0/s  " in line


def test_the_end_of_the_plan_is_not_the_end_of_the_run() -> None:
    clock = Clock()
    stream, schedule = Terminal(), steady(100, 1)
    shown = Progress(schedule, stream, clock)
    clock.set(1.05)
    shown.add(ended(schedule, 0, 1.05))
    assert stream.getvalue().endswith("waiting for the last responses")
    clock.set(1.1)
    shown.add(ended(schedule, 1.05, 2))
    last = stream.getvalue().rpartition("\r")[2]
    assert "] 100/100  " in last
    assert "waiting" not in last
    assert "left" not in last


def test_without_a_terminal_a_line_is_printed_every_five_seconds() -> None:
    clock = Clock()
    stream, schedule = io.StringIO(), steady(100, 60)
    shown = Progress(schedule, stream, clock)
    for tenth in range(250):
        clock.set((tenth + 1) / 10)
        shown.add(ended(schedule, tenth / 10, (tenth + 1) / 10))
    shown.clear()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    assert [line.split("  ")[0] for line in lines[:2]] == ["491/6000", "991/6000"]
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_a_short_run_prints_nothing_without_a_terminal() -> None:
    clock = Clock()
    stream, schedule = io.StringIO(), steady(100, 1)
    shown = Progress(schedule, stream, clock)
    clock.set(1.2)
    shown.add(ended(schedule, 0, 2))
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1:00 min"), (3599, "59:59 min"), (7207, "2:00:07 h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
