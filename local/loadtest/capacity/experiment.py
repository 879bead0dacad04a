"""The measurements of a search, made on a running service."""

import math
import time
from dataclasses import replace
from typing import Final

from local.loadtest import cli
from local.loadtest.capacity.progress import Progress
from local.loadtest.capacity.result import Result, row
from local.loadtest.capacity.step import step_of
from local.loadtest.engine.engine import run
from local.loadtest.engine.sender import TIMEOUT
from local.loadtest.run import Run, service
from local.loadtest.schedule import Schedule, WavePlan
from local.loadtest.target import Target

_PROBES: Final = 3
_FIRST_UTILIZATION: Final = 0.5
"""The first rate keeps a service that answers one request at a time busy for this part."""

_SETTLED: Final = 2.0
_NOISE_SECONDS: Final = 0.02
"""After timeouts, the search waits until a request takes at most this many times as long as alone,
plus these seconds."""
_SETTLE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5


class Experiment:
    """Measures loads, and adds the measurements to `result`. Raises `cli.Interrupted`, also if a
    signal arrives between two measurements."""

    def __init__(self, target: Target, result: Result, seconds: float, timeout: float) -> None:
        """seconds: for the whole search, at most. timeout: seconds per request."""
        self.progress = Progress(seconds)
        self._target = target
        self._result = result
        self._timeout = timeout
        self._end = time.monotonic() + seconds

    def search(self) -> None:
        """Measure until the result is known or the time is over."""
        result = self._result
        alone = self._alone()
        if alone is None:
            return
        if not result.search.shape.whole:
            first = min(_FIRST_UTILIZATION / alone, result.search.most)
            result.search = replace(result.search, first=first)
        while True:
            wanted = result.search.next(result.steps)
            if wanted is None:
                result.ended = True
                return
            if not self._measure(wanted.load, long=wanted.long, alone=alone):
                return

    def _alone(self) -> float | None:
        """How long a single request takes, in seconds; None if that ends the search."""
        limit = self._result.criteria.limit_ms / 1000
        best, failure = math.inf, ""
        for _ in range(_PROBES):
            one = self._send(WavePlan(1, 0, 1).schedule(), "a single request", 0.0)
            best = min([best, *service(one.answered)])
            failure = one.kinds[int(one.records["failure"][0])]
        if best <= limit:
            return best
        self._result.ended = True
        self._result.alone = (
            f"fails ({failure})" if best == math.inf else f"takes {best * 1000:.1f} ms"
        )
        return None

    def _measure(self, load: float, *, long: bool, alone: float) -> bool:
        """Add a measurement. Returns whether the search goes on: there was time, and the service
        still answers."""
        result, shape = self._result, self._result.search.shape
        seconds = shape.seconds(load, long=long)
        if time.monotonic() + seconds > self._end:
            return False
        schedule = shape.schedule(load, long=long, number=len(result.steps))
        done = self._send(schedule, shape.name(load), seconds)
        step = step_of(done, load, rate=shape.rate(load), long=long, criteria=result.criteria)
        result.steps.append(step)
        self.progress.clear()
        print(row(step), flush=True)
        if TIMEOUT in done.kinds:
            self._settle(alone)
        if not len(done.answered):
            result.gone = self._failure()
        return not result.gone

    def _settle(self, alone: float) -> None:
        """Wait for the end of work that the client no longer waits for: after timeouts, a service
        may still have a queue. Otherwise it has none: a run ends with its last response."""
        end = min(self._end, time.monotonic() + _SETTLE_SECONDS)
        while time.monotonic() < end:
            one = self._send(WavePlan(1, 0, 1).schedule(), "waiting for the service", 0.0)
            if len(one.answered) and service(one.answered)[0] <= _SETTLED * alone + _NOISE_SECONDS:
                return

    def _failure(self) -> str:
        """How single requests fail, if none is answered for some time, or at the end of the search:
        the service has crashed."""
        end = min(self._end, time.monotonic() + _SETTLE_SECONDS)
        while True:
            one = self._send(WavePlan(1, 0, 1).schedule(), "waiting for the service", 0.0)
            failure = one.kinds[int(one.records["failure"][0])]
            if not failure or time.monotonic() + _PAUSE_SECONDS > end:
                return failure
            time.sleep(_PAUSE_SECONDS)

    def _send(self, schedule: Schedule, name: str, seconds: float) -> Run:
        self.progress.start(name, schedule.requests, seconds)
        left = self._end - time.monotonic() - seconds
        timeout = min(self._timeout, max(self._result.criteria.limit_ms / 1000, left))
        done = run(self._target, schedule, timeout, self.progress.add)
        if done.stopped_by is not None:
            raise cli.Interrupted(done.stopped_by)
        return done
