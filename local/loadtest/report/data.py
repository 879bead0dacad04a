"""The report of a run for programs: JSON, and CSV with a line for each request."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from local.loadtest.run import Records, Run, latency, lateness, service
from local.loadtest.stats import Summary

_LINES_AT_ONCE: Final = 20_000
"""Lines are formatted in blocks: one by one takes three times as long, all at once 1 GB for a
million requests."""

_TIMES: Final = ("due", "started", "connected", "sent", "first_byte", "ended")
_STAGES: Final = ("queue", "decode", "infer")


def write_json(summary: Summary, path: Path, **more: Any) -> None:
    """Write the summary, and `more` below it."""
    content = {**summary.as_dict(), **more}
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(run: Run, path: Path) -> None:
    """A line per request in the order of the plan; times in seconds from the start of the run and,
    for the start, in UTC; durations in ms. A time or duration that did not happen is empty."""
    waves = run.schedule.wave_size is not None
    columns = [
        *(["wave"] if waves else []),
        "request",
        *(f"{name}_s" for name in _TIMES),
        *("latency_ms", "service_ms", "lateness_ms"),
        *("result", "status"),
        *(f"{name}_ms" for name in _STAGES),
        *("request_id", "started_utc"),
        *(["trace_id"] if run.traces else []),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(columns) + "\r\n")
        order = np.argsort(run.records["request"], kind="stable")
        for first in range(0, len(order), _LINES_AT_ONCE):
            file.write(_lines(run, run.records[order[first : first + _LINES_AT_ONCE]]))


def _lines(run: Run, records: Records) -> str:
    """One formatting operation for all lines: a row of `%` directives, repeated."""
    request: list[Any] = records["request"].tolist()
    cells: list[list[Any]] = []
    row: list[str] = []

    def column(directive: str, values: list[Any]) -> None:
        row.append(directive)
        cells.append(values)

    if size := run.schedule.wave_size:
        column("%d", [number // size for number in request])
        request = [number % size for number in request]
    column("%d", request)
    for name in _TIMES:
        column("%s", _numbers(records[name], "%.6f"))
    for seconds in (latency(records), service(records), lateness(records)):
        column("%s", _numbers(seconds * 1000, "%.3f"))
    results = [_quoted(kind or "ok") for kind in run.kinds]
    column("%s", [results[kind] for kind in records["failure"].tolist()])
    column("%d", records["status"].tolist())
    for name in _STAGES:
        column("%s", _numbers(records[name], "%.2f"))
    # An ID is at most 36 characters of US-ASCII; a server may send others.
    column("%s", [_quoted(value.decode("latin-1")) for value in records["id"].tolist()])
    column("%s", _utc(records["started"] + run.start_epoch))
    if run.traces:
        column("%s", run.traces.ids(records["request"]))
    line = ",".join(row) + "\r\n"
    return "".join(line % values for values in zip(*cells, strict=True))


def _numbers(values: Any, directive: str) -> list[str]:
    """NaN is empty."""
    if not np.isnan(values).any():
        return [directive % value for value in values.tolist()]
    return ["" if value != value else directive % value for value in values.tolist()]  # noqa: PLR0124


def _utc(epochs: Any) -> list[str]:
    """ISO 8601 to the microsecond."""
    known = np.where(np.isfinite(epochs), epochs, 0)
    texts = np.datetime_as_string((known * 1e6).round().astype("datetime64[us]"), timezone="UTC")
    pairs: Iterator[tuple[str, bool]] = zip(
        texts.tolist(), np.isfinite(epochs).tolist(), strict=True
    )
    return [text if finite else "" for text, finite in pairs]


def _quoted(text: str) -> str:
    """As RFC 4180 quotes a field."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
