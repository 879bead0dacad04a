"""The trace that a request continues, as the SDK reads it from the headers.

The SDK continues the first of several `traceparent` headers. The specification has one header, so a
request with more than one begins a new trace (W3C "Trace Context", section 3.2, and the test suite
of its working group), as `trace_context.find_trace` does for the log.
"""

from typing import Any, Final

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from classifier.telemetry.trace_context import HEADERS

_SINGLE: Final = frozenset(name.decode() for name in HEADERS)


def ignore_repeated_headers() -> None:
    """From now on, headers of a trace that a request has more than once are ignored."""
    current = propagate.get_global_textmap()
    if not isinstance(current, _SingleHeaders):
        propagate.set_global_textmap(_SingleHeaders(current))


class _SingleHeaders(TextMapPropagator):
    def __init__(self, propagator: TextMapPropagator) -> None:
        self._propagator = propagator

    def extract(
        self, carrier: Any, context: Context | None = None, getter: Getter[Any] = default_getter
    ) -> Context:
        return self._propagator.extract(carrier, context, _SingleGetter(getter))

    def inject(
        self, carrier: Any, context: Context | None = None, setter: Setter[Any] = default_setter
    ) -> None:
        self._propagator.inject(carrier, context, setter)

    @property
    def fields(self) -> set[str]:
        return self._propagator.fields


class _SingleGetter(Getter[Any]):
    def __init__(self, getter: Getter[Any]) -> None:
        self._getter = getter

    def get(self, carrier: Any, key: str) -> list[str] | None:
        values = self._getter.get(carrier, key)
        if values and len(values) > 1 and key.lower() in _SINGLE:
            return None
        return values

    def keys(self, carrier: Any) -> list[str]:
        return self._getter.keys(carrier)
