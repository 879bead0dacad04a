"""When a worker sends its wave, with a simulated clock."""

import math
import os
from multiprocessing.connection import Connection
from typing import cast

import pytest

from local.loadtest.client import worker

SECONDS = [0.0005, 0.0021, 0.5, 0.99999, 7.3]


class Clock:
    """Replaces the module `time`, and a channel: `poll` and `sleep` take exactly the given time,
    rounded up to milliseconds where the system does so."""

    def __init__(self, *orders: float | str) -> None:
        self.now = 1000.0
        self.orders = list(orders)

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def poll(self, seconds: float) -> bool:
        if not self.orders:
            self.now += math.ceil(seconds * 1000) / 1000
        return bool(self.orders)

    def recv(self) -> float | str:
        return self.orders.pop(0)


def wait_until_due(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> float | None:
    monkeypatch.setattr(worker, "time", clock)
    return worker._wait_until_due(cast(Connection, clock), os.getppid())


@pytest.mark.parametrize("seconds", SECONDS)
def test_wave_starts_exactly_when_due(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1000 + seconds)
    assert wait_until_due(clock, monkeypatch) == 1000 + seconds
    assert clock.now == pytest.approx(1000 + seconds, abs=1e-9)


def test_overdue_wave_starts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(999.5)
    assert wait_until_due(clock, monkeypatch) == 999.5
    assert clock.now == 1000


def test_stopped_wave_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert wait_until_due(Clock(1007, worker.STOP), monkeypatch) is None
