import pytest

from local.loadtest.schedule import WavePlan
from tests.measure import one_plan
from tests.measure.one_plan import DELAY_MS, PLANS, SLOTS, Outcome, with_forecast


def test_only_the_second_plan_does_not_fit_into_the_slots() -> None:
    fits, exceeds = (with_forecast(plan) for plan in PLANS)

    assert fits == Outcome(0, 40, DELAY_MS, DELAY_MS, SLOTS)
    assert exceeds == Outcome(200, 40, DELAY_MS, DELAY_MS, SLOTS)


def test_figures_are_the_worst_of_the_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a script that reports a failure too many for the first plan and too few for the second
    def reported(plan: WavePlan, _: object) -> Outcome:
        found = with_forecast(plan)
        more = 1 if plan is PLANS[0] else -2
        return found._replace(failures=found.failures + more, p50=found.p50 + more)

    monkeypatch.setattr(one_plan, "with_script", reported)
    monkeypatch.setattr(one_plan, "with_locust", reported)

    figures = one_plan.measure()

    assert figures[one_plan.FAILURES] == 2
    assert figures[one_plan.P50] == 1
    assert figures[one_plan.THROUGHPUT] == 0
