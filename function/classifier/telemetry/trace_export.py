"""Sending spans to a collector that may be down, hang or refuse them.

The SDK's exporter logs up to five lines for each batch, every few seconds, as long as the collector
does not take them. Here, the first failure is logged, and the first success after it.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from classifier.telemetry.trace_settings import (
    batch_size,
    export_seconds,
    queue_size,
    schedule_milliseconds,
)

_SDK_QUEUE: Final = "opentelemetry.sdk._shared_internal"
"""The logger of the SDK for a full queue"""

_log = logging.getLogger(__name__)


class ReportingExporter(SpanExporter):
    """Logs the first failure of an exporter, and when it is over; not each one."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._reason = ""
        self.is_failing = False
        ours = {each.__module__ for each in type(exporter).__mro__}
        for module in ours - {each.__module__ for each in SpanExporter.__mro__}:
            logging.getLogger(module).addFilter(self._take_reason)
        logging.getLogger(_SDK_QUEUE).addFilter(lambda record: not self.is_failing)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`. A failure is a result, not an exception."""
        self._reason = ""
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            self._reason = self._reason or str(error)
            result = SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self.is_failing:
            _log.warning("Spans are dropped until the collector takes them. %s", self._reason)
        elif self.is_failing and not failed:
            _log.warning("The collector takes spans again.")
        self.is_failing = failed
        return result

    def shutdown(self) -> None:
        """Send nothing more, and end a wait before another attempt."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """As the exporter does."""
        return self._exporter.force_flush(timeout_millis)

    def _take_reason(self, record: logging.LogRecord) -> bool:
        """A filter: keep the first message about a batch, which has the reason, instead of a
        line."""
        if record.levelno < logging.WARNING:
            return True
        self._reason = self._reason or record.getMessage()
        return False


def add_exporters(
    provider: TracerProvider, exporters: Sequence[SpanExporter], environment: Mapping[str, str]
) -> list[ReportingExporter]:
    """Let `provider` send its spans in batches to `exporters`."""
    reporting = [ReportingExporter(exporter) for exporter in exporters]
    for each in reporting:
        processor = BatchSpanProcessor(
            each,
            max_queue_size=queue_size(environment),
            schedule_delay_millis=schedule_milliseconds(environment),
            max_export_batch_size=batch_size(environment),
            export_timeout_millis=export_seconds(environment) * 1000,
        )
        provider.add_span_processor(processor)
    return reporting
