"""What a run has measured: one record for each request."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from local.loadtest.schedule import Schedule, Seconds
from local.loadtest.traces import Traces

Records = NDArray[Any]

RECORD: Final = np.dtype(
    [
        # Index of the request in the schedule.
        ("request", "u4"),
        # Seconds from the start of the run. NaN: did not happen (`connected` of a request over
        # an open connection, `first_byte` without a response).
        ("due", "f8"),
        ("started", "f8"),  # the client opened or took the connection
        ("connected", "f8"),  # TCP, and TLS, were ready
        ("sent", "f8"),  # the last byte of the request was written
        ("first_byte", "f8"),  # the first byte of the response arrived
        ("ended", "f8"),  # complete response, failure, or the end of the run
        ("status", "u2"),  # 0 without a response
        ("failure", "u1"),  # index in `Run.kinds`
        # Milliseconds, from the response's Server-Timing; NaN where it has none.
        ("queue", "f4"),
        ("decode", "f4"),
        ("infer", "f4"),
        ("id", "S36"),  # the response's X-Request-ID
    ]
)

ANSWERED: Final = ""
"""The kind of a request with predictions; index 0 of `Run.kinds`."""

IN_FLIGHT: Final = "in flight"
"""The kind of a request without a response when the run was stopped; index 1 of `Run.kinds`."""

Connections = Literal["new", "keep-alive"]


@dataclass(frozen=True)
class ClientUse:
    """What the load client itself took."""

    senders: int
    """Processes that sent requests."""
    cpu_seconds: float
    """Of all processes of the client."""
    peak_mb: float
    """Resident memory of all processes, at their peaks, in MB."""


@dataclass
class Run:
    """The results of a run."""

    target: str
    schedule: Schedule
    connections: Connections
    """A new connection for each request, or connections kept open."""
    records: Records
    """Type `RECORD`, in the order in which requests ended, without those that were never due."""
    kinds: list[str] = field(default_factory=lambda: [ANSWERED, IN_FLIGHT])
    """What `failure` means."""
    start_epoch: float = 0.0
    """When the run started (due time 0), in seconds since 1970."""
    stopped_by: int | None = None
    """The signal that ended the run early."""
    client: ClientUse | None = None
    traces: Traces | None = None
    """The traces of the requests; None: they had none."""

    @property
    def answered(self) -> Records:
        chosen: Records = self.records[self.records["failure"] == 0]
        return chosen

    @property
    def failed(self) -> Records:
        chosen: Records = self.records[self.records["failure"] > 1]
        return chosen


def latency(records: Records) -> Seconds:
    """Seconds from the due time to the end, including the client's own delay."""
    seconds: Seconds = records["ended"] - records["due"]
    return seconds


def service(records: Records) -> Seconds:
    """Seconds from the actual start to the end, with the TCP (and TLS) handshake."""
    seconds: Seconds = records["ended"] - records["started"]
    return seconds


def lateness(records: Records) -> Seconds:
    """Seconds from the due time to the actual start: the client's own delay."""
    seconds: Seconds = records["started"] - records["due"]
    return seconds
