"""The arithmetic of docs/deploy.md, and its figures in the manifests."""

import pytest

from classifier.cpu import usable_cores
from classifier.settings import Settings
from local.docs.sizing import (
    LATENCY_SECONDS,
    POD_CORES,
    QUEUE_PER_CORE,
    UPLOAD_SECONDS,
    UTILIZATION,
    mean_in_flight,
    pods,
    sizing_table,
    waiting_probability,
)
from tests.deploy.manifests import container, knative, of_kind, quantity


@pytest.mark.parametrize("utilization", [0.1, 0.7, 0.95])
def test_the_waiting_probability_is_that_of_erlang(utilization: float) -> None:
    # Closed forms for one and for two cores
    assert waiting_probability(1, utilization) == pytest.approx(utilization)
    two = 2 * utilization**2 / (1 + utilization)
    assert waiting_probability(2, utilization) == pytest.approx(two)


def test_requests_in_flight_on_one_core_are_those_of_pollaczek_and_khinchine() -> None:
    # M/D/1: exact, where the approximation is exact, too
    assert mean_in_flight(1, 0.7) == pytest.approx(0.7 + 0.7**2 / (2 * 0.3))


def test_pods_are_enough_and_not_one_too_many() -> None:
    assert pods(500, 100, 0.5) == 10
    assert pods(501, 100, 0.5) == 11


def test_the_example_is_that_of_the_manifests() -> None:
    limits = container(of_kind("Deployment"))["resources"]["limits"]
    target = of_kind("HorizontalPodAutoscaler")["spec"]["metrics"][0]["resource"]["target"]
    assert quantity(limits["cpu"]) == POD_CORES
    assert target["averageUtilization"] == round(UTILIZATION * 100)
    assert Settings().queue == QUEUE_PER_CORE * usable_cores()
    annotations = knative()["spec"]["template"]["metadata"]["annotations"]
    rate = int(annotations["autoscaling.knative.dev/target"])
    concurrency = knative()["spec"]["template"]["spec"]["containerConcurrency"]
    assert concurrency == pytest.approx(rate * (UPLOAD_SECONDS + LATENCY_SECONDS), rel=0.1)


def test_the_table_has_a_figure_for_both_kinds_of_photos() -> None:
    rows = [line.split("|") for line in sizing_table().splitlines() if line.startswith("| ")]
    assert len(rows) > 8
    assert all(len(row) == 6 and row[3].strip() and row[4].strip() for row in rows)
