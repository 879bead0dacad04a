"""Queues with known capacity, simulated: a service with one or several servers."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from local.loadtest.schedule import Seconds

Draw = Callable[[np.random.Generator, int], Seconds]
"""Draws service times in seconds."""


@dataclass(frozen=True)
class Queue:
    """`servers` identical servers and one queue, first come, first served."""

    name: str
    servers: int
    mean: float
    """Of the service time, in seconds."""
    draw: Draw

    @property
    def capacity(self) -> float:
        """Requests per second: above it, the queue grows without end."""
        return self.servers / self.mean

    def latencies(self, due: Seconds, random: np.random.Generator) -> Seconds:
        """Seconds from arrival to departure of requests that arrive at `due`, ascending.

        Lindley's recursion: a request starts when it has arrived and a server is free (Lindley, The
        theory of queues with a single server, 1952; for several servers, Kiefer and Wolfowitz, On
        the theory of queues with many servers, 1955).
        """
        free = [0.0] * self.servers
        departures = np.empty(len(due))
        service = self.draw(random, len(due)).tolist()
        for index, (arrived, taken) in enumerate(zip(due.tolist(), service, strict=True)):
            departures[index] = max(arrived, free[0]) + taken
            heapq.heapreplace(free, departures[index])
        latencies: Seconds = departures - due
        return latencies


def constant(seconds: float) -> Draw:
    return lambda _, count: np.full(count, seconds)


def bimodal(usual: float, rare: float, share: float) -> Draw:
    """`share` of the service times are `rare`, the others `usual`, both in seconds."""
    return lambda random, count: np.where(random.random(count) < share, rare, usual)


ONE: Final = Queue("one server, 7 ms", 1, 0.007, constant(0.007))
THREE: Final = Queue("three servers, 20 ms", 3, 0.020, constant(0.020))
BIMODAL: Final = Queue(
    "one server, 4 ms, a fifth 15 ms", 1, 0.8 * 0.004 + 0.2 * 0.015, bimodal(0.004, 0.015, 0.2)
)
QUEUES: Final = (ONE, THREE, BIMODAL)
