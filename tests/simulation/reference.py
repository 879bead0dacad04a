"""A simple reference of the scaling rules: one request and one list at a time."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from local.simulation.durations import Times
from local.simulation.scaling import SECOND, Limits


@dataclass
class Environment:
    free_at: int
    provisioned: bool


@dataclass
class Budget:
    most: int
    seconds: Fraction
    left: Fraction
    now: int = 0

    def has_one(self, now: int) -> bool:
        grown = self.left + Fraction(now - self.now, SECOND) * self.most / self.seconds
        self.left, self.now = min(grown, Fraction(self.most)), now
        return self.left >= 1

    def spend(self) -> None:
        self.left -= 1


def budget(most: int, seconds: float) -> Budget:
    return Budget(most, Fraction(seconds), Fraction(most))


def place(starts: list[int], arrivals: list[int], limits: Limits, times: Times) -> list[list[str]]:
    """The outcome of each request, by wave."""
    random = np.random.default_rng(0)
    cold, warm, ready = (
        iter(kind.draw(random, 10_000).tolist()) for kind in (times.cold, times.warm, times.warm)
    )
    for _ in range(limits.provisioned):
        next(cold)
    environments = [Environment(0, True) for _ in range(limits.provisioned)]
    requests = budget(limits.requests_per_second * limits.concurrency, 1)
    new = budget(limits.scaling_step, limits.scaling_seconds)
    result = []
    for now, count in zip(starts, arrivals, strict=True):
        wave = []
        for _ in range(count):
            oldest = now - limits.idle_seconds * SECOND
            environments = [e for e in environments if e.provisioned or e.free_at >= oldest]
            free = [e for e in environments if e.free_at <= now]
            busy = len(environments) - len(free)
            provisioned = [e for e in free if e.provisioned]
            if busy >= limits.concurrency:
                wave.append("over_concurrency")
                continue
            if not requests.has_one(now):
                wave.append("over_request_rate")
                continue
            if provisioned:
                provisioned[0].free_at = now + next(ready)
                wave.append("provisioned")
            elif free:
                max(free, key=lambda e: e.free_at).free_at = now + next(warm)
                wave.append("warm")
            elif new.has_one(now):
                new.spend()
                environments.append(Environment(now + next(cold), False))
                wave.append("cold")
            else:
                wave.append("over_scaling_rate")
                continue
            requests.spend()
        result.append(wave)
    return result
