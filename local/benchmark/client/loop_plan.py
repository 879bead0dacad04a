"""The plan of a closed loop."""

from dataclasses import dataclass
from typing import Final

TIMEOUT_SECONDS: Final = 60.0


@dataclass(frozen=True)
class LoopPlan:
    """`connections` clients, of which `polite` wait as long as Retry-After says. A client drops a
    request, and its connection, after `timeout`. All times are in seconds."""

    connections: int
    seconds: float
    warm_up: float = 0.0
    timeout: float = TIMEOUT_SECONDS
    polite: int = 0
