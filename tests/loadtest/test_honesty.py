"""When the client, and not the service, was the limit."""

import pytest

from local.loadtest.honesty import client_limit, lack_of_resources
from local.loadtest.reporting import exit_status
from local.loadtest.stats import Summary, summarize
from tests.support.runs import make_run, waves


@pytest.mark.parametrize(
    ("lateness_p50", "lateness_p99", "latency_p50", "latency_p99", "name"),
    [
        (0.1, 10.1, 30, 100, "p99"),
        (0.1, 9.9, 30, 100, None),  # less than a tenth
        (0.1, 1.9, 1, 3, None),  # too short to matter
        (0.1, 2.1, 1, 3, "p99"),
        (4.0, 9.0, 30, 100, "p50"),  # hidden by a long tail
        (0.0, 0.0, 30, 100, None),
        (5.0, 5.0, None, None, None),  # nothing was answered
        (None, None, None, None, None),
    ],
)
def test_the_client_is_the_limit_if_lateness_is_a_tenth_of_latency(
    lateness_p50: float | None,
    lateness_p99: float | None,
    latency_p50: float | None,
    latency_p99: float | None,
    name: str | None,
) -> None:
    sentence = client_limit(lateness_p50, lateness_p99, latency_p50, latency_p99)
    if name is None:
        assert sentence is None
    else:
        assert sentence is not None
        assert f"ms at {name}, is more than 10% of the latency" in sentence


@pytest.mark.parametrize("kind", ["EMFILE", "EADDRNOTAVAIL", "process killed"])
def test_the_client_is_the_limit_if_it_lacks_resources(kind: str) -> None:
    sentence = lack_of_resources({"status 503": 3, kind: 2})
    assert sentence is not None
    assert f"(2 {kind})" in sentence
    assert lack_of_resources({"status 503": 3, "timeout": 1, "reset": 2}) is None


def late() -> Summary:
    return summarize(make_run(waves(2, 0, 1), [0.1, 0.1], lateness=0.05))


def test_a_summary_says_that_the_client_was_the_limit() -> None:
    assert "50.0 ms at p99" in (late().client_limit or "")
    assert summarize(make_run(waves(2, 0, 1), [0.1, 0.1])).client_limit is None
    lost = make_run(waves(2, 0, 1), [0.1, 0.1], failure=["", "EMFILE"])
    assert "1 EMFILE" in (summarize(lost).client_limit or "")


def test_exit_status_names_the_most_important_result() -> None:
    good = summarize(make_run(waves(2, 0, 1), [0.1, 0.1]))
    failed = summarize(make_run(waves(2, 0, 1), [0.1, 0.1], failure=["", "timeout"]))
    assert exit_status(good, None) == 0
    assert exit_status(failed, None) == 1
    # a requirement about failures decides
    assert exit_status(failed, None, failures_required=True) == 0
    assert exit_status(failed, None, ["failures<0.1%: it was 50 %"], failures_required=True) == 3
    assert exit_status(good, None, ["p99<50: it was 100 ms"]) == 3
    # the figures are not those of the service
    assert exit_status(late(), None, ["p99<50: it was 150 ms"]) == 4
    assert exit_status(late(), 2, ["p99<50: it was 150 ms"]) == 130
    # unless the user accepts that
    assert exit_status(late(), None, late_ok=True) == 0
