"""Spans of OpenTelemetry for the stages of a request, if the standard variables turn them on.

FastAPI creates the span of the request itself. This module adds its children, and the set-up that
FastAPI has only for servers with a lifespan (not on Lambda), and only for one of the exporters.
Declined: opentelemetry-instrumentation-asgi, which does the same as FastAPI, and adds a span for
each message received or sent: nine for a request of one photo, instead of four. Nothing is imported
unless the variables turn spans on.

Sources: OpenTelemetry specification, "OpenTelemetry Environment Variable Specification".
"""

import atexit
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from classifier import __version__
from classifier.settings import SettingsError
from classifier.telemetry.request import RequestRecord
from classifier.telemetry.trace_context import TraceContext

if TYPE_CHECKING:
    from classifier.telemetry.trace_export import ReportingExporter

SERVICE_NAME: Final = "image-classifier"
"""If neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES has one"""

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_EXPORTERS: Final = "OTEL_TRACES_EXPORTER"
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_DEFAULT_PROTOCOL: Final = "http/protobuf"
_BY_PROTOCOL: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_PROPAGATORS: Final = "OTEL_PROPAGATORS"

_FAILING_SECONDS: Final = 1.0
"""The time for the last spans if the collector has not taken those before"""

_INSTALL: Final = "Install function/requirements-otel.txt"

_log = logging.getLogger(__name__)


class Stage(NamedTuple):
    """A part of the work on a request: a span. Times are `perf_counter`'s, in seconds."""

    name: str
    start: float
    end: float
    attributes: Mapping[str, Any] = {}


class TracingError(Exception):
    """The variables ask for something that is not installed; the message says what to install."""


class Tracing:
    """Makes the spans of the stages, below the span of the request, which is the current one."""

    def __init__(
        self,
        provider: Any,
        exporters: "Sequence[ReportingExporter] | None" = None,
        seconds: float = 10.0,
    ) -> None:
        """`provider`: the `TracerProvider` of the process. `exporters`: those of a provider that
        the service has started; None if something else has. `seconds`: for the last spans"""
        from opentelemetry import trace

        from classifier.telemetry.trace_propagation import ignore_repeated_headers

        self._provider = provider
        self._exporters = exporters
        self._seconds = seconds
        self._tracer = provider.get_tracer("classifier", __version__)
        self._trace = trace
        ignore_repeated_headers()

    def begin(self, record: RequestRecord) -> None:
        """Note the ids of the request's span, and that stages are wanted if it is sampled."""
        span = self._trace.get_current_span()
        context = span.get_span_context()
        if context.is_valid:
            record.trace = TraceContext(
                self._trace.format_trace_id(context.trace_id),
                self._trace.format_span_id(context.span_id),
            )
        if span.is_recording():
            record.stages = []

    def end(self, record: RequestRecord) -> None:
        """Make the spans of the stages of `record`. The span of the request may have ended."""
        to_epoch = time_ns() - perf_counter_ns()
        for stage in record.stages or ():
            span = self._tracer.start_span(
                stage.name,
                start_time=to_epoch + round(stage.start * 1e9),
                attributes=stage.attributes,
            )
            if "error.type" in stage.attributes:
                span.set_status(self._trace.StatusCode.ERROR)
            span.end(to_epoch + round(stage.end * 1e9))

    def flush(self) -> None:
        """Send all spans now. Blocks until they are sent, or their time is over."""
        self._run(getattr(self._provider, "force_flush", None))

    def close(self) -> None:
        """The same, at the end of the process: later spans are not sent."""
        if self._exporters is None:
            self.flush()
        else:
            self._run(self._provider.shutdown)
            atexit.unregister(self.close)

    def _run(self, function: Callable[[], Any] | None) -> None:
        """Call `function` in a thread that does not keep the process from ending. The SDK has no
        limit for all batches together."""
        if function is None:
            return
        is_failing = any(each.is_failing for each in self._exporters or ())
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        thread.join(min(self._seconds, _FAILING_SECONDS) if is_failing else self._seconds)


def start_tracing(environment: Mapping[str, str]) -> Tracing | None:
    """The tracing that the variables ask for, or that `opentelemetry-instrument` has started; None
    without either. If that fails, a warning is logged, and the service runs without traces."""
    if _is_disabled(environment):
        return None
    provider = _started_provider()
    if provider is not None:
        return Tracing(provider)
    if _is_wanted(environment):
        try:
            return _start(environment)
        except ImportError as error:
            _log.warning("Tracing is off: %s is not installed. %s.", error.name, _INSTALL)
        except Exception as error:  # of an exporter
            _log.warning("Tracing is off: %s", error)
    return None


def check_tracing(environment: Mapping[str, str]) -> None:
    """Raises `SettingsError` if a variable has a value that the SDK could not use."""
    _check_propagators(environment)
    if _is_disabled(environment) or not _is_wanted(environment):
        return
    if _started_provider() is not None:  # it has read the variables, and may know other values
        return
    from classifier.telemetry.trace_settings import check_trace_settings

    over_http = "otlp_proto_http" in _exporter_entries(environment)
    check_trace_settings(environment, urls=_ENDPOINTS if over_http else ())


def _check_propagators(environment: Mapping[str, str]) -> None:
    """Raises `SettingsError` if OTEL_PROPAGATORS names one that is not installed: FastAPI could not
    be imported then."""
    names = [name.strip() for name in environment.get(_PROPAGATORS, "").split(",")]
    for name in filter(None, names):
        if name != "none" and not _entry_points("opentelemetry_propagator", name):
            raise SettingsError(
                f"{_PROPAGATORS} has {name!r}, which is not installed. {_INSTALL}, or the "
                "propagator's package."
            )


def _is_disabled(environment: Mapping[str, str]) -> bool:
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _is_wanted(environment: Mapping[str, str]) -> bool:
    names = _exporter_names(environment)
    return names != ["none"] and bool(names or any(map(environment.get, _ENDPOINTS)))


def _exporter_names(environment: Mapping[str, str]) -> list[str]:
    """The names that OTEL_TRACES_EXPORTER lists, without blanks."""
    names = map(str.strip, environment.get(_EXPORTERS, "").split(","))
    return list(filter(None, names))


def _started_provider() -> Any:
    """The provider of the process, if there is one. Nothing is imported: without the module, none
    was set."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider) else provider


def _start(environment: Mapping[str, str]) -> Tracing:
    """The SDK reads its sampler and limits from the environment by itself."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from classifier.telemetry.trace_export import add_exporters
    from classifier.telemetry.trace_settings import export_seconds

    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE_NAME}))
    exporters = _exporters(environment)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracing = Tracing(
        provider,
        add_exporters(provider, exporters, environment),
        export_seconds(environment),
    )
    trace.set_tracer_provider(provider)
    atexit.register(tracing.close)  # for servers without a lifespan
    return tracing


def _exporters(environment: Mapping[str, str]) -> list[Any]:
    """Those of OTEL_TRACES_EXPORTER, found as the SDK finds them. Raises `TracingError`."""
    exporters = []
    for name in _exporter_entries(environment):
        found = _entry_points("opentelemetry_traces_exporter", name)
        if not found:
            raise TracingError(
                f"there is no exporter {name}. {_INSTALL}, or the exporter's package."
            )
        exporters.append(found[0].load()())
    return exporters


def _exporter_entries(environment: Mapping[str, str]) -> list[str]:
    """The names of the entry points of OTEL_TRACES_EXPORTER; `otlp` has one for each protocol."""
    protocols = filter(None, (environment.get(name, "").strip() for name in _PROTOCOLS))
    protocol = next(protocols, _DEFAULT_PROTOCOL)
    otlp = _BY_PROTOCOL.get(protocol, f"otlp of the protocol {protocol}")
    names = _exporter_names(environment) or ["otlp"]
    return [otlp if name == "otlp" else name for name in names]


def _entry_points(group: str, name: str) -> Sequence[Any]:
    from importlib.metadata import entry_points  # takes a part of a cold start

    return tuple(entry_points(group=group, name=name))
