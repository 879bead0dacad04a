"""Where the time of the answered requests went, and which part of it was the limit.

The client measures its own delay, the connection and the sending; the service's Server-Timing has
the queue, decoding and inference. What is left of the latency is the network, the parsing of the
request, and the response.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from local.loadtest.run import Run, latency, lateness
from local.loadtest.schedule import Seconds

LATENESS: Final = "lateness"
CONNECTING: Final = "connecting"
SENDING: Final = "sending"
QUEUE: Final = "queue"
DECODE: Final = "decode"
INFER: Final = "infer"
REST: Final = "rest"

NOTES: Final = {
    LATENESS: "delay of this client",
    CONNECTING: "TCP, and TLS",
    SENDING: "until the request was written",
    QUEUE: "waiting in the service",
    DECODE: "the image",
    INFER: "the model",
    REST: "network, parsing, response",
}
"""What each stage is; the order is that of time."""

_MOST_REJECTED: Final = 0.01
"""Above this share of requests with status 503, the queue is the limit, however fast the answers
are."""

_LIMITS: Final = {
    LATENESS: "The client is the limit: {part}. Use less load, more cores, or several machines.",
    CONNECTING: "Connecting is the limit: {part}. Keep connections open (--keep-alive), or move "
    "the client nearer to the service.",
    SENDING: "The network is the limit: sending takes {part}. Send smaller images, or move the "
    "client nearer to the service.",
    QUEUE: "The queue of the service is the limit: {part}. Send less, give the service more "
    "cores or instances, or use a smaller model.",
    DECODE: "Decoding is the limit: {part}. Send smaller images, or give the service faster cores.",
    INFER: "Inference is the limit: {part}. Use a smaller model, or faster cores.",
    REST: "The network and the server's other work are the limit: {part}. Move the client nearer "
    "to the service, or keep connections open (--keep-alive).",
}


@dataclass(frozen=True)
class Stage:
    """A part of the latency of answered requests."""

    name: str
    median_ms: float
    mean_ms: float
    share: float
    """Of the sum of all latencies, 0 to 1."""


@dataclass(frozen=True)
class Breakdown:
    """The stages of answered requests. Stages that nothing measured are part of the rest."""

    stages: list[Stage]
    limit: str
    """A sentence: which stage is the limit, and what to change."""


def break_down(
    run: Run, failures_by_kind: Mapping[str, int], client_limit: str | None
) -> Breakdown | None:
    """The breakdown of a run; None without answered requests. `client_limit` decides the limit if
    it is not None."""
    answered = run.records["failure"] == 0
    if not answered.any():
        return None
    total = latency(run.records)[answered]
    stages = [
        Stage(
            name,
            round(float(np.median(seconds)) * 1000, 3),
            round(float(seconds.mean()) * 1000, 3),
            round(float(seconds.sum() / total.sum()), 4) if total.sum() > 0 else 0.0,
        )
        for name, seconds in _stages(run.records, answered, total).items()
    ]
    mean_ms = float(total.mean()) * 1000
    return Breakdown(
        stages, client_limit or _limit(stages, mean_ms, len(run.records), failures_by_kind)
    )


def _stages(records: Any, answered: Any, total: Seconds) -> dict[str, Seconds]:
    """Seconds of each answered request in each stage that was measured, in order of time."""

    def column(name: str) -> Seconds:
        values: Seconds = records[name][answered].astype(np.float64)
        return values

    measured = {LATENESS: lateness(records)[answered]}
    started, connected, sent = column("started"), column("connected"), column("sent")
    measured[CONNECTING] = connected - started
    # A request over an open connection is sent from its start.
    measured[SENDING] = sent - np.where(np.isfinite(connected), connected, started)
    for name in (QUEUE, DECODE, INFER):
        measured[name] = column(name) / 1000
    stages = {
        name: np.nan_to_num(seconds)
        for name, seconds in measured.items()
        if np.isfinite(seconds).any()
    }
    rest = total - sum(stages.values())
    if SENDING in stages:
        # The service's queue begins before the body is sent completely, because a full service
        # leaves it unread: that time counts as queue.
        overlap = np.minimum(np.maximum(-rest, 0), stages[SENDING])
        stages[SENDING] -= overlap
        rest += overlap
    return {**stages, REST: np.maximum(rest, 0)}


def _limit(
    stages: list[Stage], mean_ms: float, requests: int, failures_by_kind: Mapping[str, int]
) -> str:
    rejected = sum(
        count for kind, count in failures_by_kind.items() if kind.startswith("status 503")
    )
    if rejected > _MOST_REJECTED * requests:
        part = f"{rejected:,} of {requests:,} requests were rejected (status 503)"
        return _LIMITS[QUEUE].format(part=part)
    longest = max(stages, key=lambda stage: stage.share)
    part = f"{longest.mean_ms:.1f} ms of {mean_ms:.1f} ms on average"
    return _LIMITS[longest.name].format(part=part)
