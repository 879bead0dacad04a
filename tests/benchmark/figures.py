"""Figures in the format of the benchmark, with round numbers."""

from typing import Any, Final

ROUNDS: Final = 5


def load(requests_s: float, cpu_ms: float, p50_ms: float, p99_ms: float) -> dict[str, float]:
    return {
        "requests_s": requests_s,
        "cpu_ms": cpu_ms,
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "p99_of_p50": p99_ms / p50_ms,
        "cpu_of_baseline": cpu_ms / 10,
        "failed": 0,
    }


def server(title: str, factor: float) -> dict[str, Any]:
    """A server whose figures are `factor` times the baseline's, in each round."""
    found = server_round(factor)
    return {"title": title, **found, "rounds": [server_round(factor) for _ in range(ROUNDS)]}


def server_round(factor: float) -> dict[str, Any]:
    return {
        "at_2": load(200 / factor, 10 * factor, 10 * factor, 15 * factor),
        "at_8": load(200 / factor, 10 * factor, 40 * factor, 80 * factor),
        "peak_mb": 100 * factor,
        "processes": 1,
        "large_cpu_ms": 30 * factor,
        "large_peak_mb": 110 * factor,
    }


def baseline() -> dict[str, Any]:
    found = {
        "cpu_ms": 10,
        "images_s": 100,
        "busy_cpu_ms": 11,
        "busy_images_s": 200,
        "busy_p50_ms": 10,
        "busy_p99_ms": 14,
        "large_cpu_ms": 30,
    }
    return {"processes": 2, **found, "rounds": [dict(found) for _ in range(ROUNDS)]}


def start(title: str, ms: float, **more: Any) -> dict[str, Any]:
    found = {"ms": ms, "cpu_ms": ms - 100}
    return {"title": title, **found, "rounds": [dict(found) for _ in range(ROUNDS)], **more}


def figures() -> dict[str, Any]:
    parts = ("python", "imports", "read model", "session", "first run", "response")
    return {
        "date": "2026-01-31",
        "machine": {"cpu": "Testium (AVX2)", "cores": 2, "system": "Linux x86_64", "load": 0.1},
        "versions": {"python": "3.11.1"},
        "client": "wrk 4",
        "rounds": ROUNDS,
        "seconds": 3,
        "bursts": 3,
        "images": {"made_of_the_sample": True, "count": 5, "mean_bytes": 99_900},
        "baseline": baseline(),
        "servers": {"service": server("this service", 1.25), "naive": server("tutorial app", 4)},
        "start": {
            "baseline": start("baseline", 500),
            "handler": start("handler", 600, parts_ms=dict.fromkeys(parts, 100)),
            "naive": start("tutorial app", 1000),
        },
    }
