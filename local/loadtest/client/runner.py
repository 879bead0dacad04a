"""A run: starts the processes of each wave ahead of time and collects their results."""

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
from local.common.cpu import cpu_count
from local.loadtest.client import signals, worker
from local.loadtest.client.sender import WaveSender
from local.loadtest.plan import WavePlan
from local.loadtest.result import IN_FLIGHT, RequestResult
from local.loadtest.target import Target

WORKER_DIED: Final = "process killed"
NO_PROCESS: Final = "process not started"

_START_SECONDS: Final = 0.05
"""From the first processes being ready to the first wave."""

_REQUESTS_PER_PROCESS: Final = 100
"""A larger wave is split between processes, at most one per CPU: opening connections one after the
other would delay the last ones."""

_SPARE_FILES: Final = 64

# A forked process has all imports and request bodies ready. Needs fork: Linux, macOS or WSL.
_fork = multiprocessing.get_context("fork")

OnResults = Callable[[Sequence[RequestResult]], None]


@dataclass
class Run:
    """The results of a run."""

    target: str
    plan: WavePlan
    results: list[RequestResult] = field(default_factory=list)
    """In the order in which they ended, without requests that were never due."""
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
    target: Target, plan: WavePlan, timeout: float, on_results: OnResults = lambda _: None
) -> Run:
    """Send the waves of `plan` to `target`. SIGINT and SIGTERM end the run early with the results
    so far. timeout: seconds per request from its actual start. `on_results` receives results as
    requests end. Raises `UsageError`."""
    _raise_file_limit(plan.parallel)
    return _WaveScheduler(target, plan, timeout, on_results).run()


class _WaveScheduler:
    """Starts the processes of waves in time, tells them the start of their wave, and collects
    results."""

    def __init__(
        self, target: Target, plan: WavePlan, timeout: float, on_results: OnResults
    ) -> None:
        self._target = target
        self._plan = plan
        self._timeout = timeout
        self._on_results = on_results
        self._selector = selectors.DefaultSelector()
        self._processes = min(cpu_count(), math.ceil(plan.parallel / _REQUESTS_PER_PROCESS))
        self._workers: set[_Worker] = set()
        self._lost_before_start: list[tuple[int, set[int], str]] = []
        self._next = 0
        self._result = Run(target.name, plan, start=math.inf)

    def run(self) -> Run:
        with signals.signal_socket() as signal_socket:
            self._selector.register(signal_socket, selectors.EVENT_READ, None)
            try:
                self._start_waves(due_from_start=0.0)
                self._collect(
                    until=lambda: all(worker_process.ready for worker_process in self._workers)
                )
                self._start()
                self._collect(until=lambda: not self._workers and self._next == self._plan.repeat)
            finally:
                self._kill_all()
                self._selector.close()
        return self._result

    def _start(self) -> None:
        self._result.start = time.perf_counter() + _START_SECONDS
        for worker_process in self._workers:
            self._send_to(worker_process, self._due(worker_process.wave))
        for lost in self._lost_before_start:
            self._count_lost(*lost)

    def _due(self, wave: int) -> float:
        return self._result.start + self._plan.due(wave)

    def _start_waves(self, due_from_start: float) -> None:
        """Start the processes of every wave whose preparation is due."""
        while self._next < self._plan.repeat:
            if self._result.stopped_by is not None:
                self._next = self._plan.repeat
            elif self._plan.prepare_time(self._next) > due_from_start:
                return
            else:
                for share in range(self._processes):
                    numbers = range(share, self._plan.parallel, self._processes)
                    self._start_worker(self._next, numbers)
                self._next += 1

    def _start_worker(self, wave: int, numbers: range) -> None:
        sender = WaveSender(self._target, self._plan, wave, numbers, self._timeout)
        try:
            parent_end, child_end = multiprocessing.Pipe()
            process = _fork.Process(target=worker.run_wave, args=(child_end, sender), daemon=True)
            with signals.blocked():
                process.start()
        except OSError:
            self._count_lost(wave, set(numbers), NO_PROCESS)
            return
        child_end.close()
        started = _Worker(wave, set(numbers), process, parent_end)
        self._workers.add(started)
        self._selector.register(parent_end, selectors.EVENT_READ, started)
        if self._result.start < math.inf:
            self._send_to(started, self._due(wave))

    def _collect(self, until: Callable[[], bool]) -> None:
        while not until():
            for key, _ in self._selector.select(self._until_next_process()):
                if key.data is None:
                    self._stop(key.fileobj)
                elif key.data in self._workers:
                    self._receive(key.data)
            if self._result.start < math.inf:
                self._start_waves(time.perf_counter() - self._result.start)

    def _until_next_process(self) -> float | None:
        if self._result.start == math.inf or self._next == self._plan.repeat:
            return None
        due = self._result.start + self._plan.prepare_time(self._next)
        return max(0.0, due - time.perf_counter())

    def _receive(self, worker_process: _Worker) -> None:
        try:
            message = worker_process.channel.recv()
        except (EOFError, OSError):
            self._reap(worker_process)
            return
        if message == worker.READY:
            worker_process.ready = True
        elif message == worker.DONE:
            worker_process.done = True
        else:
            results = [RequestResult(*values) for values in message]
            worker_process.missing.difference_update(result.number for result in results)
            self._add(results)

    def _add(self, results: list[RequestResult]) -> None:
        self._result.results += results
        self._on_results(results)

    def _reap(self, worker_process: _Worker) -> None:
        self._selector.unregister(worker_process.channel)
        worker_process.channel.close()
        worker_process.process.join()
        worker_process.process.close()
        self._workers.remove(worker_process)
        if not worker_process.done:
            self._count_lost(worker_process.wave, worker_process.missing, WORKER_DIED)

    def _count_lost(self, wave: int, missing: set[int], failure: str) -> None:
        """Report the requests of a lost process as failures."""
        if self._result.start == math.inf:
            self._lost_before_start.append((wave, missing, failure))
            return
        now = time.perf_counter()
        due = self._due(wave)
        if self._result.stopped_by is not None:
            failure = IN_FLIGHT
            if due > now:
                return
        ended = max(now, due)
        self._add(
            [RequestResult(wave, number, due, due, ended, failure) for number in sorted(missing)]
        )

    def _stop(self, signal_socket: object) -> None:
        assert isinstance(signal_socket, socket.socket)
        number = signal_socket.recv(1)[0]
        if self._result.stopped_by is None:
            self._result.stopped_by = number
            self._next = self._plan.repeat
            for worker_process in self._workers:
                self._send_to(worker_process, worker.STOP)
        else:
            self._kill_all()

    def _send_to(self, worker_process: _Worker, order: float | str) -> None:
        # The end of its messages reveals a process that has ended.
        with contextlib.suppress(OSError):
            worker_process.channel.send(order)

    def _kill_all(self) -> None:
        for worker_process in list(self._workers):
            worker_process.process.kill()
            self._reap(worker_process)


def _raise_file_limit(parallel: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and parallel + _SPARE_FILES > hard:
        raise UsageError(
            f"N must be {hard - _SPARE_FILES} or less, as the limit of open files is {hard} "
            "(ulimit -Hn)."
        )
    if soft != hard:
        wanted = hard if hard != resource.RLIM_INFINITY else 65536
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
