"""The loads among which the search looks: rates, or sizes of waves."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from local.common.cli import UsageError
from local.loadtest.schedule import Arrivals, RateProfile, Schedule, WavePlan

_SHORT: Final = 0.25
"""A short measurement takes this part of a long one."""

_LEAST_REQUESTS: Final = {False: 5, True: 20}
"""Requests in a short and in a long measurement. At low rates, measurements take longer."""

_DIGITS: Final = 3
"""Significant digits of rates: half a percent at most."""


class Shape(Protocol):
    """A load is a number: requests per second, or requests in each wave."""

    @property
    def whole(self) -> bool:
        """Whether loads are whole numbers."""

    def rounded(self, load: float) -> float:
        """The load that is measured instead of `load`."""

    def seconds(self, load: float, *, long: bool) -> float:
        """How long a measurement of the load takes, without waiting for the last responses."""

    def schedule(self, load: float, *, long: bool, number: int) -> Schedule:
        """The requests of measurement `number`."""

    def rate(self, load: float) -> float:
        """Requests per second."""

    def name(self, load: float) -> str:
        """The load in words."""

    @property
    def title(self) -> str:
        """All loads in words."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""


@dataclass(frozen=True)
class Steady:
    """A steady rate."""

    arrivals: Arrivals
    long_seconds: float
    """How long a long measurement takes."""
    whole: bool = False

    def rounded(self, load: float) -> float:
        return float(f"{load:.{_DIGITS}g}")

    def seconds(self, load: float, *, long: bool) -> float:
        usual = self.long_seconds * (1 if long else _SHORT)
        return max(usual, _LEAST_REQUESTS[long] / load)

    def schedule(self, load: float, *, long: bool, number: int) -> Schedule:
        profile = RateProfile.steady(load, self.seconds(load, long=long))
        return profile.schedule(self.arrivals, seed=number)

    def rate(self, load: float) -> float:
        return load

    def name(self, load: float) -> str:
        return f"{load:.4g} requests/s"

    @property
    def title(self) -> str:
        return f"a steady rate, {self.arrivals} arrivals"

    def as_dict(self) -> dict[str, Any]:
        return {"arrivals": self.arrivals, "long_step_s": self.long_seconds}


@dataclass(frozen=True)
class Waves:
    """`repeat` waves, one every `period` seconds."""

    period: float
    repeat: int
    whole: bool = True

    def __post_init__(self) -> None:
        WavePlan(1, self.period, self.repeat)
        if self.period == 0:
            raise UsageError("T must be more than 0 seconds.")

    def rounded(self, load: float) -> float:
        return float(max(1, round(load)))

    def seconds(self, load: float, *, long: bool) -> float:
        return self.period * (self.repeat - 1)

    def schedule(self, load: float, *, long: bool, number: int) -> Schedule:
        return WavePlan(round(load), self.period, self.repeat).schedule()

    def rate(self, load: float) -> float:
        return load / self.period

    def name(self, load: float) -> str:
        return f"waves of {load:.0f} every {self.period:g} s"

    @property
    def title(self) -> str:
        return f"waves every {self.period:g} s, {self.repeat} of each size"

    def as_dict(self) -> dict[str, Any]:
        return {"arrivals": "waves", "period_s": self.period, "repeat": self.repeat}
