"""Markdown tables of the figures, for the terminal and the documentation."""

from collections.abc import Mapping, Sequence
from typing import Any

from local.benchmark.coldstart import BASELINE, PARTS
from local.common.markdown import aligned_table

Figures = Mapping[str, Any]


def report(figures: Figures) -> str:
    """All tables that `figures` (as `python -m local.benchmark --json` writes them) allow, below a
    line with machine and date."""
    parts = [_headline(figures)]
    if "baseline" in figures:
        rows = figures["servers"].values()
        if any("at_2" in row for row in rows):
            parts.append(load_table(figures))
        if any("large_cpu_ms" in row for row in rows):
            parts.append(large_table(figures))
        unmeasured = [row for row in rows if "why" in row]
        parts += [f"{row['title']} was not measured: {row['why']}" for row in unmeasured]
    if "start" in figures:
        parts.append(start_table(figures["start"]))
    return "\n\n".join(parts) + "\n"


def load_table(figures: Figures) -> str:
    """Requests with images of ordinary size: rates and CPU at 8 connections, latencies also at 2.
    CPU is compared with the adjacent baseline on all CPUs. The baseline's latencies are those of
    its processes, each with one image at a time."""
    baseline, servers = figures["baseline"], figures["servers"]
    naive = servers.get("naive", {}).get("at_8", {}).get("requests_s")
    header = (
        f"images of {figures['images']['mean_bytes'] / 1000:.0f} kB",
        *("requests/s", "÷ tutorial", "CPU ms", "÷ baseline"),
        *("p50 / p99 ms at 2", "p99 ÷ p50", "p50 / p99 ms at 8", "peak MB", "failed"),
    )
    one = (
        "baseline, one process",
        _number(baseline["images_s"]),
        _ratio(baseline["images_s"], naive),
    )
    busy_images_s = baseline["busy_images_s"]
    busy = (baseline_title(baseline), _number(busy_images_s), _ratio(busy_images_s, naive))
    rows: list[Sequence[str]] = [
        (*one, f"{baseline['cpu_ms']:.2f}", _ratio(baseline["cpu_ms"], baseline["busy_cpu_ms"])),
        (
            *busy,
            f"{baseline['busy_cpu_ms']:.2f}",
            "1.00",
            latencies(baseline, "busy_"),
            _ratio(baseline["busy_p99_ms"], baseline["busy_p50_ms"]),
        ),
    ]
    for server in servers.values():
        if "at_8" not in server:
            continue
        two, eight = server["at_2"], server["at_8"]
        rows.append(
            (
                server_title(server),
                _number(eight["requests_s"]),
                _ratio(eight["requests_s"], naive),
                f"{eight['cpu_ms']:.2f}",
                f"{eight['cpu_of_baseline']:.2f}",
                latencies(two),
                f"{two['p99_of_p50']:.2f}",
                latencies(eight),
                f"{server['peak_mb']:.0f}",
                f"{two['failed'] + eight['failed']:.0f}",
            )
        )
    return aligned_table(header, rows)


def large_table(figures: Figures) -> str:
    """One 12-megapixel JPEG at a time."""
    baseline, servers = figures["baseline"], figures["servers"]
    naive = servers.get("naive", {}).get("large_cpu_ms")
    header = ("12-megapixel JPEG", "CPU ms", "÷ baseline", "÷ tutorial", "peak MB")
    base = baseline["large_cpu_ms"]
    rows: list[Sequence[str]] = [("baseline", _number(base), "1.00", _ratio(base, naive))]
    for server in servers.values():
        if "large_cpu_ms" in server:
            spent = server["large_cpu_ms"]
            ratios = (_ratio(spent, base), _ratio(spent, naive))
            rows.append(
                (server_title(server), _number(spent), *ratios, f"{server['large_peak_mb']:.0f}")
            )
    return aligned_table(header, rows)


def start_table(starts: Mapping[str, Figures]) -> str:
    """From the start of a process to its first response, by part."""
    if "why" in starts:
        return f"cold starts were not measured: {starts['why']}"
    naive, baseline = starts.get("naive", {}).get("ms"), starts[BASELINE]["ms"]
    header = ("cold start", "ms", "÷ baseline", "÷ tutorial", "CPU ms", *PARTS)
    rows = [
        (
            start["title"],
            f"{start['ms']:.0f}",
            _ratio(start["ms"], baseline),
            _ratio(start["ms"], naive),
            f"{start['cpu_ms']:.0f}",
            *(f"{start['parts_ms'][part]:.0f}" for part in PARTS if "parts_ms" in start),
        )
        for start in starts.values()
    ]
    return aligned_table(header, rows)


def _headline(figures: Figures) -> str:
    machine, versions = figures["machine"], figures["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{figures['date']}, {machine['cores']} cores of {machine['cpu']}, {machine['system']}; "
        f"{named}; client {figures['client']}; {sampling(figures)}"
    )


def sampling(figures: Figures) -> str:
    """How many loads the medians cover."""
    loads = figures["rounds"] * figures["bursts"]
    return f"medians of {loads} loads of {figures['seconds']} s in {figures['rounds']} rounds"


def baseline_title(baseline: Figures) -> str:
    """The title of the baseline on all CPUs."""
    return f"baseline, {baseline['processes']} processes"


def server_title(server: Figures) -> str:
    """A server with its version, unless it is the project's own."""
    return " ".join(part for part in (server["title"], server.get("version", "")) if part)


def latencies(figures: Figures, prefix: str = "") -> str:
    """p50 and p99 in milliseconds; `prefix` is that of their keys in `figures`."""
    return f"{figures[f'{prefix}p50_ms']:.1f} / {figures[f'{prefix}p99_ms']:.1f}"


def _number(value: float) -> str:
    return f"{value:.1f}"


def _ratio(value: float, base: float | None) -> str:
    return f"{value / base:.2f}" if base else ""
