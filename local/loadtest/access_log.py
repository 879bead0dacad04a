"""The times of the requests in an access log, to replay them."""

import json
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from local.common.cli import UsageError
from local.loadtest.schedule import Schedule, check_requests, check_seconds

_COMMON: Final = re.compile(r"\S+ \S+ .*?\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")
"""The start of the common and the combined log format of Apache and nginx."""

_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
"""`strptime` would take the names of the locale."""

_TIME_FIELDS: Final = (
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "time_iso8601",
    "time_local",
    "msec",
    "datetime",
    "date",
)
"""Names of the time in JSON lines: of the service, of Docker, and of nginx's variables."""


_SPEEDS: Final = (1e-6, 1e6)

_DIGITS: Final = 9
"""Due times are in whole nanoseconds, as the finest logs. The rate of two requests that are much
closer would be infinite in floating point."""


def read_access_log(path: Path, speed: float = 1.0) -> Schedule:
    """A schedule with the times between the requests of an access log, divided by `speed`.

    A line is in the common or combined log format, or a JSON object with a time (`_TIME_FIELDS`:
    ISO 8601, that of the common log format, or seconds, milli-, micro- or nanoseconds since 1970).
    Lines need not be in order, as servers write them when a request ends. The common log format has
    whole seconds; the requests of a second are spread over it evenly. Raises `UsageError` with the
    number of the line.
    """
    if not _SPEEDS[0] <= speed <= _SPEEDS[1]:
        raise UsageError(
            f"--speed must be from {_SPEEDS[0]:f} to {_SPEEDS[1]:,.0f}; it is {speed:g}."
        )
    times: list[float] = []
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    times.append(_time_of(path, number, line.strip()))
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    if not times:
        raise UsageError(f"{str(path)!r} has no requests. Name an access log.")
    check_requests(len(times), "Use a shorter log")
    due = _spread(np.sort(np.array(times, np.float64)))
    due = (due - due[0]) / speed
    check_seconds(float(due[-1]), "Use a shorter log or a higher --speed")
    due = due.round(_DIGITS)
    span = float(due[-1]) * len(due) / (len(due) - 1) if due[-1] > 0 else None
    name = path.name.encode(errors="replace").decode()
    faster = "" if speed == 1 else f", {speed:g} times as fast"
    return Schedule(
        due=due,
        span=span,
        description=f"replay of {name}, {len(due):,} requests in {due[-1]:,.4g} s{faster}",
        plan={"kind": "replay", "file": name, "requests": len(due), "speed": speed},
    )


def _time_of(path: Path, number: int, line: str) -> float:
    """Seconds since 1970."""
    if line.startswith("{"):
        found = _json_time(line)
    else:
        match = _COMMON.match(line)
        found = _common_time(match[1]) if match else None
    if found is None:
        raise UsageError(
            f"{str(path)!r}, line {number}: no time found. Use the common or combined log format, "
            f"or JSON lines with a field {_TIME_FIELDS[0]}."
        )
    return found


def _common_time(text: str) -> float | None:
    """10/Oct/2000:13:55:36 -0700"""
    month = text[3:6].title()
    place, rest = divmod(_MONTHS.find(month), 3)
    if rest:
        return None
    numeric = f"{text[:3]}{place + 1:02}{text[6:]}"
    try:
        return datetime.strptime(numeric, "%d/%m/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        return None


def _json_time(line: str) -> float | None:
    try:
        content = json.loads(line)
        for name in _TIME_FIELDS:
            if name in content:
                ended = _timestamp(content[name])
                started = None if ended is None else ended - _duration(content)
                return started if started is not None and math.isfinite(started) else None
    except (ValueError, OverflowError, RecursionError):
        pass
    return None


def _duration(content: dict[str, Any]) -> float:
    """The service's own lines have the time at which a request ended, and its milliseconds."""
    milliseconds = content.get("ms")
    if not isinstance(milliseconds, int | float) or not math.isfinite(milliseconds):
        return 0.0
    return milliseconds / 1000


def _timestamp(value: Any) -> float | None:
    """Numbers above 10^11 are milli-, micro- or nanoseconds: as seconds, they would be in the year
    5138. Raises `OverflowError`."""
    try:
        seconds = float(value)
        if not math.isfinite(seconds):
            return None
        while seconds > 1e11:
            seconds /= 1000
        return seconds
    except (TypeError, ValueError):
        pass
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return _common_time(value.strip("[]")) if isinstance(value, str) else None


def _spread(times: "np.typing.NDArray[np.float64]") -> "np.typing.NDArray[np.float64]":
    """Where all times are whole seconds, spread those of each second over it evenly."""
    if (times % 1 != 0).any():
        return times
    _, first, counts = np.unique(times, return_index=True, return_counts=True)
    place = np.arange(len(times)) - np.repeat(first, counts)
    spread: np.typing.NDArray[np.float64] = times + place / np.repeat(counts, counts)
    return spread
