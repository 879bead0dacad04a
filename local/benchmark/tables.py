"""Figures -> Markdown, for the terminal and for the README."""

from collections.abc import Mapping, Sequence
from typing import Any

from local.benchmark.coldstart import FLOOR, PARTS

Figures = Mapping[str, Any]


def report(figures: Figures) -> str:
    """All tables that `figures`, as `python -m local.benchmark --json` writes them, are enough
    for, under a line that says where and when they were measured."""
    parts = [_headline(figures)]
    if "floor" in figures:
        rows = figures["servers"].values()
        if any("at_2" in each for each in rows):
            parts.append(load_table(figures))
        if any("large_cpu_ms" in each for each in rows):
            parts.append(large_table(figures))
        unmeasured = [each for each in rows if "why" in each]
        parts += [f"{each['title']} was not measured: {each['why']}" for each in unmeasured]
    if "start" in figures:
        parts.append(start_table(figures["start"]))
    return "\n\n".join(parts) + "\n"


def load_table(figures: Figures) -> str:
    """Requests with images of ordinary size: rates and CPU at 8 connections, latencies at 2, too.
    CPU is compared with that of the floor on all cores right beside. The floor's latencies are
    those of its processes, of which each has one image at a time."""
    floor, servers = figures["floor"], figures["servers"]
    naive = servers.get("naive", {}).get("at_8", {}).get("requests_s")
    header = (
        f"images of {figures['images']['mean_bytes'] / 1000:.0f} kB",
        *("requests/s", "÷ tutorial", "CPU ms", "÷ floor"),
        *("p50 / p99 ms at 2", "p99 ÷ p50", "p50 / p99 ms at 8", "peak MB", "failed"),
    )
    one = ("floor, one process", _number(floor["images_s"]), _ratio(floor["images_s"], naive))
    busy_images_s = floor["busy_images_s"]
    busy = (floor_title(floor), _number(busy_images_s), _ratio(busy_images_s, naive))
    rows: list[Sequence[str]] = [
        (*one, f"{floor['cpu_ms']:.2f}", _ratio(floor["cpu_ms"], floor["busy_cpu_ms"])),
        (
            *busy,
            f"{floor['busy_cpu_ms']:.2f}",
            "1.00",
            latencies(floor, "busy_"),
            _ratio(floor["busy_p99_ms"], floor["busy_p50_ms"]),
        ),
    ]
    for each in servers.values():
        if "at_8" not in each:
            continue
        two, eight = each["at_2"], each["at_8"]
        rows.append(
            (
                titled(each),
                _number(eight["requests_s"]),
                _ratio(eight["requests_s"], naive),
                f"{eight['cpu_ms']:.2f}",
                f"{eight['cpu_of_floor']:.2f}",
                latencies(two),
                f"{two['p99_of_p50']:.2f}",
                latencies(eight),
                f"{each['peak_mb']:.0f}",
                f"{two['failed'] + eight['failed']:.0f}",
            )
        )
    return markdown(header, rows)


def large_table(figures: Figures) -> str:
    """One 12-megapixel JPEG after another."""
    floor, servers = figures["floor"], figures["servers"]
    naive = servers.get("naive", {}).get("large_cpu_ms")
    header = ("12-megapixel JPEG", "CPU ms", "÷ floor", "÷ tutorial", "peak MB")
    base = floor["large_cpu_ms"]
    rows: list[Sequence[str]] = [("floor", _number(base), "1.00", _ratio(base, naive))]
    for each in servers.values():
        if "large_cpu_ms" in each:
            spent = each["large_cpu_ms"]
            ratios = (_ratio(spent, base), _ratio(spent, naive))
            rows.append((titled(each), _number(spent), *ratios, f"{each['large_peak_mb']:.0f}"))
    return markdown(header, rows)


def start_table(starts: Mapping[str, Figures]) -> str:
    """From the start of a process to its first answer, and the parts of that."""
    if "why" in starts:
        return f"cold starts were not measured: {starts['why']}"
    naive, floor = starts.get("naive", {}).get("ms"), starts[FLOOR]["ms"]
    header = ("cold start", "ms", "÷ floor", "÷ tutorial", "CPU ms", *PARTS)
    rows = [
        (
            each["title"],
            f"{each['ms']:.0f}",
            _ratio(each["ms"], floor),
            _ratio(each["ms"], naive),
            f"{each['cpu_ms']:.0f}",
            *(f"{each['parts_ms'][part]:.0f}" for part in PARTS if "parts_ms" in each),
        )
        for each in starts.values()
    ]
    return markdown(header, rows)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are aligned in plain text, too; short rows are filled up."""
    filled = [[*row, *[""] * (len(header) - len(row))] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*filled, strict=True)]

    def line(cells: Sequence[str]) -> str:
        numbers = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "| " + " | ".join([cells[0].ljust(widths[0]), *numbers]) + " |"

    rule = line(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join([line(filled[0]), rule, *map(line, filled[1:])])


def _headline(figures: Figures) -> str:
    machine, versions = figures["machine"], figures["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{figures['date']}, {machine['cores']} cores of {machine['cpu']}, {machine['system']}; "
        f"{named}; client {figures['client']}; {medians_of(figures)}"
    )


def medians_of(figures: Figures) -> str:
    """Of how many loads the figures are medians."""
    loads = figures["rounds"] * figures["bursts"]
    return f"medians of {loads} loads of {figures['seconds']} s in {figures['rounds']} rounds"


def floor_title(floor: Figures) -> str:
    """The floor on all cores, in its row."""
    return f"floor, {floor['processes']} processes"


def titled(server: Figures) -> str:
    """A server with its version, where that is not the project's own."""
    return " ".join(part for part in (server["title"], server.get("version", "")) if part)


def latencies(figures: Figures, prefix: str = "") -> str:
    """p50 and p99 in milliseconds; `prefix` is that of their names in `figures`."""
    return f"{figures[f'{prefix}p50_ms']:.1f} / {figures[f'{prefix}p99_ms']:.1f}"


def _number(value: float) -> str:
    return f"{value:.1f}"


def _ratio(value: float, base: float | None) -> str:
    return f"{value / base:.2f}" if base else ""
