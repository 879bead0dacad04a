"""The queries of the rules and the dashboard, and the metrics and labels that they name."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import promql_parser as promql

from tests.deploy.manifests import DEPLOY, read

RULES: Final = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
DASHBOARD: Final = DEPLOY / "grafana" / "dashboards" / "classifier.json"

TARGET_LABELS: Final = frozenset(("job", "instance"))
"""Labels that Prometheus adds to every series that it reads"""

Labels = Mapping[str, frozenset[str]]
"""The labels of each metric"""

_VARIABLES: Final = {"$job": ".*", "$instance": ".*", "$__rate_interval": "1m"}
"""Grafana replaces them before it asks Prometheus."""


@dataclass(frozen=True)
class Query:
    """An expression, and where it is."""

    place: str
    expression: str
    record: str = ""
    """The name of the series that a recording rule writes"""


@dataclass
class Names:
    """What an expression names."""

    selectors: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    """A metric and the labels that its matchers name, for each selector"""
    grouping: set[str] = field(default_factory=set)
    """Labels in `by`, `on` and `group_left`"""


def rule_queries() -> list[Query]:
    """Those of all rules."""
    return [
        Query(
            rule.get("record") or f"{rule['alert']}, {rule['labels']['severity']}",
            rule["expr"],
            rule.get("record", ""),
        )
        for path in RULES
        for group in read(path)["groups"]
        for rule in group["rules"]
    ]


def dashboard() -> Any:
    """The dashboard's JSON."""
    return json.loads(DASHBOARD.read_text("utf-8"))


def panels() -> Iterator[dict[str, Any]]:
    """The dashboard's panels with queries."""
    for panel in dashboard()["panels"]:
        if panel["type"] != "row":
            yield panel


def dashboard_queries() -> list[Query]:
    """Those of all panels, with values for the variables."""
    return [
        Query(f"{panel['title']}, {target['refId']}", _without_variables(target["expr"]))
        for panel in panels()
        for target in panel["targets"]
    ]


def _without_variables(expression: str) -> str:
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def names(expression: str) -> Names:
    """Raises `ValueError` if the expression is not PromQL."""
    found = Names()

    def visit(node: promql.Expr) -> None:
        modifiers: list[Any] = []
        if isinstance(node, promql.MatrixSelector):
            select(node.vector_selector)
        elif isinstance(node, promql.VectorSelector):
            select(node)
        elif isinstance(node, promql.AggregateExpr):
            modifiers = [node.modifier]
        elif isinstance(node, promql.BinaryExpr) and node.modifier:
            modifiers = [node.modifier.matching]
            found.grouping.update(node.modifier.group_labels or ())
        for modifier in filter(None, modifiers):
            found.grouping.update(modifier.labels)

    def select(selector: promql.VectorSelector) -> None:
        matched = frozenset(matcher.name for matcher in selector.matchers.matchers)
        found.selectors.append((str(selector.name), matched))

    promql.walk(promql.parse(expression), visit)
    # A range selector's own vector selector is visited with it, or apart: each counts once.
    found.selectors = list(dict.fromkeys(found.selectors))
    return found


def unknown_names(query: Query, known: Labels) -> list[str]:
    """Metrics that are not in `known`, and labels that they do not have."""
    found = names(query.expression)
    unknown = [name for name, _ in found.selectors if name not in known]
    for name, labels in found.selectors:
        unknown += [f"{name}{{{label}}}" for label in sorted(labels - known.get(name, labels))]
    labels = frozenset[str]().union(*(known.get(name, frozenset()) for name, _ in found.selectors))
    return unknown + [f"by {label}" for label in sorted(found.grouping - labels)]


def recorded() -> Labels:
    """The labels of the series that the rules record: the first part of the name has them."""
    return {
        query.record: frozenset(query.record.partition(":")[0].split("_")) & {"job", "sha256"}
        for query in rule_queries()
        if query.record
    }
