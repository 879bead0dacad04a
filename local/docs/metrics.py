"""The metrics at /metrics, as the service itself names and describes them."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from classifier.artifact import CARD_FILE, ModelCard
from classifier.settings import SHIPPED_MODEL
from classifier.telemetry.old_names import OLD_NAMES
from classifier.telemetry.prometheus import PrometheusMetrics
from classifier.telemetry.request import RequestRecord
from local.common.markdown import table

_REQUEST: Final = {"method": "POST", "path": "/", "headers": []}
_OWN: Final = "classifier_"
_BUCKET_LABEL: Final = "le"


def metrics_table() -> str:
    """Every metric of the service itself under its present name."""
    rows = [
        (f"`{_full_name(metric)}`", metric.type, _labels(metric), metric.documentation)
        for metric in exposed()
        if not metric.documentation.startswith("Deprecated")
    ]
    return table(("metric", "type", "labels", "meaning"), rows)


def old_metrics_table() -> str:
    """The names of 1.0, and what replaces them."""
    rows = [(f"`{old}`", f"`{new}`") for new, old in OLD_NAMES.items()]
    first = ("`classifier_requests_total`", "`classifier_request_duration_seconds_count`")
    return table(("until 1.1", "from 1.1 on"), [first, *rows])


def exposed() -> Iterable[Metric]:
    """The metrics of the service after one request, one image and one error, so that each metric
    with labels has a sample."""
    card = ModelCard.parse((SHIPPED_MODEL / CARD_FILE).read_bytes())
    metrics = PrometheusMetrics(card, shared="")
    record = RequestRecord(_REQUEST)
    metrics.request_started(record)
    metrics.observe_image(0.0, 0.0, 1.0, "jpeg")
    metrics.count_error("Busy")
    metrics.request_finished(record, 0.0)
    content, _ = metrics.exposition()
    for metric in text_string_to_metric_families(content.decode()):
        if metric.name.startswith(_OWN) and not metric.name.endswith("_created"):
            yield metric


def _full_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _labels(metric: Metric) -> str:
    names = [name for name in metric.samples[0].labels if name != _BUCKET_LABEL]
    return ", ".join(f"`{name}`" for name in names)
