"""Figures of an overload, as `python -m local.benchmark.overload --json` writes them."""

from typing import Any

from local.benchmark.overload.plan import IMPATIENT, PLAIN, POLITE

LIMITS = {"queue": 256, "threads": 2}


def group(clients: int, attempts: int = 0, good: int = 0) -> dict[str, Any]:
    return {
        "clients": clients,
        "attempts": attempts,
        "good": good,
        "success_p50_ms": 0.0,
        "success_p99_ms": 0.0,
    }


def crowd(connections: int, kind: str = PLAIN, **changed: Any) -> dict[str, Any]:
    """100 good responses per second, as many as the reference."""
    return {
        "connections": connections,
        "kind": kind,
        "window_s": 10.0,
        "rate": 100.0,
        "goodput": 100.0,
        "counts": {"200": 1000, "503": 200},
        "other": 0,
        "groups": {"hammering": group(connections, 1200, 1000), "polite": group(0)},
        "accepted_p50_ms": 1500.0,
        "accepted_p99_ms": 1790.0,
        "refused_p50_ms": 2000.0,
        "refused_p99_ms": 4000.0,
        "cores": {"server": 1.5, "client": 0.1, "idle": 0.4},
        "probes": {
            path: {"slowest_ms": 20.0, "ramp_slowest_ms": 90.0} for path in ("/healthz", "/metrics")
        },
        "probe_failures": [],
        "memory_growth_mb": 1.0,
        "memory_peak_mb": 200.0,
        "kb_a_connection": 10.0,
        "recovery_s": 0.1,
        "reference": 100.0,
        **changed,
    }


def round_of(*crowds: dict[str, Any], references: float = 100.0) -> dict[str, Any]:
    reference = crowd(64, rate=references, goodput=references)
    del reference["reference"]
    return {
        "unloaded_ms": 12.0,
        "reference": reference,
        "references": [references] * (1 + len(crowds)),
        "crowds": list(crowds),
    }


def open_loop(**changed: Any) -> dict[str, Any]:
    return {
        "offered": 500,
        "accepted": 100,
        "losses": {},
        "busy": 0.95,
        "p99_of_bound": 0.9,
        "probes": {},
        "memory_growth_mb": 2.0,
        "recovery": 1.1,
        **changed,
    }


def figures() -> dict[str, Any]:
    """Two repetitions of the service, and one of a server that fails in the second."""
    own = [
        round_of(
            crowd(512, goodput=goodput),
            crowd(1000, IMPATIENT, goodput=90.0),
            crowd(
                1000,
                POLITE,
                groups={"hammering": group(500, 1000, 300), "polite": group(500, 400, 320)},
            ),
        )
        for goodput in (98.0, 96.0)
    ]
    slow = crowd(512, goodput=20.0, reference=80.0, accepted_p99_ms=30_000.0)
    peer = [round_of(slow, references=80.0)]
    return {
        "date": "2026-01-02",
        "machine": {"cpu": "CPU", "cores": 2, "system": "Linux x86_64", "load": 0.1},
        "image_bytes": 96_000,
        "repeat": 2,
        "seconds": 10,
        "servers": {
            "service": {"title": "this service", "limits": LIMITS, "rounds": own},
            "litserve": {"title": "LitServe 1.0", "rounds": peer, "why": "it ended"},
            "bentoml": {"title": "BentoML 2.0", "rounds": [], "why": "not installed"},
        },
        "open_loops": [open_loop(), open_loop()],
    }
