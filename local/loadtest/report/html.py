"""The report as one self-contained HTML file."""

import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from local.loadtest.parts import Part
from local.loadtest.report import plots, text
from local.loadtest.run import Run
from local.loadtest.stats import Summary

_TEMPLATE: Final = Path(__file__).parent / "report.html"
_DEFINITION: Final = (
    "p99: 99 % of the answered requests took at most this long (nearest rank); p50 is the "
    "median. Lateness covers every request that was due."
)


def write_html(run: Run, summary: Summary, path: Path) -> None:
    page = Template(_TEMPLATE.read_text(encoding="utf-8"))
    path.write_text(
        page.substitute(
            title=escape(summary.target),
            plan=escape(summary.description),
            written=time.strftime("%Y-%m-%d %H:%M"),
            lead=_lead(summary),
            tiles=_tiles(summary),
            durations=_durations(summary),
            definition=_DEFINITION,
            failures=_failures(summary),
            latency=plots.latency_plot(run, summary),
            dots=_dots(summary),
            distribution=plots.distribution_plot(run),
            concurrency=plots.concurrency_plot(run),
            waves=_parts(summary.parts),
        ),
        encoding="utf-8",
    )


def _lead(summary: Summary) -> str:
    latency = summary.latency_ms
    if latency.p50 is None or latency.p99 is None:
        return f"None of {summary.requests} requests was answered."
    return (
        f"{summary.answered} of {summary.requests} requests were answered: half of them within "
        f"{latency.p50:.0f}&nbsp;ms of their due time, 99&nbsp;% within "
        f"{latency.p99:.0f}&nbsp;ms."
    )


def _dots(summary: Summary) -> str:
    if len(summary.parts) > 1:
        return "Each dot is a request; a wave is a column of dots."
    return "Each dot is a request of the wave."


def _tiles(summary: Summary) -> str:
    tiles = [
        ("requests", f"{summary.requests}", ""),
        ("failed", f"{summary.failures}", "bad" if summary.failures else ""),
        ("responses/s", f"{summary.throughput_rps:.1f}", ""),
        ("wall time, s", f"{summary.wall_s:.2f}", ""),
        ("peak in flight", f"{summary.peak_concurrency}", ""),
    ]
    if summary.stopped:
        tiles.insert(2, ("in flight when stopped", f"{summary.in_flight}", "bad"))
        tiles.insert(3, ("not sent", f"{summary.planned - summary.requests}", "bad"))
    return "".join(
        f'<div><dt>{name}</dt><dd class="{mark}">{value}</dd></div>' for name, value, mark in tiles
    )


def _durations(summary: Summary) -> str:
    rows = [
        ("latency", summary.latency_ms, "from when the request was due"),
        ("service", summary.service_ms, "from when it was sent"),
        ("lateness", summary.lateness_ms, "delay of this client"),
    ]
    return "".join(
        f'<tr><td>{name}</td>{_cells(text.values(percentiles))}<td class="note">{note}</td></tr>'
        for name, percentiles, note in rows
    )


def _failures(summary: Summary) -> str:
    if not summary.failures_by_kind:
        return ""
    rows = "".join(
        f"<tr><td>{escape(kind)}</td><td>{count}</td></tr>"
        for kind, count in summary.failures_by_kind.items()
    )
    return f'<section><h2>Failures</h2><div class="table"><table>{rows}</table></div></section>'


def _parts(parts: Sequence[Part]) -> str:
    if len(parts) <= 1:
        return ""
    wave = parts[0].wave is not None
    first = ["wave", "due, s"] if wave else ["from, s", "to, s"]
    names = [*first, "requests", "failed", "p50, ms", "p99, ms", "max, ms", "late, ms"]
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(f"<tr>{_part_cells(part)}</tr>" for part in parts)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<h2>{"Waves" if wave else "Over time"}</h2><div class="table">{table}</div>'


def _part_cells(part: Part) -> str:
    if part.wave is None:
        name = f"<td>{part.due_s:g}</td><td>{part.until_s:g}</td>"
    else:
        name = f"<td>{part.wave + 1}</td><td>{part.due_s:.2f}</td>"
    latency = part.latency_ms
    durations = _cells([latency.p50, latency.p99, latency.max, part.lateness_ms.max])
    return f"{name}<td>{part.requests:,}</td><td>{part.failures:,}</td>{durations}"


def _cells(values: Sequence[float | None]) -> str:
    return "".join(f"<td>{'–' if value is None else f'{value:.1f}'}</td>" for value in values)  # noqa: RUF001
