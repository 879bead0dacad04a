"""Values that the scenarios refuse, when they send, what they count and how they judge it, which
does not depend on the machine."""

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


def test_values_that_make_no_load_are_refused_in_one_line(decisions: Decisions) -> None:
    for arguments, said in decisions["refusals"].items():
        assert f"error: argument {arguments.split()[0]}: " in said
        assert said.count("\n") == 1
    assert "'0' is not a whole number of 1 or more" in decisions["refusals"]["--R 0"]
    assert "must be 0 or more; it is '-1'" in decisions["refusals"]["--T -1"]
    assert "'no/such.jpg' does not exist." in decisions["refusals"]["--image no/such.jpg"]


def test_the_page_names_the_field_that_is_wrong(decisions: Decisions) -> None:
    forms = dict(decisions["forms"])
    assert forms.pop("valid") == [4, 0, 3]
    for name, said in forms.items():
        assert said.startswith(f"{name}: ")


def test_the_page_is_told_that_a_test_runs_until_it_has_stopped(decisions: Decisions) -> None:
    """It does not ask again after the states in between."""
    running = {"running": "running", "cleanup": "running", "stopping": "running"}
    assert decisions["states"] == {"spawning": "spawning", **running, "stopped": "stopped"}


def test_requests_have_the_headers_and_the_key(decisions: Decisions) -> None:
    """Workers get the key that is in the environment of the master."""
    assert decisions["headers"] == {
        "header": {"X-Own": "a, b"},
        "key": {"Authorization": "Bearer secret"},
        "worker": {"X-Own": "a, b", "Authorization": "Bearer master"},
    }


def test_the_path_ends_with_a_slash_and_the_query_stays(decisions: Decisions) -> None:
    paths = ["/", "/", "/a/", "/?top_k=3", "/a/?top_k=3"]
    assert decisions["urls"] == [f"http://h{path}" for path in paths]


def test_each_wave_is_due_in_time(decisions: Decisions) -> None:
    assert decisions["waves"] == [50.0, 50.25, 50.5, 50.75]


def test_processes_share_a_steady_rate(decisions: Decisions) -> None:
    shares = decisions["shares"]
    assert sorted(due for share in shares for due in share) == [
        50 + number / 2 for number in range(10)
    ]
    assert [len(share) for share in shares] == [4, 3, 3]


def test_requests_are_prepared_ahead_and_wait_for_no_response(decisions: Decisions) -> None:
    assert decisions["ahead"] == [[pytest.approx(50.8), 51], [pytest.approx(51.05), 51.25]]


def test_users_in_parallel_pause_after_each_response(decisions: Decisions) -> None:
    """T = 0.25 s after responses of 3 s; the time of a request counts from when it is sent."""
    sent = [51.0, 54.25, 57.5, 60.75]
    assert decisions["parallel"] == [[time, time] for time in sent]


def test_times_count_from_when_a_request_was_due_and_lateness_is_apart(
    decisions: Decisions,
) -> None:
    statistics = decisions["statistics"]
    assert statistics["requests"] == [3, 3, 3]
    assert statistics["largest"] == [750, 750, 500]


def test_failures_are_counted_but_have_no_time(decisions: Decisions) -> None:
    statistics = decisions["statistics"]
    assert statistics["failures"] == [1, 1, 0]
    assert statistics["kinds"] == ["POST /: timeout"]
    assert (statistics["p100"], statistics["mean"]) == (750, 500)
    assert statistics["tally"] == {"finished": 3, "answered_in_span": 1}


def test_percentiles_have_three_digits(decisions: Decisions) -> None:
    assert decisions["buckets"] == [0, 1.3, 100, 154, 12300]


def test_a_run_lasts_until_all_requests_are_answered(decisions: Decisions) -> None:
    assert decisions["ticks"]["answers"] == [[[3, 3], False], [[3, 3], False], [None, True]]


def test_a_run_ends_at_run_time_and_when_workers_change(decisions: Decisions) -> None:
    assert decisions["ticks"]["run time"] == [None, True, ""]
    assert decisions["ticks"]["lost"] == [None, True, "workers lost: 1 of 1"]
    said = "workers that joined late: 1 (use --expect-workers)"
    assert decisions["ticks"]["joined"] == [None, True, said]


def test_rates_count_from_the_first_request(decisions: Decisions) -> None:
    assert decisions["start"] == {"first_request": 50.5, "statistics": 1050.5}


def test_the_exit_status_is_the_verdict(decisions: Decisions) -> None:
    """None is Locust's own: 0, or 1 after a failure."""
    assert {name: status for name, (status, _, _) in decisions["statuses"].items()} == {
        "answered": None,
        "failed": None,
        "met": 0,
        "broken": 3,
        "failures allowed": 0,
        "failures broken": 3,
        "nothing answered": 3,
        "late": 4,
        "late and broken": 4,
        "no descriptors": 4,
    }


def test_a_run_that_the_client_limited_is_marked_in_the_reports(decisions: Decisions) -> None:
    for name, (status, marks, _) in decisions["statuses"].items():
        assert len(marks) == (status == 4), name
    (sentence,) = decisions["statuses"]["late"][1]
    assert "50.0 ms" in sentence
    assert "100.0 ms" in sentence


def test_the_test_cases_that_fail_are_those_of_the_scripts(decisions: Decisions) -> None:
    failed = {name: cases for name, (_, _, cases) in decisions["statuses"].items()}
    unanswered, limit = "all requests are answered", "the client is not the limit"
    assert failed == {
        "answered": [],
        "failed": [unanswered],
        "met": [],
        "broken": ["p99<99"],
        "failures allowed": [],
        "failures broken": ["failures<50%"],
        "nothing answered": [unanswered, "p99<200"],
        "late": [limit],
        "late and broken": [limit, unanswered, "p99<1"],
        "no descriptors": [limit, unanswered],
    }
