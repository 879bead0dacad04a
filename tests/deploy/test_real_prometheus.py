"""A real Prometheus reads the real service, applies the rules and answers the dashboard."""

from collections.abc import Iterator

import pytest

from tests.deploy.prometheus import Prometheus, watching
from tests.deploy.queries import Query, dashboard_queries, rule_queries
from tests.support.server import serving
from tests.support.tools import PROMETHEUS, needs
from tests.support.wait import wait_until

pytestmark = needs(PROMETHEUS)

BASELINE = "baseline7d"
"""Starts after a day"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, sample: bytes) -> Iterator[Prometheus]:
    """It has read the metrics of a service under a small load often enough for each rate."""
    folder = tmp_path_factory.mktemp("prometheus")
    with serving(folder / "log") as server, watching(folder, server) as prometheus:

        def has_figures() -> bool:
            server.client.post("/", content=sample).raise_for_status()
            assert server.client.post("/", content=b"no image").status_code == 415
            confidence = prometheus.query("job_sha256:classifier_top_probability:mean6h > 0")
            # On a busy machine, a single image may wait for longer.
            queue = prometheus.query("job:classifier_queue_duration_seconds:p95_5m < 0.5")
            return bool(confidence and queue)

        wait_until(has_figures, "the mean of the confidence, and a short time in the queue")
        yield prometheus


def _has_data(query: Query) -> bool:
    return BASELINE not in query.place + query.expression


RECORDING = [query for query in rule_queries() if query.record]
ALERTS = [query for query in rule_queries() if not query.record]


@pytest.mark.parametrize(
    "query",
    [*filter(_has_data, RECORDING), *filter(_has_data, dashboard_queries())],
    ids=lambda query: str(query.place),
)
def test_queries_find_series(query: Query, prometheus: Prometheus) -> None:
    assert prometheus.wait_for(query.expression)


@pytest.mark.parametrize("query", ALERTS, ids=lambda query: str(query.place))
def test_no_alert_of_a_healthy_service(query: Query, prometheus: Prometheus) -> None:
    """A reading that takes too long makes the service appear to be down until the next one; alerts
    last for minutes."""
    wait_until(lambda: prometheus.query(query.expression) == [], "the end of the alert")


def test_prometheus_records_every_series_with_its_labels(prometheus: Prometheus) -> None:
    for query in filter(_has_data, RECORDING):
        (series,) = prometheus.wait_for(query.record)
        expected = set(query.record.partition(":")[0].split("_")) & {"job", "sha256"}
        assert set(series["metric"]) - {"__name__"} == expected, query.record


def test_figures_are_those_of_the_service(prometheus: Prometheus) -> None:
    (failures,) = prometheus.wait_for("job:classifier_request_failures:ratio_rate5m")
    (confidence,) = prometheus.wait_for("job_sha256:classifier_top_probability:mean6h")
    (instances,) = prometheus.wait_for('sum(up{job="classifier"}) > 0')
    assert float(failures["value"][1]) == 0  # a 415 is the client's
    assert float(confidence["value"][1]) == pytest.approx(0.42, abs=0.02)  # the sample's
    assert instances["value"][1] == "1"
