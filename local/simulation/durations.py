"""Request durations: a constant, a lognormal given by two percentiles, or measured values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Microseconds = NDArray[np.int64]

_P99_SCORE: Final = 2.3263478740408408
"""The 99th percentile of the standard normal distribution."""

_BLOCK: Final = 65_536
"""Durations drawn at once."""


_MOST_MS: Final = 1e9
"""12 days; the sum of the durations of all requests fits in 64 bits."""


class DurationsError(ValueError):
    """Invalid durations; the message says why."""


class Durations(Protocol):
    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        """`count` independent durations of at least 1 microsecond."""

    def __str__(self) -> str:
        """The distribution as text, with units."""


def _microseconds(milliseconds: NDArray[np.float64]) -> Microseconds:
    return np.clip(np.rint(milliseconds * 1000), 1, _MOST_MS * 1000).astype(np.int64)


@dataclass(frozen=True)
class Constant:
    ms: float

    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        return np.repeat(_microseconds(np.array([self.ms])), count)

    def __str__(self) -> str:
        return f"{self.ms:g} ms, constant"


@dataclass(frozen=True)
class LogNormal:
    """A lognormal distribution with these percentiles in milliseconds; p99 > p50."""

    p50: float
    p99: float

    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        sigma = math.log(self.p99 / self.p50) / _P99_SCORE
        return _microseconds(random.lognormal(math.log(self.p50), sigma, count))

    def __str__(self) -> str:
        return f"lognormal, p50 {self.p50:g} ms, p99 {self.p99:g} ms"


@dataclass(frozen=True)
class Empirical:
    """Measured milliseconds, drawn with replacement; never above the largest."""

    ms: tuple[float, ...]

    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        return random.choice(_microseconds(np.array(self.ms)), count)

    def __str__(self) -> str:
        return f"{len(self.ms)} measured, {min(self.ms):g} to {max(self.ms):g} ms"


@dataclass(frozen=True)
class Scaled:
    """Durations that take `factor` times as long as others."""

    of: Durations
    factor: float

    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        milliseconds = self.of.draw(random, count).astype(np.float64) / 1000
        return _microseconds(milliseconds * self.factor)

    def __str__(self) -> str:
        return f"{self.of}, times {self.factor:.4g}"


@dataclass(frozen=True)
class Longer:
    """Durations that take `ms` longer than others."""

    than: Durations
    ms: float

    def draw(self, random: np.random.Generator, count: int) -> Microseconds:
        return self.than.draw(random, count) + round(self.ms * 1000)

    def __str__(self) -> str:
        return f"{self.than}, and {self.ms:g} ms"


class Times(NamedTuple):
    """How long the caller waits and the environment is busy."""

    cold: Durations
    """INIT and the first request of a new environment"""
    warm: Durations
    """a request in a used or a provisioned environment"""


class DurationStream:
    """An endless sequence of durations, drawn in blocks, that records the durations taken."""

    def __init__(self, durations: Durations, random: np.random.Generator) -> None:
        self._durations = durations
        self._random = random
        self._blocks: list[Microseconds] = []
        self._ahead: Microseconds = np.empty(0, np.int64)
        self._drawn: list[int] = []
        self._next = 0
        self._total = 0

    def take(self, count: int) -> list[int]:
        self._draw(count)
        self.skip(count)
        return self._drawn[self._next - count : self._next]

    def ahead(self, count: int) -> Microseconds:
        """The next durations, without taking them."""
        self._draw(count)
        return self._ahead[self._next : self._next + count]

    def skip(self, count: int) -> None:
        """Take durations that `ahead` has returned."""
        self._total += count
        self._next += count

    def _draw(self, count: int) -> None:
        if self._next + count > len(self._drawn):
            block = self._durations.draw(self._random, max(count, _BLOCK))
            self._blocks.append(block)
            self._ahead = np.concatenate([self._ahead[self._next :], block])
            self._drawn = self._ahead.tolist()
            self._next = 0

    def collect(self) -> Microseconds:
        """The durations taken since the last call, in order. Forgets them."""
        found = np.concatenate([np.empty(0, np.int64), *self._blocks])[: self._total]
        self._ahead, self._drawn = self._ahead[self._next :], self._drawn[self._next :]
        self._blocks, self._next, self._total = [self._ahead], 0, 0
        return found


def parse_durations(text: str) -> Durations:
    """`25` is a constant 25 ms; `25/60` is p50 25 ms and p99 60 ms. Raises `DurationsError`."""
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError:
        values = []
    if len(values) not in {1, 2}:
        raise DurationsError(f"{text!r} is neither milliseconds nor P50/P99 in milliseconds")
    return _constant(values[0]) if len(values) == 1 else _percentiles(values[0], values[1])


def durations_from_json(value: object) -> Durations:
    """A number, a list of numbers, or an object with `p50` and `p99`, in milliseconds.

    Raises `DurationsError`.
    """
    if isinstance(value, Mapping):
        if not {"p50", "p99"} <= value.keys():
            raise DurationsError("an object of percentiles needs both p50 and p99")
        return _percentiles(_number(value["p50"]), _number(value["p99"]))
    if not isinstance(value, list):
        return _constant(_number(value))
    if not value:
        raise DurationsError("the list is empty")
    return Empirical(tuple(_constant(_number(item)).ms for item in value))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DurationsError(f"{value!r} is not a number of milliseconds")
    try:
        return float(value)
    except OverflowError:  # hundreds of digits
        return math.inf


def _constant(ms: float) -> Constant:
    if not ms > 0:
        raise DurationsError(f"a duration must be above 0 ms, not {ms:g} ms")
    if ms > _MOST_MS:
        raise DurationsError(f"a duration must be at most {_MOST_MS:,.0f} ms, not {ms:g} ms")
    return Constant(ms)


def _percentiles(p50: float, p99: float) -> Durations:
    _constant(p50)
    _constant(p99)
    if p99 < p50:
        raise DurationsError(f"p99 ({p99:g} ms) is below p50 ({p50:g} ms)")
    return LogNormal(p50, p99) if p99 > p50 else Constant(p50)
