"""The trace that a request belongs to, from its headers.

Sources: W3C "Trace Context" (Recommendation, level 1), sections 3.2 and 4.3; AWS X-Ray Developer
Guide, "Tracing header". Declined: the propagators of opentelemetry-api, which Lambda's import does
not load: 10 ms of a cold start.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

TRACEPARENT: Final = b"traceparent"
AMZN_TRACE: Final = b"x-amzn-trace-id"

HEADERS: Final = (TRACEPARENT, AMZN_TRACE)
"""Names of the headers, in the order in which they count"""

LAMBDA_VARIABLE: Final = "_X_AMZN_TRACE_ID"
"""Set by Lambda's runtime for each invocation (AWS Lambda Developer Guide, "Environment
variables"); of the same form as the header"""

_DIGITS: Final = b"0123456789abcdef"
_VERSION_DIGITS: Final = 2
_TRACE_DIGITS: Final = 32
_SPAN_DIGITS: Final = 16
_FLAG_DIGITS: Final = 2
_AMZN_DIGITS: Final = (8, 24)
"""Of the trace id in two parts: the time, and a random number"""

_FORBIDDEN_VERSION: Final = b"ff"
_COMPLETE_VERSION: Final = b"00"
"""The version of which all fields are known; later ones may have more"""


class TraceContext(NamedTuple):
    """Ids in lower-case hexadecimal digits. `span_id`, 16 of them, is that of the caller's span, or
    of the request's if the service creates spans; empty if the caller has not sent one."""

    trace_id: str
    """32 digits"""
    span_id: str

    def fields(self) -> dict[str, str]:
        """What logs have of it, under the names of OpenTelemetry's log data model."""
        return {"trace_id": self.trace_id, **({"span_id": self.span_id} if self.span_id else {})}


def find_trace(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """The trace that `headers` name, or None. A header that is invalid, or there twice, is ignored,
    as the specification demands."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in HEADERS:
            found.setdefault(name, []).append(value.strip(b" \t"))
    for name, parse in ((TRACEPARENT, parse_traceparent), (AMZN_TRACE, parse_amzn_trace)):
        values = found.get(name, ())
        if len(values) == 1 and (context := parse(values[0])):
            return context
    return None


def lambda_trace(environment: Mapping[str, str]) -> TraceContext | None:
    """The trace of the current invocation of the Lambda function, if Lambda provides it."""
    return parse_amzn_trace(environment.get(LAMBDA_VARIABLE, "").encode())


def parse_traceparent(value: bytes) -> TraceContext | None:
    """A `traceparent` of version 00 to fe; None if it is invalid."""
    version, *fields = value.split(b"-", maxsplit=4)
    if not _is_hex(version, _VERSION_DIGITS) or version == _FORBIDDEN_VERSION:
        return None
    if len(fields) < 3 or (len(fields) > 3 and version == _COMPLETE_VERSION):
        return None
    trace, span, flags = fields[:3]
    if not (_is_id(trace, _TRACE_DIGITS) and _is_id(span, _SPAN_DIGITS)):
        return None
    if not _is_hex(flags, _FLAG_DIGITS):
        return None
    return TraceContext(trace.decode(), span.decode())


def parse_amzn_trace(value: bytes) -> TraceContext | None:
    """An `X-Amzn-Trace-Id`: `Root=1-8 digits-24 digits`, and perhaps `Parent=16 digits` and other
    fields, in any order; None if it has no valid root."""
    fields = {
        name.strip(b" \t"): content.strip(b" \t").lower()
        for name, _, content in (part.partition(b"=") for part in value.split(b";"))
    }
    version, *parts = fields.get(b"Root", b"").split(b"-")
    if version != b"1" or tuple(map(len, parts)) != _AMZN_DIGITS:
        return None
    trace, parent = b"".join(parts), fields.get(b"Parent", b"")
    if not _is_id(trace, _TRACE_DIGITS):
        return None
    return TraceContext(trace.decode(), parent.decode() if _is_id(parent, _SPAN_DIGITS) else "")


def _is_id(value: bytes, digits: int) -> bool:
    """Whether `value` is an ID; all zeros stand for no ID."""
    return _is_hex(value, digits) and value.strip(b"0") != b""


def _is_hex(value: bytes, digits: int) -> bool:
    """Whether `value` has exactly `digits` lower-case hexadecimal digits. A regular expression
    would take as long as the import of this file."""
    return len(value) == digits and not value.strip(_DIGITS)
