"""The report of a run as text."""

from collections.abc import Sequence
from typing import Final

from local.loadtest.breakdown import Breakdown
from local.loadtest.parts import Part
from local.loadtest.percentiles import Percentiles
from local.loadtest.run import ClientUse, Records, latency
from local.loadtest.schedule import Schedule
from local.loadtest.service_metrics import ServiceView
from local.loadtest.stats import Summary

NAMES: Final = ("min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")
"""Of `values`."""


def format_records(schedule: Schedule, records: Records, kinds: Sequence[str]) -> str:
    """A line for each request."""
    milliseconds = latency(records) * 1000
    columns = zip(
        records["request"].tolist(), milliseconds.tolist(), records["failure"].tolist(), strict=True
    )
    return "\n".join(
        f"{_which(schedule, request)}  {taken:10.1f} ms  {kinds[kind] or 'ok'}"
        for request, taken, kind in columns
    )


def format_verdict(requirements: int, broken: Sequence[str]) -> str:
    """A line for each broken requirement, or one line if the run meets all of them."""
    if broken:
        return "\n".join(f"not met     {line}" for line in broken)
    return f"{'every' if requirements > 1 else 'the'} requirement is met"


def _which(schedule: Schedule, request: int) -> str:
    if schedule.wave_size is None:
        return f"request {request + 1:>7}"
    wave, number = divmod(request, schedule.wave_size)
    return f"wave {wave + 1:>3}  request {number + 1:>4}"


def format_report(summary: Summary) -> str:
    """The whole report as text."""
    lines = [
        *([summary.client_limit, ""] if summary.client_limit else []),
        f"{summary.target}: {summary.description}",
        "",
        f"requests    {_count(summary)}",
        *(f"  {kind:<24} {count:>7,}" for kind, count in summary.failures_by_kind.items()),
        f"wall time   {summary.wall_s:.3f} s",
        f"throughput  {summary.throughput_rps:.1f} responses/s{_offered(summary)}, "
        f"{throughput_over(summary)}",
        f"in flight   {_requests(summary.peak_concurrency)} at most",
        f"connections {connections(summary)}",
        *([f"client      {client_use(summary.client)}"] if summary.client else []),
        "",
        f"{'ms':<9}{''.join(f'{name:>10}' for name in NAMES)}",
        f"{'latency':<9}{_cells(values(summary.latency_ms))}   from when the request was due",
        f"{'service':<9}{_cells(values(summary.service_ms))}   from when it was sent",
        f"{'lateness':<9}{_cells(values(summary.lateness_ms))}   delay of this client",
    ]
    if summary.failures and summary.answered:
        lines.append("latency and service cover answered requests only")
    if len(summary.parts) > 1:
        lines += ["", *_part_lines(summary.parts)]
    if summary.breakdown:
        lines += ["", *_breakdown_lines(summary.breakdown)]
    if summary.service:
        lines.append(service_line(summary.service))
    if summary.breakdown and not summary.client_limit:  # that one is the first line
        lines += ["", summary.breakdown.limit]
    return "\n".join(lines)


def throughput_over(summary: Summary) -> str:
    """Over which time throughput counts."""
    if not summary.throughput_s:
        return "as no request was answered"
    if summary.throughput_over == "span":
        return f"over the {summary.throughput_s:g} s in which requests were due"
    if summary.throughput_over == "time until the stop":
        return f"over the {summary.throughput_s:.3f} s until the stop"
    return f"over the {summary.throughput_s:.3f} s to the last response"


def connections(summary: Summary) -> str:
    """How the client uses connections."""
    return "a new one for each request" if summary.connections == "new" else "kept open"


def client_use(use: ClientUse) -> str:
    """What the load client itself took."""
    senders = f"{use.senders} sender{'s' if use.senders > 1 else ''}"
    return f"{senders}, {use.cpu_seconds:.2f} s of CPU, {use.peak_mb:.0f} MB"


def values(percentiles: Percentiles) -> list[float | None]:
    """In the order in which reports show them."""
    return [
        *(percentiles.min, percentiles.mean, percentiles.p50, percentiles.p90),
        *(percentiles.p95, percentiles.p99, percentiles.p99_9, percentiles.max),
    ]


def _count(summary: Summary) -> str:
    parts = [f"{summary.answered} answered", f"{summary.failures} failed"]
    if summary.stopped:
        parts.append(f"{summary.in_flight} still in flight when stopped")
        parts.append(f"{summary.planned - summary.requests} not sent")
    return f"{summary.requests}: {', '.join(parts)}"


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def _offered(summary: Summary) -> str:
    return "" if summary.offered_rps is None else f" ({summary.offered_rps:.1f}/s due)"


def _cells(numbers: Sequence[float | None]) -> str:
    return "".join(f"{'-' if number is None else f'{number:.1f}':>10}" for number in numbers)


def _part_lines(parts: Sequence[Part]) -> list[str]:
    name = "period, s" if parts[0].wave is None else "wave    due s"
    head = f"{name:>15}{'requests':>10}{'failed':>8}{'p50 ms':>10}{'p99 ms':>10}"
    lines = [f"{head}{'max ms':>10}{'late ms':>9}"]
    for part in parts:
        latency_ms = part.latency_ms
        cells = _cells([latency_ms.p50, latency_ms.p99, latency_ms.max])
        late = "-" if part.lateness_ms.max is None else f"{part.lateness_ms.max:.1f}"
        counts = f"{part_name(part):>15}{part.requests:>10,}{part.failures:>8,}"
        lines.append(f"{counts}{cells}{late:>9}")
    return lines


def part_name(part: Part) -> str:
    """The number and due time of a wave, or the limits of a period in seconds."""
    if part.wave is None:
        return f"{part.due_s:g} to {part.until_s:g}"
    return f"{part.wave + 1:>5}{part.due_s:>9.2f}"


def _breakdown_lines(breakdown: Breakdown) -> list[str]:
    lines = [f"{'ms':<11}{'median':>9}{'mean':>10}{'share':>8}"]
    for stage in breakdown.stages:
        figures = f"{stage.median_ms:>9.1f}{stage.mean_ms:>10.1f}{stage.share:>8.1%}"
        lines.append(f"{stage.name:<11}{figures}   {breakdown.note(stage)}")
    return lines


def service_line(view: ServiceView) -> str:
    """The service's own figures in one line."""
    means = (("queue", view.queue_ms), ("decode", view.decode_ms), ("infer", view.infer_ms))
    averages = [f"{name} {mean:.1f} ms" for name, mean in means if mean is not None]
    if view.cores is not None:
        averages.append(f"{view.cores:.1f} cores busy")
    counts = f"{_requests(view.requests)}, {view.rejected:,} rejected"
    on_average = f", {', '.join(averages)} on average" if averages else ""
    return f"/metrics of the service: {counts}{on_average}"
