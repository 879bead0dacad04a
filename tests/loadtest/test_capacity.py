"""The search for the knee of a service."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.loadtest.knee import Curve, Search, Step, find_knee
from local.loadtest.run import IN_FLIGHT
from local.loadtest.stats import summarize
from tests.support.runs import make_run, waves
from tests.support.scripts import finish, interrupt, refused, script, start
from tests.support.stub import Stub
from tests.support.wait import HANG_SECONDS, wait_until

CAPACITY = "local/capacity.py"

PATIENT = ("-T", 600, "--limit", 600_000, "-R", 1, "--timeout", HANG_SECONDS)
"""One wave of each size, so that the search never waits for T; good at any speed."""


def search_a(service: Callable[[int], float], most: int = 4096, limit: float = 500) -> Curve:
    """Search a service whose p99, in ms, is a function of the wave's size."""
    curve = Curve("stub", Search(limit, 1, 5, most), [])

    def measure(parallel: int) -> Step:
        p99 = service(parallel)
        step = Step(parallel, parallel, parallel, 0, p99, p99, p99 <= limit)
        curve.steps.append(step)
        return step

    find_knee(curve.search, measure)
    return curve


@pytest.mark.parametrize("knee", [1, 2, 3, 7, 64, 100, 777, 3000])
def test_the_knee_is_found_to_five_percent(knee: int) -> None:
    curve = search_a(lambda parallel: parallel * 500 / knee)
    assert curve.knee is not None
    assert 0.95 * knee <= curve.knee.parallel <= knee
    assert not curve.is_lower_bound
    assert len(curve.steps) < 35


def test_knee_is_a_lower_bound_if_every_wave_is_good() -> None:
    curve = search_a(lambda _: 1, most=100)
    assert curve.knee is not None
    assert curve.knee.parallel == 100
    assert "sustainable: at least 100.0 requests/s" in curve.verdict()


def test_no_knee_if_one_request_is_too_slow() -> None:
    curve = search_a(lambda _: 501)
    assert curve.knee is None
    assert curve.verdict() == "sustainable: none; one request at a time exceeds 500 ms"


def test_one_slow_measurement_is_not_the_knee() -> None:
    hiccups = iter([1, 1, 999])
    curve = search_a(lambda parallel: next(hiccups, parallel), most=64)
    assert curve.knee is not None
    assert curve.knee.parallel == 64


@pytest.mark.parametrize(
    ("seconds", "failure", "good"),
    [
        ([0.1] * 98 + [0.2, 9.9], "", True),
        ([0.1] * 98 + [0.201, 9.9], "", False),
        ([0.1] * 100, "status 503", False),
        ([], "", False),
    ],
)
def test_wave_is_good_within_the_limit_and_without_failures(
    seconds: list[float], failure: str, good: bool
) -> None:
    failures = [""] * len(seconds) + [failure or IN_FLIGHT]
    summary = summarize(make_run(waves(101, 1, 1), [*seconds, 0.1], failure=failures))
    assert Step.from_summary(summary, Search(200, 1, 1, 100)).good is good


def test_capacity_finds_a_known_knee(stub: Stub, tmp_path: Path) -> None:
    # given: a server that fails one request of each wave of more than ten
    sizes = [1, 2, 4, 8, 16, 16, 12, 12, 10, 11, 11]
    plan: list[str] = []
    for size in sizes:
        plan += ["delay/0.01"] * (size - 1) + ["status/503" if size > 10 else "delay/0.01"]
    table, plot = tmp_path / "capacity.json", tmp_path / "capacity.svg"

    done = script(CAPACITY, "--url", stub.follow(*plan, then="close"), *PATIENT,
                  "--json", table, "--plot", plot)  # fmt: skip

    assert done.returncode == 0, done.stderr
    result = json.loads(table.read_text())
    assert result["wave"] == 10
    assert result["sustainable_rps"] == pytest.approx(10 / 600)
    assert re.search(r"^sustainable: 0\.0 requests/s, in waves of 10 ", done.stdout, re.MULTILINE)
    # and: bad sizes are measured twice
    assert [step["parallel"] for step in result["steps"]] == sizes
    for step in result["steps"]:
        assert step["good"] is (step["parallel"] <= 10)
        assert step["failures"] == (step["parallel"] > 10)
        assert step["p99_ms"] >= 10
    assert "<svg" in plot.read_text()


@pytest.mark.parametrize("behaviour", ["status/503", "delay/0.1"])
def test_failures_and_slow_responses_are_bad(stub: Stub, behaviour: str) -> None:
    url = f"{stub.url}/{behaviour}"
    done = script(CAPACITY, "--url", url, "-T", 0.05, "--limit", 50, "-R", 2)
    assert done.returncode == 1
    assert "sustainable: none" in done.stdout


def test_ctrl_c_stops_the_search_and_reports(stub: Stub, tmp_path: Path) -> None:
    # given: waves of 1, 2 and 4 that are good, and one of 8 that hangs
    table = tmp_path / "capacity.json"
    url = stub.follow(*["delay/0"] * 7, then="hang")
    process = start(CAPACITY, "--url", url, *PATIENT, "--json", table)
    wait_until(lambda: len(stub.received) == 15, "the fourth wave")
    interrupt(process)
    done = finish(process)
    assert done.returncode == 130
    assert "sustainable: at least" in done.stdout
    assert "Traceback" not in done.stderr
    assert [step["parallel"] for step in json.loads(table.read_text())["steps"]] == [1, 2, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-T", "0"), "T must be more than 0 seconds."),
        (("--limit", "1001"), "--limit must be more than 0 and at most T (1000 ms)"),
        (("--limit", "0"), "--limit must be more than 0"),
        (("--most", "0"), "N must be 1 or more; it is 0."),
        (("--plot", "capacity.txt"), "--plot must end in .svg, .png, .pdf: 'capacity.txt'."),
    ],
)
def test_invalid_arguments_exit_2(stub: Stub, arguments: tuple[str, ...], message: str) -> None:
    assert refused(CAPACITY, "--url", stub.url, *arguments).startswith(f"error: {message}")
    assert stub.received == []
