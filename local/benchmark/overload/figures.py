"""The figures of a repetition that have a target."""

import math
from collections.abc import Mapping
from typing import Any, Final

from local.benchmark.overload.bounds import full_queue_seconds
from local.benchmark.overload.plan import IMPATIENT, OVERLOADED, PLAIN, POLITE, REFERENCE, Effort
from local.common.verdict import Figures, Threshold

GOODPUT: Final = {
    connections: f"goodput at {connections:,} connections / at {REFERENCE}"
    for connections in OVERLOADED
}
TAIL: Final = "p99 of accepted / wait and full queue"
GROWTH: Final = "memory growth within a crowd"
CONNECTION: Final = "memory per connection"
HEALTH: Final = "slowest /healthz"
METRICS: Final = "slowest /metrics"
OTHER: Final = "responses but 200 and 503, and lost requests"
RECOVERY: Final = "normal latency after the crowd"
POLITE_ATTEMPTS: Final = "successes per attempt, polite / others"
POLITE_TIME: Final = "time to a success, polite / others"
IMPATIENT_GOODPUT: Final = f"goodput of impatient clients / at {REFERENCE}"
LOST: Final = "open loop: requests lost"
OFFERED: Final = "open loop: offered / accepted requests"
BUSY: Final = "open loop: busy time of the thread / time"
OPEN_TAIL: Final = "open loop: p99 of accepted / wait and full queue"
OPEN_GROWTH: Final = "open loop: memory growth"
OPEN_RECOVERY: Final = "open loop: a request afterwards / before"

TARGETS: Final = (
    *(Threshold(name, 0.95, at_least=True) for name in GOODPUT.values()),
    Threshold(TAIL, 1),
    Threshold(GROWTH, 16, "MB"),
    # uvicorn reads 64 KiB of a body before it stops (flow_control.py, HIGH_WATER_LIMIT)
    Threshold(CONNECTION, 64, "kB"),
    Threshold(HEALTH, 100, "ms"),
    Threshold(METRICS, 100, "ms"),
    Threshold(OTHER, 0, every=True),
    Threshold(RECOVERY, 1, "s"),
    # With some 600 successes of each, chance alone varies the ratios by 6 %.
    Threshold(POLITE_ATTEMPTS, 0.94, at_least=True),
    Threshold(POLITE_TIME, 1.1),
    # These clients open some 450 connections per second, a third of the work of two cores.
    Threshold(IMPATIENT_GOODPUT, 0.5, at_least=True),
    Threshold(LOST, 0, every=True),
    Threshold(OFFERED, 2, at_least=True),
    Threshold(BUSY, 0.8, at_least=True),
    Threshold(OPEN_TAIL, 1.2),
    Threshold(OPEN_GROWTH, 16, "MB"),
    Threshold(OPEN_RECOVERY, 1.5),
)

Round = Mapping[str, Any]
"""As `rounds.measure_round` describes it"""


def targets_of(effort: Effort) -> list[Threshold]:
    """The targets of the figures that a repetition with `effort` has."""
    kinds = {crowd.kind for crowd in effort.crowds}
    connections = {crowd.connections for crowd in effort.crowds if crowd.kind == PLAIN}
    left_out = {name for number, name in GOODPUT.items() if number not in connections}
    if POLITE not in kinds:
        left_out |= {POLITE_ATTEMPTS, POLITE_TIME}
    if IMPATIENT not in kinds:
        left_out.add(IMPATIENT_GOODPUT)
    return [target for target in TARGETS if target.name not in left_out]


def figures_of(
    measured: Round, limits: Mapping[str, int], open_loop: Mapping[str, Any]
) -> dict[str, float]:
    """The figures of one repetition, by name. `limits`: queue and threads of the service."""
    crowds = measured["crowds"]
    found: dict[str, float] = {
        GROWTH: max(crowd["memory_growth_mb"] for crowd in crowds),
        CONNECTION: max(crowds, key=lambda crowd: crowd["connections"])["kb_a_connection"],
        HEALTH: _slowest(crowds, "/healthz"),
        METRICS: _slowest(crowds, "/metrics"),
        OTHER: sum(crowd["other"] + len(crowd["probe_failures"]) for crowd in crowds),
        RECOVERY: max(_or_infinite(crowd["recovery_s"]) for crowd in crowds),
    }
    tails = []
    for crowd in crowds:
        ratio = crowd["goodput"] / crowd["reference"]
        if crowd["kind"] == IMPATIENT:
            found[IMPATIENT_GOODPUT] = ratio
        elif crowd["kind"] == POLITE:
            found |= _polite_figures(crowd)
        elif crowd["kind"] == PLAIN and crowd["connections"] in GOODPUT:
            found[GOODPUT[crowd["connections"]]] = ratio
            tails.append(tail(crowd, limits))
    found[TAIL] = max(tails, default=math.inf)
    return {**found, **_open_figures(open_loop)}


def tail(crowd: Mapping[str, Any], limits: Mapping[str, int]) -> float:
    """p99 of the accepted requests, divided by the time that they may take."""
    bound = full_queue_seconds(limits["queue"], limits["threads"], crowd["rate"])
    return float(crowd["accepted_p99_ms"] / 1000 / bound) if crowd["rate"] else math.inf


def _polite_figures(crowd: Mapping[str, Any]) -> Figures:
    polite, others = crowd["groups"]["polite"], crowd["groups"]["hammering"]
    return {
        POLITE_ATTEMPTS: _divide(_good(polite, "attempts"), _good(others, "attempts")),
        # The inverse of the successes per client: clients without a success count, too.
        POLITE_TIME: _divide(_good(others, "clients"), _good(polite, "clients")),
    }


def _good(group: Mapping[str, int], unit: str) -> float:
    return group["good"] / max(group[unit], 1)


def _divide(value: float, by: float) -> float:
    return value / by if by else math.inf


def _open_figures(found: Mapping[str, Any]) -> Figures:
    return {
        LOST: sum(found["losses"].values()),
        OFFERED: found["offered"] / max(found["accepted"], 1),
        BUSY: found["busy"],
        OPEN_TAIL: _or_infinite(found["p99_of_bound"]),
        OPEN_GROWTH: found["memory_growth_mb"],
        OPEN_RECOVERY: found["recovery"],
    }


def _slowest(crowds: list[Mapping[str, Any]], path: str) -> float:
    """Among the steady crowds: impatient clients give up, and connect again, all at once."""
    steady = (crowd["probes"][path] for crowd in crowds if crowd["kind"] != IMPATIENT)
    return max((float(probe["slowest_ms"]) for probe in steady), default=0.0)


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value
