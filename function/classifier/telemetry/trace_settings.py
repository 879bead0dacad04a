"""The standard variables of OpenTelemetry that have numbers, names or URLs.

The SDK replaces a value that it cannot parse by its default, and logs a traceback or one vague
line; after that, nothing says that the service does something else than its settings. Declined: a
parser of all variables. Those that are not here, such as the names of attributes, have no invalid
values, or the SDK names them.

Sources: OpenTelemetry specification, "OpenTelemetry Environment Variable Specification" and
"OpenTelemetry Protocol Exporter".
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from classifier.settings import SettingsError

_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
"""Of the variables of a pair, the first that is set counts."""
_COMPRESSIONS: Final = ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION")

_DELAY: Final = "OTEL_BSP_SCHEDULE_DELAY"
_QUEUE: Final = "OTEL_BSP_MAX_QUEUE_SIZE"
_BATCH: Final = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_EXPORT_TIMEOUT: Final = "OTEL_BSP_EXPORT_TIMEOUT"
_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
_RATIO: Final = "OTEL_TRACES_SAMPLER_ARG"

_NUMBERS: Final = {
    _DELAY: ("milliseconds", 1),
    _EXPORT_TIMEOUT: ("milliseconds", 0),
    _QUEUE: ("spans", 1),
    _BATCH: ("spans", 1),
    "OTEL_ATTRIBUTE_COUNT_LIMIT": ("attributes", 0),
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("characters", 0),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ("attributes", 0),
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("characters", 0),
    "OTEL_SPAN_EVENT_COUNT_LIMIT": ("events", 0),
    "OTEL_SPAN_LINK_COUNT_LIMIT": ("links", 0),
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": ("attributes", 0),
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": ("attributes", 0),
}
"""Unit and minimum"""

_DEFAULT_BATCH: Final = 512
_DEFAULT_QUEUE: Final = 2048
_DEFAULT_DELAY: Final = 5000
_DEFAULT_TIMEOUT: Final = 10.0

_BY_RATIO: Final = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: Final = (
    "always_on",
    "always_off",
    "parentbased_always_on",
    "parentbased_always_off",
    *_BY_RATIO,
)
_COMPRESSION_NAMES: Final = ("none", "gzip", "deflate")


def check_trace_settings(environment: Mapping[str, str], urls: Sequence[str]) -> None:
    """Raises `SettingsError` for the first value that the SDK could not use. `urls`: names of the
    variables that are URLs of HTTP."""
    for name in _NUMBERS:
        _whole_number(environment, name)
    batch, queue = batch_size(environment), queue_size(environment)
    if batch > queue:
        raise SettingsError(f"{_BATCH} must be {_QUEUE}, {queue}, or less; it is {batch}.")
    for name in _TIMEOUTS:
        if (text := _value(environment, name)) and not 0 < _number(text) < math.inf:
            raise SettingsError(f"{name} must be a number of seconds above 0; it is {text!r}.")
    for name in _COMPRESSIONS:
        _check_name(environment, name, _COMPRESSION_NAMES)
    _check_name(environment, _SAMPLER, _SAMPLERS)
    ratio = _value(environment, _RATIO)
    if (
        ratio
        and _value(environment, _SAMPLER).lower() in _BY_RATIO
        and not 0 <= _number(ratio) <= 1
    ):
        raise SettingsError(f"{_RATIO} must be a number from 0 to 1; it is {ratio!r}.")
    for name in urls:
        _check_url(environment, name)


def batch_size(environment: Mapping[str, str]) -> int:
    """The most spans in a request to the collector."""
    return _whole_number(environment, _BATCH) or _DEFAULT_BATCH


def queue_size(environment: Mapping[str, str]) -> int:
    """The most spans that wait to be sent."""
    return _whole_number(environment, _QUEUE) or _DEFAULT_QUEUE


def schedule_milliseconds(environment: Mapping[str, str]) -> int:
    """The pause between two requests to the collector."""
    return _whole_number(environment, _DELAY) or _DEFAULT_DELAY


def export_seconds(environment: Mapping[str, str]) -> float:
    """The time within which a request to the collector succeeds or fails."""
    values = (_value(environment, name) for name in _TIMEOUTS)
    text = next(filter(None, values), "")
    return _number(text) if text else _DEFAULT_TIMEOUT


def _value(environment: Mapping[str, str], name: str) -> str:
    """Empty if the variable is unset or empty: the same, by the specification."""
    return environment.get(name, "").strip()


def _whole_number(environment: Mapping[str, str], name: str) -> int | None:
    """None if the variable is unset. Raises `SettingsError`."""
    text = _value(environment, name)
    if not text:
        return None
    unit, least = _NUMBERS[name]
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise SettingsError(
            f"{name} must be a whole number of {unit}, {least} or more; it is {text!r}."
        )
    return number


def _number(text: str) -> float:
    """NaN, which is in no range, if `text` is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _check_name(environment: Mapping[str, str], name: str, names: Sequence[str]) -> None:
    text = _value(environment, name)
    if text and text.lower() not in names:
        raise SettingsError(f"{name} must be one of {', '.join(names)}; it is {text!r}.")


def _check_url(environment: Mapping[str, str], name: str) -> None:
    text = _value(environment, name)
    if not text:
        return
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        without_password = text.rpartition("@")[2]
        raise SettingsError(
            f"{name} must be a URL, such as http://localhost:4318; it is {without_password!r}."
        )
