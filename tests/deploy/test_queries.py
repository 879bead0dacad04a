"""Every query of the rules and the dashboard names what the real service has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.queries import (
    TARGET_LABELS,
    Labels,
    Query,
    dashboard_queries,
    recorded,
    rule_queries,
    unknown_names,
)
from tests.support.metrics import Scrape
from tests.support.server import Server, serving, serving_by_command

QUERIES = [*rule_queries(), *dashboard_queries()]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, sample: bytes) -> Iterator[Server]:
    """A service that has classified an image, and refused one."""
    with serving(tmp_path_factory.mktemp("server") / "log") as server:
        assert server.client.post("/", content=sample).status_code == 200
        assert server.client.post("/", content=b"no image").status_code == 415
        yield server


@pytest.fixture(scope="module")
def known(used: Server) -> Labels:
    return known_after(used)


def known_after(server: Server) -> Labels:
    """What Prometheus has after it read the service's metrics and applied the rules."""
    labels: dict[str, frozenset[str]] = {"up": TARGET_LABELS, **recorded()}
    for sample in Scrape(server.client).all():
        labels[sample.name] = labels.get(sample.name, TARGET_LABELS) | frozenset(sample.labels)
    return labels


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: str(query.place))
def test_queries_name_metrics_and_labels_of_the_service(query: Query, known: Labels) -> None:
    assert unknown_names(query, known) == []


def test_rules_name_metrics_that_worker_processes_have_too(tmp_path: Path, sample: bytes) -> None:
    with serving_by_command(tmp_path / "log", WEB_CONCURRENCY="2", THREADS="2") as server:
        assert server.client.post("/", content=sample).status_code == 200
        known = known_after(server)
    assert "process_cpu_seconds_total" not in known
    for query in rule_queries():
        assert unknown_names(query, known) == [], query.place


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        (
            "rate(classifier_request_duration_second_count[5m])",
            "classifier_request_duration_second_count",
        ),
        ('classifier_images_total{kind="png"}', "classifier_images_total{kind}"),
        ("sum by (format) (classifier_rejected_total)", "by format"),
        ("job:classifier_requests:rate1m", "job:classifier_requests:rate1m"),
        ("sum by (instance) (job:classifier_requests:rate5m)", "by instance"),
        ("classifier_queue_length / on (shard) classifier_queue_limit", "by shard"),
    ],
)
def test_a_query_with_an_unknown_name_is_found(
    expression: str, unknown: str, known: Labels
) -> None:
    assert unknown_names(Query("a query", expression), known) == [unknown]


def test_queries_use_no_name_that_the_next_release_lacks(used: Server) -> None:
    text = used.client.get("/metrics").text
    deprecated = {
        line.split()[2]
        for line in text.splitlines()
        if line.startswith("# HELP") and "deprecated" in line.lower()
    }
    assert deprecated
    for query in QUERIES:
        for name in deprecated:
            assert f"{name}{{" not in query.expression, query.place
            assert f"{name}_" not in query.expression, query.place


def test_rules_and_dashboard_are_read() -> None:
    assert len(rule_queries()) > 20
    assert len(dashboard_queries()) > 20
