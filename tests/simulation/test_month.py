"""The cost of a month against its formula."""

import pytest

from local.common.cli import UsageError
from local.loadtest.schedule import WavePlan
from local.simulation.durations import Constant, Times
from local.simulation.month import Month
from local.simulation.prediction import Prediction, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.scaling import Limits

DAYS = 365 / 12
GB_SECOND = 0.0000166667
REQUEST = 0.0000002


def predicted(
    plan: WavePlan, hours: float = 24, provisioned: int = 0, idle_seconds: float = 300
) -> Prediction:
    return predict(
        plan.schedule(),
        Limits(provisioned=provisioned, idle_seconds=idle_seconds),
        FunctionConfig(1024, "x86_64", provisioned=provisioned),
        Times(Constant(1500), Constant(25)),
        hours_per_day=hours,
    )


def month(plan: WavePlan, hours: float = 24, provisioned: int = 0) -> Month:
    found = predicted(plan, hours, provisioned).month
    assert found is not None
    return found


def test_a_plan_that_is_repeated_all_day_pays_for_no_cold_starts() -> None:
    # Given 100 requests every 2 s, the first 100 of which are cold
    found = month(WavePlan(100, 2, 30))

    requests = DAYS * 86_400 * 50
    assert found.requests == pytest.approx(requests)
    assert found.answered == pytest.approx(requests)
    assert found.usd == pytest.approx(requests * (REQUEST + 0.025 * GB_SECOND))
    assert found.usd_a_million == pytest.approx(found.usd / requests * 1e6)


def test_each_day_of_fewer_hours_starts_cold() -> None:
    found = month(WavePlan(100, 2, 30), hours=8)

    requests = DAYS * 8 * 3600 * 50
    cold = DAYS * 100 * (1.5 - 0.025) * GB_SECOND
    assert found.requests == pytest.approx(requests)
    assert found.usd == pytest.approx(requests * (REQUEST + 0.025 * GB_SECOND) + cold)


def test_a_plan_whose_environments_expire_pays_for_them_in_every_run() -> None:
    # Given a pause between two waves that no environment outlives
    found = predicted(WavePlan(10, 600, 2), idle_seconds=60).month

    assert found is not None
    assert found.usd == pytest.approx(found.requests * (REQUEST + 1.5 * GB_SECOND))


@pytest.mark.parametrize("hours", [8, 24])
def test_provisioned_environments_are_kept_all_day(hours: float) -> None:
    found = month(WavePlan(10, 1, 60), hours=hours, provisioned=10)

    requests = DAYS * hours * 3600 * 10
    ready = 10 * DAYS * 86_400 * 0.0000041667
    assert found.provisioned_usd == pytest.approx(ready)
    assert found.usd == pytest.approx(ready + requests * (REQUEST + 0.025 * 0.0000097222))


def test_the_repetition_changes_nothing_in_the_figures_of_the_plan() -> None:
    # Given requests that are still in flight when the repetition starts
    figures = predicted(WavePlan(10, 1, 3)).as_json()

    assert figures["cold_starts"] == figures["peak_concurrency"] == 20
    assert figures["answered"] == 30
    assert figures["wall_s"] == 2.5


def test_throttled_requests_cost_nothing_in_a_month() -> None:
    # Given 120 requests every second, of which 100 at once are allowed
    found = predict(
        WavePlan(120, 1, 10).schedule(),
        Limits(concurrency=100),
        FunctionConfig(1024, "x86_64"),
        Times(Constant(100), Constant(25)),
    ).month

    assert found is not None
    assert found.answered == pytest.approx(found.requests * 100 / 120)
    assert found.usd_a_million == pytest.approx(1e6 * (REQUEST + 0.025 * GB_SECOND))


def test_requests_that_are_all_due_at_once_have_no_month() -> None:
    assert predicted(WavePlan(100, 1, 1)).month is None


def test_a_plan_longer_than_the_hours_of_a_day_is_refused() -> None:
    with pytest.raises(UsageError, match=r"takes 2\.00 hours"):
        predicted(WavePlan(1, 60, 120), hours=1.5)
