"""The result of a closed loop, and its JSON."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from local.loadtest.percentiles import percentile

SUCCESS: Final = range(200, 300)
UNAVAILABLE: Final = 503


@dataclass(frozen=True)
class Latencies:
    """A number of durations, their percentiles and the longest, in milliseconds; 0 without
    durations."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        ordered = sorted(seconds)
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0)
        found = (percentile(ordered, 50), percentile(ordered, 99), ordered[-1])
        return cls(len(ordered), *(round(1000 * value, 3) for value in found))


@dataclass(frozen=True)
class GroupResult:
    """The requests of a group of clients that ended within the window."""

    clients: int
    statuses: Mapping[int, Latencies]
    """By status: from the start of the request, or of its connection, to the complete response."""
    failures: Mapping[str, int]
    """Requests without a response, by kind."""
    successes: Latencies
    """From the first attempt after a success to the next success."""

    @property
    def good(self) -> int:
        """Responses with status 2xx."""
        return sum(found.count for status, found in self.statuses.items() if status in SUCCESS)

    @property
    def refused(self) -> int:
        """Responses with status 503."""
        return self.statuses[UNAVAILABLE].count if UNAVAILABLE in self.statuses else 0

    @property
    def attempts(self) -> int:
        return self.counts().total()

    def counts(self) -> Counter[str]:
        """Requests by status or kind of failure."""
        return Counter(
            {**{str(status): each.count for status, each in self.statuses.items()}, **self.failures}
        )


@dataclass(frozen=True)
class LoopResult:
    """Two groups of clients: those that try again at once, and those that wait as long as
    Retry-After says. Times of the window are seconds of `time.monotonic`, a clock that all
    processes of a machine share."""

    window_start: float
    window_end: float
    cpu_s: float
    """CPU time of the load client within the window."""
    hammering: GroupResult
    polite: GroupResult
    accepted: Latencies
    """Responses of both groups with status 2xx."""
    refused: Latencies
    """Responses of both groups with status 503."""

    @property
    def groups(self) -> Sequence[GroupResult]:
        return (self.hammering, self.polite)

    @property
    def window_s(self) -> float:
        return self.window_end - self.window_start

    @property
    def good(self) -> int:
        return sum(group.good for group in self.groups)

    @property
    def attempts(self) -> int:
        return sum(group.attempts for group in self.groups)

    @property
    def good_rate(self) -> float:
        """Responses with status 2xx per second."""
        return self.good / self.window_s

    def counts(self) -> Counter[str]:
        """Requests by status or kind of failure."""
        return self.hammering.counts() + self.polite.counts()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError` or `ValueError` unless `to_json` made it."""
        groups = {name: _group(content[name]) for name in ("hammering", "polite")}
        both = {name: Latencies(**content[name]) for name in ("accepted", "refused")}
        return cls(**{**content, **groups, **both})


def _group(content: Mapping[str, Any]) -> GroupResult:
    return GroupResult(
        content["clients"],
        {int(status): Latencies(**found) for status, found in content["statuses"].items()},
        content["failures"],
        Latencies(**content["successes"]),
    )


def loop_result(
    window: tuple[float, float], cpu_s: float, hammering: "Tally", polite: "Tally"
) -> LoopResult:
    """The result of two tallies. `window`: its start and end."""

    def latencies(statuses: Container[int]) -> Latencies:
        return Latencies.of(
            seconds
            for tally in (hammering, polite)
            for status, found in tally.latencies.items()
            if status in statuses
            for seconds in found
        )

    return LoopResult(
        *window,
        cpu_s,
        hammering.result(),
        polite.result(),
        accepted=latencies(SUCCESS),
        refused=latencies({UNAVAILABLE}),
    )


@dataclass
class Tally:
    """The requests of a group so far. Durations are in seconds."""

    clients: int = 0
    latencies: dict[int, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    successes: list[float] = field(default_factory=list)

    def add(self, status: int, seconds: float, since_success: float) -> None:
        """Count a response. `since_success` is the time since the client's first attempt after its
        last success."""
        self.latencies.setdefault(status, []).append(seconds)
        if status in SUCCESS:
            self.successes.append(since_success)

    def result(self) -> GroupResult:
        """The tally as a result."""
        statuses = {status: Latencies.of(found) for status, found in self.latencies.items()}
        return GroupResult(
            self.clients, statuses, dict(self.failures), Latencies.of(self.successes)
        )
