import numpy as np
import pytest

from local.loadtest.schedule import RateProfile, Schedule, WavePlan
from local.simulation.comparison import compare, doubts
from local.simulation.durations import Constant, Times
from local.simulation.prediction import Prediction, predict, statistics_ms
from local.simulation.pricing import FunctionConfig
from local.simulation.report import comparison_table, report
from local.simulation.scaling import Limits
from tests.simulation.helpers import erlang_b


def prediction(
    size: int = 100, waves: int = 60, cold_ms: float = 1500, **limits: int
) -> Prediction:
    return of(WavePlan(size, 1, waves).schedule(), cold_ms, **limits)


def of(schedule: Schedule, cold_ms: float = 1500, warm_ms: float = 25, **limits: int) -> Prediction:
    return predict(
        schedule,
        Limits(**limits),
        FunctionConfig(1769, "x86_64"),
        Times(Constant(cold_ms), Constant(warm_ms)),
    )


def test_percentiles_are_observed_durations() -> None:
    durations = np.repeat([25_000, 1_500_000], [95, 5])

    assert statistics_ms(durations) == {
        "min": 25.0, "mean": 98.75, "p50": 25.0, "p90": 25.0, "p95": 25.0, "p99": 1500.0,
        "p99_9": 1500.0, "max": 1500.0,
    }  # fmt: skip


def test_percentiles_are_nearest_rank() -> None:
    # Given a number of durations of which 99.9 % is a whole number, but not in floating point
    durations = np.random.default_rng(0).permutation(np.arange(1, 41_001) * 1000)

    statistics = statistics_ms(durations)

    assert [statistics[name] for name in ("p50", "p90", "p95", "p99", "p99_9", "max")] == [
        20_500, 36_900, 38_950, 40_590, 40_959, 41_000,
    ]  # fmt: skip


def test_without_durations_there_are_no_percentiles() -> None:
    assert set(statistics_ms(np.empty(0, np.int64)).values()) == {None}


def test_figures_of_a_plan() -> None:
    figures = prediction().as_json()

    assert figures["requests"] == 6000
    assert figures["failures"] == 0
    assert figures["cold_starts"] == 200
    assert figures["cold_share"] == pytest.approx(200 / 6000)
    assert figures["last_cold_s"] == 1
    assert figures["peak_concurrency"] == figures["peak_environments"] == 200
    assert figures["wall_s"] == 59.025
    assert figures["span_s"] == figures["throughput_s"] == 60
    assert figures["throughput_rps"] == figures["offered_rps"] == 100
    assert figures["latency_ms"] == {
        "min": 25.0, "mean": 74.167, "p50": 25.0, "p90": 25.0, "p95": 25.0,
        "p99": 1500.0, "p99_9": 1500.0, "max": 1500.0,
    }  # fmt: skip


@pytest.mark.parametrize(("waves", "rate"), [(1, 100 / 1.5), (2, 50), (10, 90)])
def test_throughput_counts_the_answers_in_the_time_in_which_requests_are_due(
    waves: int, rate: float
) -> None:
    # Given waves of 100 every second, whose responses take 1.5 s
    figures = predict(
        WavePlan(100, 1, waves).schedule(),
        Limits(),
        FunctionConfig(1769, "x86_64"),
        Times(Constant(1500), Constant(1500)),
    ).as_json()

    assert figures["throughput_rps"] == pytest.approx(rate)


def test_a_rate_takes_as_many_environments_as_requests_are_in_flight() -> None:
    # Given a request every 10 ms that takes 25 ms, and 1.5 s in a new environment
    steady = RateProfile.steady(100, 60).schedule()

    figures = of(steady).as_json()

    # Then the first 1.5 s are cold, and then no more than three are in flight
    assert figures["requests"] == 6000
    assert figures["cold_starts"] == figures["peak_concurrency"] == 150
    assert figures["last_cold_s"] == 1.49
    assert figures["throughput_rps"] == pytest.approx(100, abs=0.05)
    assert figures["plan"] == {
        "kind": "rate", "arrivals": "constant", "seed": None, "times_s": [0, 60],
        "rates_rps": [100, 100],
    }  # fmt: skip


def test_poisson_arrivals_throttle_as_erlang_b_says() -> None:
    # Given 40 requests/s of 250 ms for 10 at once: a load of 10 Erlang on 10 servers
    schedule = RateProfile.steady(40, 5000).schedule("poisson", seed=3)

    prediction = of(schedule, cold_ms=250, warm_ms=250, concurrency=10)

    lost = prediction.throttled / prediction.requests
    assert lost == pytest.approx(erlang_b(10, 10), abs=0.005)


def test_throttled_requests_are_failures_and_have_no_latency() -> None:
    figures = prediction(size=100, waves=1, concurrency=60).as_json()

    assert figures["requests"] == 100
    assert figures["failures"] == 40
    assert figures["throttled"] == {"concurrency": 40, "request_rate": 0, "scaling_rate": 0}
    assert figures["throughput_rps"] == pytest.approx(60 / 1.5)


def test_the_report_names_each_figure_with_its_unit() -> None:
    lines = report(prediction(size=100, waves=60, concurrency=150)).splitlines()

    assert (
        "  Plan                    60 waves of 100, one every 1 s: 6,000 requests, 100.0 requests/s"
        in lines
    )
    assert "  Throttled (429)         50 (0.83 %), concurrency 50" in lines
    assert "  Cold starts             150 (2.52 % of the answered), the last at 1 s" in lines
    assert "  Peak concurrency        150 requests" in lines
    assert (
        "  all                           62.2      25.0      25.0      25.0   1,500.0   1,500.0   "
        "1,500.0" in lines
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

    if note:
        assert note in " ".join(text.split())
    else:
        assert "the simulation does not" not in text


def test_compare_uses_figures_present_in_both() -> None:
    measured = {"requests": 6000, "failures": 3, "latency_ms": {"p50": 27.5, "p99": 1800}}

    rows = compare(prediction().as_json(), measured)

    assert [row.quantity for row in rows] == ["requests", "failures", "latency p50", "latency p99"]
    assert [row.ratio for row in rows] == [1.0, None, 1.1, 1.2]
    table = comparison_table(rows).splitlines()
    assert table[3] == "  latency p50, ms                 25.0        27.5       1.100"


def test_compare_doubts_another_plan_and_a_client_at_its_limit() -> None:
    figures = prediction().as_json()
    same = {"plan": {"kind": "waves", "parallel": 100, "period_s": 1, "repeat": 60}}
    other = {"plan": {"kind": "rate"}, "description": "5 requests/s for 60 s"}

    assert doubts(figures, {}) == doubts(figures, same) == []
    assert doubts(figures, other) == ["The load report is of another plan: 5 requests/s for 60 s."]
    assert doubts(figures, {"client_limit": "The client was the limit."}) == [
        "The client was the limit."
    ]


def test_compare_without_common_figures_is_empty() -> None:
    assert compare(prediction().as_json(), {"latency_ms": 3, "requests": "many"}) == []
