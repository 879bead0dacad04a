"""Metrics under the names that they had in 1.0, for one release."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

OLD_NAMES: Final = {
    "classifier_request_duration_seconds": "classifier_request_seconds",
    "classifier_requests_in_flight": "classifier_in_flight",
    "classifier_requests_waiting": "classifier_waiting",
    "classifier_queue_duration_seconds": "classifier_queue_seconds",
    "classifier_decode_duration_seconds": "classifier_decode_seconds",
    "classifier_infer_duration_seconds": "classifier_infer_seconds",
}
"""Old names by the new ones"""

REMOVAL: Final = "Removed in 1.2"

_KEPT_LABELS: Final = ("le",)
"""Of histograms; the old metrics had no others"""


class WithOldNames(Collector):
    """The metrics of another collector, and copies of some of them under their old names: they cost
    nothing until they are read."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterable[Metric]:
        """All metrics of the collector; each copy follows its original."""
        for metric in self._collector.collect():
            yield metric
            if metric.name in OLD_NAMES:
                yield _copy(metric, OLD_NAMES[metric.name])


def _copy(metric: Metric, name: str) -> Metric:
    """The sums over all labels of `metric`, as `name`."""
    copy = Metric(name, f"Deprecated: use {metric.name}. {REMOVAL}", metric.type)
    sums: defaultdict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)
    for sample in metric.samples:
        if not sample.name.endswith("_created"):
            labels = tuple(each for each in sample.labels.items() if each[0] in _KEPT_LABELS)
            sums[name + sample.name.removeprefix(metric.name), labels] += sample.value
    copy.samples = [Sample(full, dict(labels), value) for (full, labels), value in sums.items()]
    return copy
