"""Where the time of the answered requests went, and which part of it was the limit.

The client measures its own delay, the connection and the sending; the service's Server-Timing has
the queue, decoding and inference. What is left of the latency is the network, the parsing of the
request, and the response.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from local.loadtest.run import Records, Run, latency, lateness
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

_REST_OF_ALL: Final = "network, and the service"
"""What the rest is without Server-Timing."""

_SERVED: Final = (QUEUE, DECODE, INFER)
"""The stages in Server-Timing."""

_ROUNDING: Final = 0.001
"""Seconds by which the stages in Server-Timing may exceed the time of their request."""

_MOST_REJECTED: Final = 0.01
"""Above this share of requests with status 503, the queue is the limit, however fast the answers
are."""

_LIMITS: Final = {
    LATENESS: "The client is the limit: {part}. Send less, end other programs, or use more cores "
    "or machines.",
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

_LIMITS_IF_KEPT: Final = {
    CONNECTING: "Connecting is the limit: {part}. Let the service keep connections open, or move "
    "the client nearer to it.",
    REST: "The network and the server's other work are the limit: {part}. Move the client nearer "
    "to the service.",
}
"""With --keep-alive."""

_UNKNOWN: Final = (
    "The service or the network is the limit: {part}. No Server-Timing (queue, decode, infer) in "
    "the responses tells them apart: see the log or the metrics of the service."
)


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

    def note(self, stage: Stage) -> str:
        """What the stage is."""
        if stage.name == REST and not _has_served(self.stages):
            return _REST_OF_ALL
        return NOTES[stage.name]


def break_down(
    run: Run, failures_by_kind: Mapping[str, int], client_limit: str | None
) -> Breakdown | None:
    """The breakdown of a run; None without answered requests. `client_limit` decides the limit if
    it is not None."""
    answered = run.records["failure"] == 0
    if not answered.any():
        return None
    total = latency(run.records)[answered]
    stages = list(_stages(run.records, answered, total))
    mean_ms = float(total.mean()) * 1000
    return Breakdown(stages, client_limit or _limit(run, stages, mean_ms, failures_by_kind))


def _stages(records: Records, answered: NDArray[np.bool_], total: Seconds) -> Iterator[Stage]:
    """The stages that were measured, in order of time. One after the other, as each is 8 MB of a
    million requests."""

    def column(name: str) -> Seconds:
        values: Seconds = records[name][answered].astype(np.float64)
        return values

    def stage(name: str, seconds: Seconds) -> Stage:
        median, mean, whole = np.median(seconds), seconds.mean(), total.sum()
        share = float(seconds.sum() / whole) if whole > 0 else 0.0
        return Stage(
            name, round(float(median) * 1000, 3), round(float(mean) * 1000, 3), round(share, 4)
        )

    rest = total - lateness(records)[answered]
    yield stage(LATENESS, total - rest)
    opened = column("connected")
    is_new = np.isfinite(opened)
    if is_new.any():
        connecting = np.where(is_new, opened - column("started"), 0.0)
        rest -= connecting
        yield stage(CONNECTING, connecting)
        del connecting
    # A request over an open connection is sent from its start.
    opened[~is_new] = column("started")[~is_new]
    sending = column("sent") - opened
    del opened
    was_sent = bool(np.isfinite(sending).any())
    sending = np.nan_to_num(sending, copy=False)
    rest -= sending
    # A service whose Server-Timing exceeds the time of the request measures something else.
    stated = sum(np.nan_to_num(column(name), copy=False) for name in _SERVED) / 1000
    is_wrong = stated > rest + sending + _ROUNDING
    del stated
    served = []
    for name in _SERVED:
        seconds = column(name)
        seconds[is_wrong] = np.nan
        if np.isfinite(seconds).any():
            seconds = np.nan_to_num(seconds, copy=False) / 1000
            rest -= seconds
            served.append(stage(name, seconds))
    # The service's queue begins before the body is sent completely, because a full service leaves
    # it unread: that time counts as queue.
    overlap = np.minimum(np.maximum(-rest, 0), sending)
    if was_sent:
        yield stage(SENDING, sending - overlap)
    yield from served
    yield stage(REST, np.maximum(rest + overlap, 0))


def _has_served(stages: Iterable[Stage]) -> bool:
    """Whether the service said where its time went."""
    return any(stage.name in _SERVED for stage in stages)


def _limit(
    run: Run, stages: list[Stage], mean_ms: float, failures_by_kind: Mapping[str, int]
) -> str:
    requests = len(run.records)
    rejected = sum(
        count for kind, count in failures_by_kind.items() if kind.startswith("status 503")
    )
    if rejected > _MOST_REJECTED * requests:
        part = f"{rejected:,} of {requests:,} requests were rejected (status 503)"
        return _LIMITS[QUEUE].format(part=part)
    longest = max(stages, key=lambda stage: stage.share)
    part = f"{longest.mean_ms:.1f} ms of {mean_ms:.1f} ms on average"
    if longest.name == REST and not _has_served(stages):
        return _UNKNOWN.format(part=part)
    kept = _LIMITS_IF_KEPT if run.connections == "keep-alive" else {}
    return kept.get(longest.name, _LIMITS[longest.name]).format(part=part)
