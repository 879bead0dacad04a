"""The server with exact delays, and the command that compares a client with it."""

import json
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from local.loadtest.percentiles import percentiles
from tests.measure.load_truth import CASES, largest_error
from tests.support.exact_server import Model, exact_server, true_latencies
from tests.support.scripts import script


@pytest.mark.parametrize(
    ("model", "due", "latencies"),
    [
        (Model([1.0]), [0, 0, 0.5, 5], [1, 2, 2.5, 1]),
        (Model([1.0], servers=2), [0, 0, 0.5, 5], [1, 1, 1.5, 1]),
        (Model([1.0, 3.0], servers=2), [0, 0, 0, 0], [1, 3, 2, 5]),
        (Model([0.5], frozen=True), [0, 6.9, 7, 9, 10, 18], [0.5, 0.5, 3.5, 1.5, 0.5, 2.5]),
    ],
)
def test_latencies_of_a_model(model: Model, due: list[float], latencies: list[float]) -> None:
    assert true_latencies(model, due) == pytest.approx(latencies)


def test_mean_wait_is_that_of_pollaczek_and_khinchine() -> None:
    """One server, Poisson arrivals, constant service: rho * s / (2 * (1 - rho))."""
    random = np.random.default_rng(2)
    due = np.cumsum(random.exponential(1 / 40, 200_000))
    wait = true_latencies(Model([0.015]), due).mean() - 0.015
    assert wait == pytest.approx(0.6 * 0.015 / (2 * 0.4), rel=0.05)


def test_server_answers_no_earlier_than_the_model() -> None:
    with exact_server(Model([0.05])) as url:
        for _ in range(2):
            start = time.perf_counter()
            with urllib.request.urlopen(url, b"x" * 200_000) as response:
                assert json.load(response)["predictions"]
            assert time.perf_counter() - start >= 0.05


def test_server_has_no_metrics() -> None:
    with exact_server(Model([60.0])) as url, pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}metrics", timeout=30)
    assert refused.value.code == 404
    refused.value.close()


def test_largest_error_is_over_all_figures() -> None:
    truth = percentiles(np.array([0.1, 0.2, 0.3]))
    reported = {"mean": 200.0, "p50": 200.0, "p90": 300.0, "p99": 307.0}
    assert largest_error(reported, truth) == pytest.approx(7)


def test_cases_have_different_targets() -> None:
    assert len({case.target.name for case in CASES}) == len(CASES)


def test_help_lists_the_options() -> None:
    done = script("-m", "tests.measure.load_truth", "--help")
    assert done.returncode == 0
    for option in ("--repeat", "--gross"):
        assert option in done.stdout
