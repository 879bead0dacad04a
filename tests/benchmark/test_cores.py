"""Cores that one process feeds: `make bench-cores`."""

import json
from pathlib import Path
from typing import Any

import pytest

from classifier.server.workers import CORES_PER_PROCESS, workers_for
from local.benchmark import cores
from local.benchmark.cores import (
    BUSY,
    BUSY_FASTER,
    CORES,
    PART,
    PART_FASTER,
    TARGETS,
    processes_tried,
    threads_tried,
)
from local.benchmark.gil import Cost, SleepingLoad

COST = Cost(
    0.6, 0.4, {"decode": 2.0, "resize": 1.0, "infer": 6.0}, {"decode": 2, "resize": 1, "infer": 1}
)


def work(work_ms: float, part_of_ideal: float) -> dict[str, Any]:
    """Processes that have this part of the rate that their threads would have if none waited."""
    processes = [
        {
            "threads": threads,
            "rate": 1000 * threads / (work_ms + 1) * part_of_ideal,
            "loop_ms": 0.6,
            "python_ms": 0.4,
        }
        for threads in threads_tried()
    ]
    return {"work_ms": work_ms, "processes": processes}


FIGURES: dict[str, Any] = {
    "works": [work(9, 0.75), work(4, 0.5)],
    "real": {"loop_ms": 1.2, "python_ms": 0.8},
}


def test_every_service_has_a_measured_process() -> None:
    for each in CORES:
        assert workers_for(each) in processes_tried(each)
        assert {-(-each // processes) for processes in processes_tried(each)} <= {*threads_tried()}
    assert CORES_PER_PROCESS in threads_tried()


def test_faster_processor_infers_faster_only() -> None:
    faster = COST.with_work(7)
    assert COST.work_ms == pytest.approx(9)
    assert faster.outside_ms == pytest.approx({"decode": 2, "resize": 1, "infer": 4})
    assert faster.sleeps() == pytest.approx({"decode": 0.001, "resize": 0.001, "infer": 0.004})


def test_rate_is_that_of_a_process_times_the_processes() -> None:
    first, _ = FIGURES["works"]
    assert cores.ideal_rate(first, 16) == pytest.approx(1600)
    assert cores.service_rate(first, 16, 4) == pytest.approx(1200)
    assert ("16", "4, default", "4", "1200", "75%", "1600", "50%") in list(cores.rows(FIGURES))


def test_least_disturbed_load_counts() -> None:
    loads = [
        SleepingLoad(threads, rate, 1.0 + rate, 2.0 + rate)
        for threads in threads_tried()
        for rate in (2.0, 3.0, 1.0)
    ]
    for entry in cores._least_disturbed(loads):
        assert (entry["rate"], entry["loop_ms"], entry["python_ms"]) == (3, 2, 3)


def test_verdict_compares_the_default_number_of_processes() -> None:
    assert cores.verdict_figures(FIGURES) == pytest.approx(
        {
            BUSY: CORES_PER_PROCESS * 1 / 10,
            BUSY_FASTER: CORES_PER_PROCESS * 1 / 5,
            PART: 0.75,
            PART_FASTER: 0.5,
        }
    )
    assert {target.name for target in TARGETS} == {BUSY, BUSY_FASTER, PART, PART_FASTER}


@pytest.mark.parametrize(
    ("options", "parts", "status", "made"),
    [
        ([], [0.5], 1, 1),
        (["--gross"], [0.5], 0, 1),  # more than half of 0.8
        (["--gross"], [0.1, 0.5], 0, 2),
        (["--gross"], [0.1, 0.1, 0.1], 1, 3),
    ],
)
def test_gross_repeats_the_loads_until_they_meet_the_targets(
    options: list[str], parts: list[float], status: int, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [*parts]

    def measure_all(*_: object, **__: object) -> dict[str, Any]:
        part = left.pop(0)
        return {**FIGURES, "works": [work(9, part), work(4, part)]}

    monkeypatch.setattr(cores, "measure_all", measure_all)
    assert cores.measure(["--quick", *options]) == status
    assert len(left) == len(parts) - made


def test_summary_has_the_time_and_the_part_of_it() -> None:
    text = cores.summary(FIGURES)
    assert "at most 1.00 ms: 0.60 in the event loop, 0.40 in Python" in text
    assert "at most 40% or 80% of the time" in text


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs Linux's schedstat")
@pytest.mark.slow
def test_command_measures_a_real_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether a target is met depends on the machine and is not checked."""
    monkeypatch.setattr(cores, "CORES", (4,))
    path = tmp_path / "cores.json"
    assert cores.measure(["--quick", "--json", str(path)]) in (0, 1)
    found = json.loads(path.read_text())
    here, faster = found["works"]
    assert here["outside_ms"].keys() == {"decode", "resize", "infer"}
    assert min(here["outside_ms"].values()) > 0
    assert faster["work_ms"] == pytest.approx(cores.FASTER_WORK_MS)
    for process in [*here["processes"], *faster["processes"]]:
        # A sleeping thread has at most the rate that its sleeps allow.
        longest = here if process in here["processes"] else faster
        assert 0 < process["rate"] <= 1000 * process["threads"] / longest["work_ms"]
        assert min(process["loop_ms"], process["python_ms"]) > 0
    assert "1, default" in capsys.readouterr().out
