"""The slowest answers of a run: with their ids, they can be found in the log of the service."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from local.loadtest.run import Run, latency

MOST: Final = 10


@dataclass(frozen=True)
class SlowRequest:
    """An answered request. Durations in milliseconds; None where the response does not say."""

    request: int
    """Its index in the plan."""
    due_s: float
    latency_ms: float
    queue_ms: float | None
    decode_ms: float | None
    infer_ms: float | None
    id: str
    """The response's X-Request-ID; empty without one."""


def slowest_answers(run: Run) -> list[SlowRequest]:
    """The slowest first, at most ten."""
    taken = np.where(run.records["failure"] == 0, latency(run.records), -np.inf)
    few = np.argpartition(taken, -MOST)[-MOST:] if len(taken) > MOST else np.arange(len(taken))
    ordered = few[np.argsort(-taken[few], kind="stable")]
    return [_slow(run.records[index]) for index in ordered if taken[index] > -np.inf]


def _slow(record: Any) -> SlowRequest:
    def stage(name: str) -> float | None:
        value = float(record[name])
        return round(value, 3) if math.isfinite(value) else None

    return SlowRequest(
        request=int(record["request"]),
        due_s=round(float(record["due"]), 6),
        latency_ms=round(float(record["ended"] - record["due"]) * 1000, 3),
        queue_ms=stage("queue"),
        decode_ms=stage("decode"),
        infer_ms=stage("infer"),
        id=bytes(record["id"]).decode("latin-1"),
    )
