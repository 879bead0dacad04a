"""Measured speed of the service, compared with other servers, and of the container image."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.benchmark.tables import baseline_title, latencies, report, sampling, server_title
from local.common.markdown import table
from local.common.paths import ROOT

Figures = Mapping[str, Any]

MEASURED: Final = ROOT / "docs" / "measured"
"""Written by `make measure`"""


def benchmark() -> Figures:
    return read("benchmark.json")


def container() -> Figures:
    return read("lambda.json")


def models() -> Figures:
    return read("models.json")


def read(name: str) -> Figures:
    """The figures in a file of `MEASURED`."""
    figures: Figures = json.loads((MEASURED / name).read_text("utf-8"))
    return figures


def speed_table() -> str:
    """A short comparison of the service with the baseline and the tutorial app."""
    figures = benchmark()
    kilobytes = figures["images"]["mean_bytes"] / 1000
    header = (
        f"JPEGs of {kilobytes:.0f} kB",
        *(
            "requests/s",
            "CPU ms per request",
            "÷ baseline",
            "p50 / p99 ms, 2 connections",
            "peak MB",
        ),
    )
    made = f"{where(figures)}; {sampling(figures)}."
    return f"{table(header, _speed_rows(figures), numbers_from=1)}\n\n{made}"


def _speed_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    baseline = figures["baseline"]
    yield (
        baseline_title(baseline),
        f"{baseline['busy_images_s']:.0f}",
        f"{baseline['busy_cpu_ms']:.2f}",
        "1.00",
        latencies(baseline, "busy_"),
        "",
    )
    for server in figures["servers"].values():
        if "at_8" not in server:
            continue
        two, eight = server["at_2"], server["at_8"]
        yield (
            server_title(server),
            f"{eight['requests_s']:.0f}",
            f"{eight['cpu_ms']:.2f}",
            f"{eight['cpu_of_baseline']:.2f}",
            latencies(two),
            f"{server['peak_mb']:.0f}",
        )


def benchmark_report() -> str:
    """All tables of the benchmark, below a line with machine and date."""
    headline, _, tables = report(benchmark()).strip().partition("\n\n")
    return f"{headline}.\n\n{tables}"


def cold_start_table() -> str:
    """The container by memory size."""
    figures = container()
    parts = list(figures["sizes"][0]["parts_ms"])
    header = ("memory MB", "cold start ms", *(f"of it {parts[0]}", *parts[1:]), "warm ms")
    rows = (
        (
            str(size["memory_mb"]),
            f"{size['cold_ms']:.0f}",
            *(f"{size['parts_ms'][part]:.0f}" for part in parts),
            f"{size['warm_ms']:.1f}",
            f"{size['peak_mb']:.0f}",
        )
        for size in figures["sizes"]
    )
    text = table((*header, "peak memory MB"), rows, numbers_from=0)
    return f"{text}\n\n{where(figures)}. {_size(figures)}"


def _size(figures: Figures) -> str:
    largest = ", ".join(f"{name} {size:.0f}" for name, size in figures["packages_mb"].items())
    return f"The image adds {figures['added_mb']:.0f} MB to the base; the largest parts: {largest}."


def where(figures: Figures) -> str:
    """Date and machine of a measurement."""
    machine = figures["machine"]
    return f"Measured on {figures['date']}, {machine['cores']} cores of {machine['cpu']}"
