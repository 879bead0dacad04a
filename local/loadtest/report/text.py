"""Reports of a run as text, JSON and CSV."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from local.loadtest.client.runner import Run
from local.loadtest.result import RequestResult
from local.loadtest.stats import Percentiles, Summary

_COLUMNS: Final = (
    *("wave", "request", "due_s", "started_s", "ended_s"),
    *("latency_ms", "service_ms", "lateness_ms", "result"),
)


def format_result(result: RequestResult) -> str:
    """One request as text."""
    return (
        f"wave {result.wave + 1:>3}  request {result.number + 1:>4}  "
        f"{result.latency * 1000:10.1f} ms  {result.failure or 'ok'}"
    )


def format_report(summary: Summary) -> str:
    """The whole report as text."""
    lines = [
        f"{summary.target}: {describe_plan(summary)}",
        "",
        f"requests    {_count(summary)}",
        *(f"  {kind:<24} {count:>7}" for kind, count in summary.failures_by_kind.items()),
        f"wall time   {summary.wall_s:.3f} s",
        f"throughput  {summary.throughput_rps:.1f} responses/s{_offered(summary)}",
        f"in flight   {summary.peak_concurrency} requests at most",
        "",
        f"{'ms':<10}{'p50':>10}{'p90':>10}{'p95':>10}{'p99':>10}{'max':>10}",
        f"{'latency':<10}{_cells(summary.latency_ms)}   from when the request was due",
        f"{'service':<10}{_cells(summary.service_ms)}   from when it was sent",
        f"{'lateness':<10}{_cells(summary.lateness_ms)}   delay of this client",
    ]
    if summary.failures and summary.answered:
        lines.append("latency and service cover answered requests only")
    if len(summary.waves) > 1:
        lines += ["", *_wave_lines(summary)]
    return "\n".join(lines)


def write_json(summary: Summary, path: Path) -> None:
    path.write_text(json.dumps(summary.as_dict(), indent=2) + "\n", encoding="utf-8")


def write_csv(run: Run, path: Path) -> None:
    """A line per request; times in seconds from the start of the run, durations in ms."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for result in in_order(run.results):
            times = (result.intended, result.started, result.ended)
            durations = (result.latency, result.service, result.lateness)
            writer.writerow(
                [
                    result.wave,
                    result.number,
                    *(f"{time - run.start:.6f}" for time in times),
                    *(f"{duration * 1000:.3f}" for duration in durations),
                    result.failure or "ok",
                ]
            )


def in_order(results: Iterable[RequestResult]) -> list[RequestResult]:
    """By wave, then by index in the wave."""
    return sorted(results, key=lambda result: (result.wave, result.number))


def describe_plan(summary: Summary) -> str:
    """The wave plan as text."""
    if summary.repeat == 1:
        return f"{summary.parallel} in parallel"
    return f"{summary.repeat} waves of {summary.parallel}, one every {summary.period_s:g} s"


def _count(summary: Summary) -> str:
    parts = [f"{summary.answered} answered", f"{summary.failures} failed"]
    if summary.stopped:
        parts.append(f"{summary.in_flight} still in flight when stopped")
        parts.append(f"{summary.planned - summary.requests} not sent")
    return f"{summary.requests}: {', '.join(parts)}"


def _offered(summary: Summary) -> str:
    return "" if summary.offered_rps is None else f" ({summary.offered_rps:.1f}/s due)"


def _cells(percentiles: Percentiles) -> str:
    values = (percentiles.p50, percentiles.p90, percentiles.p95, percentiles.p99, percentiles.max)
    return "".join(f"{'-' if value is None else f'{value:.1f}':>10}" for value in values)


def _wave_lines(summary: Summary) -> list[str]:
    head = f"{'wave':>5}{'due s':>9}{'requests':>10}{'failed':>8}{'p50 ms':>10}{'p99 ms':>10}"
    lines = [f"{head}{'max ms':>10}{'late ms':>9}"]
    for wave in summary.waves:
        latency = wave.latency_ms
        cells = "".join(
            f"{'-' if value is None else f'{value:.1f}':>10}"
            for value in (latency.p50, latency.p99, latency.max)
        )
        late = "-" if wave.lateness_ms.max is None else f"{wave.lateness_ms.max:.1f}"
        counts = f"{wave.wave + 1:>5}{wave.due_s:>9.2f}{wave.requests:>10}{wave.failures:>8}"
        lines.append(f"{counts}{cells}{late:>9}")
    return lines
