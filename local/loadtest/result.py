"""What became of one request."""

from typing import Final, NamedTuple

ANSWERED: Final = ""
"""The `failure` of a request that was answered with predictions."""

IN_FLIGHT: Final = "in flight"
"""The `failure` of a request that had no answer yet when the run was stopped."""


class Outcome(NamedTuple):
    """One request and its end. Times are seconds of `time.perf_counter`, which all processes of a
    machine share."""

    wave: int
    """The wave it belongs to, from 0."""
    number: int
    """Its place in the wave, from 0."""
    intended: float
    """When it was due."""
    started: float
    """When its connection was begun."""
    ended: float
    """When its answer was complete, or it failed, or the run was stopped."""
    failure: str
    """`ANSWERED`, `IN_FLIGHT`, or the kind of failure."""

    @property
    def latency(self) -> float:
        """Seconds from the intended start to the end: what someone waits who came when due."""
        return self.ended - self.intended

    @property
    def service(self) -> float:
        """Seconds from the actual start to the end, with the TCP (and TLS) handshake."""
        return self.ended - self.started

    @property
    def lateness(self) -> float:
        """Seconds from the intended to the actual start: how late this client itself was."""
        return self.started - self.intended
