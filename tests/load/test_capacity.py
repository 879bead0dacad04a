"""Finding the knee of a service."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.load.capacity import Curve, Search, Step, find_knee
from tests.support.scripts import finish, interrupt, script, start
from tests.support.stub import Stub

CAPACITY = "local/capacity.py"


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
    assert not curve.exhausted
    assert len(curve.steps) < 35


def test_a_service_that_bears_all() -> None:
    curve = search_a(lambda _: 1, most=100)
    assert curve.knee is not None
    assert curve.knee.parallel == 100
    assert "sustainable: at least 100.0 requests/s" in curve.verdict()


def test_a_service_that_bears_nothing() -> None:
    curve = search_a(lambda _: 501)
    assert curve.knee is None
    assert curve.verdict() == "not even one request at a time is answered within 500 ms"


def test_one_hiccup_is_not_the_knee() -> None:
    hiccups = iter([1, 1, 999])
    curve = search_a(lambda parallel: next(hiccups, parallel), most=64)
    assert curve.knee is not None
    assert curve.knee.parallel == 64


def test_a_server_with_a_known_knee(stub: Stub, tmp_path: Path) -> None:
    """It takes 20 ms for each request, one after the other: in 218 ms it answers ten."""
    table, plot = tmp_path / "capacity.json", tmp_path / "capacity.svg"
    done = script(CAPACITY, "--url", f"{stub.url}/queue/0.02", "--limit", 218, "-T", 0.3, "-R", 2,
                  "--json", table, "--plot", plot)  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(table.read_text())
    assert 8 <= result["wave"] <= 10
    assert result["sustainable_rps"] == pytest.approx(result["wave"] / 0.3)
    told = re.search(r"^sustainable: ([\d.]+) requests/s", done.stdout, re.MULTILINE)
    assert told
    assert float(told[1]) == pytest.approx(result["sustainable_rps"], abs=0.1)
    for step in result["steps"]:
        assert step["p99_ms"] == pytest.approx(step["parallel"] * 20, abs=60)
    assert "<svg" in plot.read_text()


def test_failures_are_too_much(stub: Stub) -> None:
    done = script(CAPACITY, "--url", f"{stub.url}/status/503", "-T", 0.1, "--limit", 100, "-R", 2)
    assert done.returncode == 1
    assert "not even one request" in done.stdout


def test_ctrl_c(stub: Stub, tmp_path: Path) -> None:
    table = tmp_path / "capacity.json"
    process = start(CAPACITY, "--url", stub.url, "-T", 0.2, "--limit", 200, "--json", table)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(4)]
    assert lines[-1].endswith("good\n")
    interrupt(process)
    done = finish(process)
    assert done.returncode == 130
    assert "sustainable: at least" in done.stdout
    assert "Traceback" not in done.stderr
    assert json.loads(table.read_text())["steps"]


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
def test_what_cannot_be_done(stub: Stub, arguments: tuple[str, ...], message: str) -> None:
    done = script(CAPACITY, "--url", stub.url, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert stub.received == []
