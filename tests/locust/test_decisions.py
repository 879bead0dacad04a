"""Values that the scenarios refuse, and when they send, by a clock that does not depend on the
machine."""

import json
from typing import Any

import pytest

from tests.support.scripts import script

Decisions = dict[str, Any]


@pytest.fixture(scope="module")
def decisions() -> Decisions:
    done = script("-m", "tests.locust.decisions")
    assert done.returncode == 0, done.stderr
    decided: Decisions = json.loads(done.stdout)
    return decided


def test_values_that_make_no_plan_are_refused(decisions: Decisions) -> None:
    for arguments, said in decisions["refusals"].items():
        assert f"error: argument {arguments.split()[0]}: " in said
    assert "must be 1 or more; it is 0" in decisions["refusals"]["--R 0"]
    assert "must be 0 or more; it is -1" in decisions["refusals"]["--T -1"]


def test_each_wave_is_sent_exactly_when_due_and_waits_for_no_response(decisions: Decisions) -> None:
    due = [51.0, 51.25, 51.5, 51.75]
    assert decisions["waves"] == [[time, time] for time in due]


def test_users_in_parallel_pause_after_each_response(decisions: Decisions) -> None:
    """T = 0.25 s after responses of 3 s; the time of a request counts from when it is sent."""
    sent = [51.0, 54.25, 57.5, 60.75]
    assert decisions["parallel"] == [[time, time] for time in sent]


def test_response_times_count_from_when_a_request_was_due(decisions: Decisions) -> None:
    assert decisions["response_time"] == 750


def test_the_request_timeout_is_the_client_s(decisions: Decisions) -> None:
    assert decisions["timeouts"] == [0.3, 0.3]


def test_a_run_lasts_until_all_requests_are_answered(decisions: Decisions) -> None:
    assert decisions["ticks"] == [[3, 3], [3, 3], None]


def test_rates_count_from_the_first_request(decisions: Decisions) -> None:
    assert decisions["start"] == {"first_request": 50.2, "statistics": 1050.2}
