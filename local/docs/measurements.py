"""Measured speed: of the service beside others, and of the container image."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.benchmark.tables import floor_title, latencies, medians_of, report, titled
from local.common.markdown import table
from local.common.paths import ROOT

Figures = Mapping[str, Any]

MEASURED: Final = ROOT / "docs" / "measured"
"""What `make measure` has written: benchmark.json and lambda.json."""


def benchmark() -> Figures:
    return _read("benchmark.json")


def container() -> Figures:
    return _read("lambda.json")


def _read(name: str) -> Figures:
    figures: Figures = json.loads((MEASURED / name).read_text("utf-8"))
    return figures


def speed_table() -> str:
    """The service beside its floor and the tutorial app, in short."""
    figures = benchmark()
    kilobytes = figures["images"]["mean_bytes"] / 1000
    header = (
        f"JPEGs of {kilobytes:.0f} kB",
        *("requests/s", "CPU ms a request", "÷ floor", "p50 / p99 ms, 2 connections", "peak MB"),
    )
    made = f"{_where(figures)}; {medians_of(figures)}."
    return f"{table(header, _speed_rows(figures), numbers_from=1)}\n\n{made}"


def _speed_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    floor = figures["floor"]
    yield (
        floor_title(floor),
        f"{floor['busy_images_s']:.0f}",
        f"{floor['busy_cpu_ms']:.2f}",
        "1.00",
        latencies(floor, "busy_"),
        "",
    )
    for each in figures["servers"].values():
        if "at_8" not in each:
            continue
        two, eight = each["at_2"], each["at_8"]
        yield (
            titled(each),
            f"{eight['requests_s']:.0f}",
            f"{eight['cpu_ms']:.2f}",
            f"{eight['cpu_of_floor']:.2f}",
            latencies(two),
            f"{each['peak_mb']:.0f}",
        )


def benchmark_report() -> str:
    """All tables of the benchmark, under a line that says where and when."""
    headline, _, tables = report(benchmark()).strip().partition("\n\n")
    return f"{headline}.\n\n{tables}"


def cold_start_table() -> str:
    """The container by memory size."""
    figures = container()
    parts = list(figures["sizes"][0]["parts_ms"])
    header = ("memory MB", "cold start ms", *(f"of it {parts[0]}", *parts[1:]), "warm ms")
    rows = (
        (
            str(each["memory_mb"]),
            f"{each['cold_ms']:.0f}",
            *(f"{each['parts_ms'][part]:.0f}" for part in parts),
            f"{each['warm_ms']:.1f}",
            f"{each['peak_mb']:.0f}",
        )
        for each in figures["sizes"]
    )
    text = table((*header, "peak memory MB"), rows, numbers_from=0)
    return f"{text}\n\n{_where(figures)}. {_size(figures)}"


def _size(figures: Figures) -> str:
    largest = ", ".join(f"{name} {size:.0f}" for name, size in figures["packages_mb"].items())
    return f"The image adds {figures['added_mb']:.0f} MB to the base; the largest parts: {largest}."


def _where(figures: Figures) -> str:
    machine = figures["machine"]
    return f"Measured on {figures['date']}, {machine['cores']} cores of {machine['cpu']}"
