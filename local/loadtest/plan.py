"""The wave plan: when each wave is due."""

import math
from dataclasses import dataclass
from typing import Final

from local.common.cli import UsageError

_LEAD_SECONDS: Final = 1.0
"""A wave's process starts about this long before the wave is due and warms up meanwhile."""

_LONGEST_LEAD_SECONDS: Final = 30.0
"""Maximum lead: signatures and addresses that the process holds grow stale."""


@dataclass(frozen=True)
class WavePlan:
    """`repeat` waves of `parallel` requests each, one every `period` seconds. An open loop: a wave
    is due at its time even if earlier waves are still in flight."""

    parallel: int
    period: float
    repeat: int

    def __post_init__(self) -> None:
        if self.parallel < 1:
            raise UsageError(f"N must be 1 or more; it is {self.parallel}.")
        if not (math.isfinite(self.period) and self.period >= 0):
            raise UsageError(f"T must be 0 seconds or more; it is {self.period:g}.")
        if self.repeat < 1:
            raise UsageError(f"R must be 1 or more; it is {self.repeat}.")

    @property
    def requests(self) -> int:
        return self.parallel * self.repeat

    @property
    def offered_rps(self) -> float | None:
        """Requests due per second; None for a single wave or for T = 0."""
        return self.parallel / self.period if self.period > 0 and self.repeat > 1 else None

    def due(self, wave: int) -> float:
        """Seconds from the start of the run to `wave` (0, 1, ...)."""
        return wave * self.period

    def prepare_time(self, wave: int) -> float:
        """Seconds from the start of the run to the start of the wave's process; negative: before
        the run. Halfway between two waves, where it disturbs neither."""
        if self.period == 0:
            return -math.inf
        periods = math.ceil(_LEAD_SECONDS / self.period) + 0.5
        return self.due(wave) - min(periods * self.period, _LONGEST_LEAD_SECONDS)
