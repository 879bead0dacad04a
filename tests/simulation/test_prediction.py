import numpy as np
import pytest

from local.simulation.comparison import compare
from local.simulation.durations import Constant, Times
from local.simulation.prediction import Plan, Prediction, percentiles_ms, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.report import comparison_table, report
from local.simulation.scaling import Limits


def prediction(
    size: int = 100, waves: int = 60, cold_ms: float = 1500, **limits: int
) -> Prediction:
    return predict(
        Plan(size, 1, waves),
        Limits(**limits),
        FunctionConfig(1769, "x86_64"),
        Times(Constant(cold_ms), Constant(25)),
    )


def test_percentiles_are_observed_durations() -> None:
    durations = np.repeat([25_000, 1_500_000], [95, 5])

    assert percentiles_ms(durations) == {
        "p50": 25.0, "p90": 25.0, "p95": 25.0, "p99": 1500.0, "max": 1500.0,
    }  # fmt: skip


def test_without_durations_there_are_no_percentiles() -> None:
    assert set(percentiles_ms(np.empty(0, np.int64)).values()) == {None}


def test_figures_of_a_plan() -> None:
    figures = prediction().as_json()

    assert figures["requests"] == 6000
    assert figures["failures"] == 0
    assert figures["cold_starts"] == 200
    assert figures["cold_share"] == pytest.approx(200 / 6000)
    assert figures["last_cold_wave"] == 2
    assert figures["peak_concurrency"] == figures["peak_environments"] == 200
    assert figures["duration_s"] == 59.025
    assert figures["throughput_rps"] == pytest.approx(6000 / 59.025)
    assert figures["latency_ms"] == {
        "p50": 25.0, "p90": 25.0, "p95": 25.0, "p99": 1500.0, "max": 1500.0,
    }  # fmt: skip


def test_throttled_requests_are_failures_and_have_no_latency() -> None:
    figures = prediction(size=100, waves=1, concurrency=60).as_json()

    assert figures["requests"] == 100
    assert figures["failures"] == 40
    assert figures["throttled"] == {"concurrency": 40, "request_rate": 0, "scaling_rate": 0}
    assert figures["throughput_rps"] == pytest.approx(60 / 1.5)


def test_the_report_names_each_figure_with_its_unit() -> None:
    lines = report(prediction(size=100, waves=60, concurrency=150)).splitlines()

    assert "  Plan                    100 at once, every 1 s, 60 waves: 6,000 requests" in lines
    assert "  Throttled (429)         50 (0.83 %), concurrency 50" in lines
    assert "  Cold starts             150 (2.52 % of the answered), the last in wave 2" in lines
    assert "  Peak concurrency        150 requests" in lines
    assert (
        "  all                             25.0        25.0        25.0     1,500.0     1,500.0"
        in lines
    )
    assert any(line.startswith("  Total  ") for line in lines)


@pytest.mark.parametrize(
    ("cold_ms", "note"),
    [
        (9_999, ""),
        (10_001, "Lambda restarts an INIT longer than 10 s; the simulation does not."),
        (900_001, "Lambda ends it after 900 s; the simulation does not."),
    ],
)
def test_exceeded_lambda_limits_are_noted(cold_ms: float, note: str) -> None:
    text = report(prediction(cold_ms=cold_ms))

    assert (note in text) if note else ("Notes" not in text)


def test_compare_uses_figures_present_in_both() -> None:
    measured = {"requests": 6000, "failures": 3, "latency_ms": {"p50": 27.5, "p99": 1800}}

    rows = compare(prediction().as_json(), measured)

    assert [row.quantity for row in rows] == ["requests", "failures", "latency p50", "latency p99"]
    assert [row.ratio for row in rows] == [1.0, None, 1.1, 1.2]
    table = comparison_table(rows).splitlines()
    assert table[3] == "  latency p50, ms                 25.0        27.5       1.100"


def test_compare_without_common_figures_is_empty() -> None:
    assert compare(prediction().as_json(), {"latency_ms": 3, "requests": "many"}) == []
