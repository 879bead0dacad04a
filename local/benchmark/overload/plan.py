"""The crowds of clients, and how long each is measured."""

from dataclasses import dataclass
from typing import Final

from local.benchmark.client.loop_plan import TIMEOUT_SECONDS, LoopPlan

REFERENCE: Final = 64
"""Connections of the run with which each crowd is compared: the cores are busy, and nothing is
refused."""

OVERLOADED: Final = (300, 512, 1000, 4000)
"""More than the default queue of two cores, 256 images."""

CONNECTIONS: Final = (8, 256, *OVERLOADED)

MANY: Final = 1000
"""Connections of impatient clients, and of polite ones together with others."""

IMPATIENT_SECONDS: Final = 2.0

PLAIN: Final = "retry at once"
IMPATIENT: Final = f"give up after {IMPATIENT_SECONDS:g} s"
POLITE: Final = "half of them wait for Retry-After"


@dataclass(frozen=True)
class Crowd:
    """So many clients of a kind."""

    connections: int
    kind: str = PLAIN

    def __str__(self) -> str:
        plain = f"{self.connections:,} connections"
        return plain if self.is_plain else f"{plain}, {self.kind}"

    @property
    def is_plain(self) -> bool:
        return self.kind == PLAIN

    def plan(self, effort: "Effort") -> LoopPlan:
        is_reference = self == Crowd(REFERENCE)
        return LoopPlan(
            self.connections,
            effort.reference_seconds if is_reference else effort.seconds,
            effort.warm_up_seconds(self.connections),
            IMPATIENT_SECONDS if self.kind == IMPATIENT else TIMEOUT_SECONDS,
            self.connections // 2 if self.kind == POLITE else 0,
        )


@dataclass(frozen=True)
class Effort:
    """The crowds of a round, and the length of the windows in seconds."""

    crowds: tuple[Crowd, ...]
    seconds: float
    reference_seconds: float
    longest_warm_up: float

    def warm_up_seconds(self, connections: int) -> float:
        """Until the crowd is steady: refusals are paced, and a server that refuses nothing takes
        the images of all connections once."""
        return min(self.longest_warm_up, 2 + connections / 150)

    @property
    def total_seconds(self) -> float:
        """Of a round with one server, without its start and the time after each crowd."""
        plans = [crowd.plan(self) for crowd in self.crowds]
        reference = Crowd(REFERENCE).plan(self)
        return sum(plan.warm_up + plan.seconds for plan in plans) + (1 + len(plans)) * (
            reference.warm_up + reference.seconds
        )


FULL: Final = Effort(
    (
        *(Crowd(connections) for connections in CONNECTIONS),
        Crowd(MANY, IMPATIENT),
        Crowd(MANY, POLITE),
    ),
    seconds=10,
    reference_seconds=5,
    longest_warm_up=30,
)
QUICK: Final = Effort(
    (Crowd(512), Crowd(MANY, POLITE)), seconds=5, reference_seconds=3, longest_warm_up=5
)
