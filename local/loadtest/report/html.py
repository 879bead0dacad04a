"""The report as one self-contained HTML file, for phones, projectors and paper.

Its size depends on the number of waves or periods (at most fifty), not on that of requests.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from local.loadtest.parts import Part
from local.loadtest.report import plots, text
from local.loadtest.report.page import both_widths, fill
from local.loadtest.report.plot_data import Density, PlotData, plot_data
from local.loadtest.requirements import Figures, Requirement
from local.loadtest.run import Run
from local.loadtest.slowest import SlowRequest
from local.loadtest.stats import Summary

_DEFINITION: Final = (
    "Latency counts from when a request was due, service from when it was sent; both cover "
    "answered requests. Lateness is the delay of this client and covers every request that was "
    "due. p99: 99 % took at most this long (nearest rank); p50 is the median."
)


def write_html(
    run: Run,
    summary: Summary,
    path: Path,
    requirements: Sequence[Requirement] = (),
    figures: Figures | None = None,
) -> None:
    """Write the page. figures: those that the requirements are about. Raises `OSError`."""
    shown = plot_data(run)
    path.write_text(
        fill(
            "report.html",
            title=escape(summary.target),
            plan=escape(summary.description),
            start=_time(summary.start),
            banner=_banner(summary),
            lead=_lead(summary),
            requirements=_requirements(requirements, figures or {}),
            tiles=_tiles(summary),
            durations=_durations(summary),
            definition=_DEFINITION,
            failures=_failures(summary, shown),
            breakdown=_breakdown(summary),
            limit=_limit(summary),
            dots=_dots(summary, shown),
            latency=both_widths(
                "Latency of requests by due time",
                lambda width: plots.latency_plot(shown, summary.parts, width),
            ),
            distribution=both_widths(
                "Cumulative distribution of latency",
                lambda width: plots.distribution_plot(shown, width),
            ),
            concurrency=both_widths(
                "Requests in flight over time",
                lambda width: plots.concurrency_plot(shown, width),
            ),
            parts=_parts(summary.parts),
            slowest=_slowest(summary.slowest),
            setup=_setup(summary),
        ),
        encoding="utf-8",
    )


def _banner(summary: Summary) -> str:
    if not summary.client_limit:
        return ""
    return (
        f'<p class="banner" role="alert">{escape(summary.client_limit)} '
        "The figures below are not those of the service.</p>"
    )


def _lead(summary: Summary) -> str:
    latency = summary.latency_ms
    if latency.p50 is None or latency.p99 is None:
        return f"None of {summary.requests:,} requests was answered."
    if summary.answered == 1:
        return (
            f"1 of {summary.requests:,} requests was answered, within {_ms(latency.p50)}&nbsp;ms "
            "of its due time."
        )
    return (
        f"{summary.answered:,} of {summary.requests:,} requests were answered: half of them within "
        f"{_ms(latency.p50)}&nbsp;ms of their due time, 99&nbsp;% within "
        f"{_ms(latency.p99)}&nbsp;ms."
    )


def _requirements(requirements: Sequence[Requirement], figures: Figures) -> str:
    if not requirements:
        return ""
    rows = ""
    for requirement in requirements:
        mark, word = ("met", "met") if requirement.is_met(figures) else ("broken", "not met")
        line = escape(f"{requirement}: {requirement.measured(figures)}")
        rows += f'<li class="{mark}"><strong>{word}</strong> <span>{line}</span></li>'
    return f'<ul class="requirements" aria-label="Requirements">{rows}</ul>'


def _tiles(summary: Summary) -> str:
    tiles = [
        ("requests", f"{summary.requests:,}", ""),
        ("failed", f"{summary.failures:,}", "bad" if summary.failures else ""),
        ("responses/s", f"{summary.throughput_rps:,.1f}", ""),
        ("wall time, s", f"{summary.wall_s:,.2f}", ""),
        ("peak in flight", f"{summary.peak_concurrency:,}", ""),
    ]
    if summary.stopped:
        tiles.insert(2, ("in flight when stopped", f"{summary.in_flight:,}", "bad"))
        tiles.insert(3, ("not sent", f"{summary.planned - summary.requests:,}", "bad"))
    return "".join(
        f'<div><dt>{name}</dt><dd class="{mark}">{value}</dd></div>' for name, value, mark in tiles
    )


def _durations(summary: Summary) -> str:
    columns = (summary.latency_ms, summary.service_ms, summary.lateness_ms)
    rows = zip(text.NAMES, *map(text.values, columns), strict=True)
    return "".join(f"<tr><th>{name}</th>{_cells(cells)}</tr>" for name, *cells in rows)


def _failures(summary: Summary, shown: PlotData) -> str:
    if not summary.failures_by_kind:
        return ""
    rows = "".join(
        f'<tr><td class="text">{escape(kind)}</td><td>{count:,}</td></tr>'
        for kind, count in summary.failures_by_kind.items()
    )
    plot = ""
    if shown.failures:
        plot = both_widths("Failures over time", lambda width: plots.failures_plot(shown, width))
    return f"<section><h2>Failures</h2><table><tbody>{rows}</tbody></table>{plot}</section>"


def _dots(summary: Summary, shown: PlotData) -> str:
    """What the latency plot shows."""
    if isinstance(shown.answered, Density):
        return "The darker, the more requests."
    if len(summary.waves) > 1:
        return "Each dot is a request; a wave is a column of dots."
    return "Each dot is a request."


def _breakdown(summary: Summary) -> str:
    breakdown = summary.breakdown
    if breakdown is None:
        return ""
    rows = "".join(
        f"<tr><th>{stage.name}<small>{breakdown.note(stage)}</small></th>"
        f"{_cells([stage.median_ms, stage.mean_ms])}<td>{stage.share:.1%}</td>"
        f'<td class="bar"><span style="width:{stage.share:.1%}"></span></td></tr>'
        for stage in breakdown.stages
    )
    head = "<tr><th>ms</th><th>median</th><th>mean</th><th>share</th><th class='bar'></th></tr>"
    return (
        "<section><h2>Where the time goes</h2>"
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table></section>"
    )


def _limit(summary: Summary) -> str:
    """The service's own figures, and the limit."""
    view = f"<p>{escape(text.service_line(summary.service))}.</p>" if summary.service else ""
    if summary.breakdown is None or summary.client_limit:  # the banner says that
        return view
    limit = escape(summary.breakdown.limit)
    limit = limit.replace("--keep-alive", "<code>--keep-alive</code>")
    return f'{view}<p class="limit">{limit}</p>'


def _parts(parts: Sequence[Part]) -> str:
    if len(parts) <= 1:
        return ""
    wave = parts[0].wave is not None
    first = ["wave", "due"] if wave else ["from", "to"]
    names = [*first, "sent", "failed", "p50", "p99", "max", "late"]
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(f"<tr>{_part_cells(part)}</tr>" for part in parts)
    return (
        f'<section class="long"><h2>{"Waves" if wave else "Over time"}</h2>'
        "<p>Due times in s, durations in ms; late: the highest lateness.</p>"
        f'<table class="parts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        "</section>"
    )


def _part_cells(part: Part) -> str:
    if part.wave is None:
        name = f"<td>{part.due_s:g}</td><td>{part.until_s:g}</td>"
    else:
        name = f"<td>{part.wave + 1}</td><td>{part.due_s:g}</td>"
    latency = part.latency_ms
    durations = _cells([latency.p50, latency.p99, latency.max, part.lateness_ms.max])
    return f"{name}<td>{part.requests:,}</td><td>{part.failures:,}</td>{durations}"


def _slowest(slowest: Sequence[SlowRequest]) -> str:
    if len(slowest) <= 1:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("due", "latency", "queue", "infer", "id"))
    rows = "".join(
        f"<tr><td>{request.due_s:.2f}</td>"
        f"{_cells([request.latency_ms, request.queue_ms, request.infer_ms])}"
        f'<td class="text">{escape(request.id) or "–"}</td></tr>'  # noqa: RUF001
        for request in slowest
    )
    return (
        "<section><h2>Slowest responses</h2>"
        "<p>Due times in s, durations in ms; the id is that of the service's log.</p>"
        f'<table class="parts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        "</section>"
    )


def _setup(summary: Summary) -> str:
    rows = [
        ("start", _time(summary.start)),
        ("end", _time(summary.end)),
        ("throughput", text.throughput_over(summary)),
        ("connections", text.connections(summary)),
    ]
    if summary.client:
        rows.append(("client", text.client_use(summary.client)))
    if summary.command:
        rows.append(("command", summary.command))
    if summary.versions:
        versions = ", ".join(f"{name} {number}" for name, number in summary.versions.items())
        rows.append(("versions", versions))
    return "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows)


def _time(iso: str) -> str:
    """Such as 2027-01-15 08:00:00 UTC."""
    return f"{iso[:10]} {iso[11:19]} UTC"


def _cells(values: Sequence[float | None]) -> str:
    return "".join(f"<td>{_ms(value)}</td>" for value in values)


def _ms(value: float | None) -> str:
    """Tenths of milliseconds below a second."""
    if value is None:
        return "–"  # noqa: RUF001
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"
