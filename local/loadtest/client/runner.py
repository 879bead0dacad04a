"""A whole run: processes for each wave, made ahead of time and reaped when they are over."""

import contextlib
import math
import multiprocessing
import resource
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from local.common.cli import UsageError
from local.common.cpu import cores
from local.loadtest.client import signals, worker
from local.loadtest.client.sender import WaveSender
from local.loadtest.plan import WavePlan
from local.loadtest.result import IN_FLIGHT, Outcome
from local.loadtest.target import Target

WORKER_DIED: Final = "worker died"
NO_PROCESS: Final = "no process could be made"

_START_SECONDS: Final = 0.05
"""From when the first processes are ready to the first wave."""

_SHARE: Final = 100
"""A wave of more requests than this is shared by several processes, one for each core at most:
opening connections one after the other would make the last of them late."""

_SPARE_FILES: Final = 64

# A forked process is warm: everything is imported and every body is built. It takes a system with
# fork, as Linux, macOS and WSL are.
_fork = multiprocessing.get_context("fork")

OnOutcomes = Callable[[Sequence[Outcome]], None]


@dataclass
class Run:
    """What was measured."""

    target: str
    plan: WavePlan
    outcomes: list[Outcome] = field(default_factory=list)
    """In the order in which they ended; requests that were never due are not in it."""
    start: float = 0.0
    """When the first wave was due, in seconds of `time.perf_counter`."""
    stopped_by: int | None = None
    """The signal that ended the run early."""


@dataclass(eq=False)
class _Worker:
    """A process and the requests that it has not reported yet."""

    wave: int
    missing: set[int]
    process: BaseProcess
    channel: Connection
    ready: bool = False
    done: bool = False


def run(
    target: Target, plan: WavePlan, timeout: float, on_outcomes: OnOutcomes = lambda _: None
) -> Run:
    """Send the waves of `plan` to `target`. SIGINT and SIGTERM end it early, with what was
    measured so far. timeout: seconds a request may take from its actual start. `on_outcomes`
    is told about requests as they end. Raises `UsageError`."""
    _raise_file_limit(plan.parallel)
    return _Conductor(target, plan, timeout, on_outcomes).run()


class _Conductor:
    """Makes the processes of waves in time, tells them when their waves are due, and collects."""

    def __init__(
        self, target: Target, plan: WavePlan, timeout: float, on_outcomes: OnOutcomes
    ) -> None:
        self._target = target
        self._plan = plan
        self._timeout = timeout
        self._on_outcomes = on_outcomes
        self._selector = selectors.DefaultSelector()
        self._processes = min(cores(), math.ceil(plan.parallel / _SHARE))
        self._alive: set[_Worker] = set()
        self._lost_early: list[tuple[int, set[int], str]] = []
        self._next = 0
        self._result = Run(target.name, plan, start=math.inf)

    def run(self) -> Run:
        with signals.arriving() as arrival:
            self._selector.register(arrival, selectors.EVENT_READ, None)
            try:
                self._make_waves(due_from_start=0.0)
                self._collect(until=lambda: all(each.ready for each in self._alive))
                self._start()
                self._collect(until=lambda: not self._alive and self._next == self._plan.repeat)
            finally:
                self._kill_all()
                self._selector.close()
        return self._result

    def _start(self) -> None:
        self._result.start = time.perf_counter() + _START_SECONDS
        for each in self._alive:
            self._tell(each, self._due(each.wave))
        for lost in self._lost_early:
            self._lose(*lost)

    def _due(self, wave: int) -> float:
        return self._result.start + self._plan.due(wave)

    def _make_waves(self, due_from_start: float) -> None:
        """Make the processes that `due_from_start` seconds after the start are to be there."""
        while self._next < self._plan.repeat:
            if self._result.stopped_by is not None:
                self._next = self._plan.repeat
            elif self._plan.prepared(self._next) > due_from_start:
                return
            else:
                for share in range(self._processes):
                    numbers = range(share, self._plan.parallel, self._processes)
                    self._make_worker(self._next, numbers)
                self._next += 1

    def _make_worker(self, wave: int, numbers: range) -> None:
        sender = WaveSender(self._target, self._plan, wave, numbers, self._timeout)
        try:
            ours, theirs = multiprocessing.Pipe()
            process = _fork.Process(target=worker.run_wave, args=(theirs, sender), daemon=True)
            with signals.blocked():
                process.start()
        except OSError:
            self._lose(wave, set(numbers), NO_PROCESS)
            return
        theirs.close()
        made = _Worker(wave, set(numbers), process, ours)
        self._alive.add(made)
        self._selector.register(ours, selectors.EVENT_READ, made)
        if self._result.start < math.inf:
            self._tell(made, self._due(wave))

    def _collect(self, until: Callable[[], bool]) -> None:
        while not until():
            for key, _ in self._selector.select(self._until_next_process()):
                if key.data is None:
                    self._stop(key.fileobj)
                elif key.data in self._alive:
                    self._receive(key.data)
            if self._result.start < math.inf:
                self._make_waves(time.perf_counter() - self._result.start)

    def _until_next_process(self) -> float | None:
        if self._result.start == math.inf or self._next == self._plan.repeat:
            return None
        due = self._result.start + self._plan.prepared(self._next)
        return max(0.0, due - time.perf_counter())

    def _receive(self, member: _Worker) -> None:
        try:
            message = member.channel.recv()
        except (EOFError, OSError):
            self._reap(member)
            return
        if message == worker.READY:
            member.ready = True
        elif message == worker.DONE:
            member.done = True
        else:
            outcomes = [Outcome(*each) for each in message]
            member.missing.difference_update(each.number for each in outcomes)
            self._add(outcomes)

    def _add(self, outcomes: list[Outcome]) -> None:
        self._result.outcomes += outcomes
        self._on_outcomes(outcomes)

    def _reap(self, member: _Worker) -> None:
        self._selector.unregister(member.channel)
        member.channel.close()
        member.process.join()
        member.process.close()
        self._alive.remove(member)
        if not member.done:
            self._lose(member.wave, member.missing, WORKER_DIED)

    def _lose(self, wave: int, missing: set[int], failure: str) -> None:
        """A process that is not there takes its requests with it, but not out of the report."""
        if self._result.start == math.inf:
            self._lost_early.append((wave, missing, failure))
            return
        now = time.perf_counter()
        due = self._due(wave)
        if self._result.stopped_by is not None:
            failure = IN_FLIGHT
            if due > now:
                return
        ended = max(now, due)
        self._add([Outcome(wave, each, due, due, ended, failure) for each in sorted(missing)])

    def _stop(self, arrival: object) -> None:
        assert isinstance(arrival, socket.socket)
        number = arrival.recv(1)[0]
        if self._result.stopped_by is None:
            self._result.stopped_by = number
            self._next = self._plan.repeat
            for each in self._alive:
                self._tell(each, worker.STOP)
        else:
            self._kill_all()

    def _tell(self, member: _Worker, order: float | str) -> None:
        # A process that is gone is noticed by the end of what it sends.
        with contextlib.suppress(OSError):
            member.channel.send(order)

    def _kill_all(self) -> None:
        for each in list(self._alive):
            each.process.kill()
            self._reap(each)


def _raise_file_limit(parallel: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and parallel + _SPARE_FILES > hard:
        raise UsageError(
            f"N must be {hard - _SPARE_FILES} or less: a process may open {hard} files here "
            "(ulimit -Hn)."
        )
    if soft != hard:
        wanted = hard if hard != resource.RLIM_INFINITY else 65536
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
