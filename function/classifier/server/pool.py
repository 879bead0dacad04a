"""Threads that decode and classify, and the short queue in front of them."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from classifier.errors import QueueFull
from classifier.server.connection import connection_of
from classifier.server.scheduling import mark_compute_thread

T = TypeVar("T")

DISCONNECT_CHECK_SECONDS: Final = 0.1
"""Where disconnects are found by reading: the wait before. Most requests are answered before, and a
task for each of them would cost as much as the whole access log."""


class _Job:
    """`function(*arguments)`, and the future of its result."""

    __slots__ = ("arguments", "function", "future", "loop", "submitted")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.submitted = perf_counter()


class _DisconnectWatch:
    """Cancels `jobs` when the client of their request disconnects."""

    def __init__(self, jobs: Sequence["asyncio.Future[Any]"], request: Request) -> None:
        self.disconnected = False
        self._jobs = jobs
        self._receive = request.receive
        self._connection = connection_of(request.scope)
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if self._connection:
            self._connection.watch(self._cancel)
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(DISCONNECT_CHECK_SECONDS, self._start)

    def stop(self) -> None:
        if self._connection:
            self._connection.stop_watching()
        if self._timer:
            self._timer.cancel()
        if self._task:
            self._task.cancel()

    def _start(self) -> None:
        self._task = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        await self._receive()
        self._cancel()

    def _cancel(self) -> None:
        self.disconnected = True
        for job in self._jobs:
            job.cancel()


class Pool:
    """Thread pool with a bounded queue; cancels queued jobs whose client has disconnected.

    Declined: `anyio.CapacityLimiter` (89 us of CPU for each job against 28, and a queue without
    bound) and `concurrent.futures` (which cannot drop a queued job). The methods are called from
    the event loop. Threads start with the first jobs and end with the process.
    """

    def __init__(
        self,
        threads: int,
        queue: int,
        observe_wait: Callable[[float], None] = lambda seconds: None,
        on_finished: Callable[[], None] = lambda: None,
    ) -> None:
        """`queue` is the number of queued jobs from which on requests are rejected. A thread calls
        `observe_wait` with the seconds that each job was queued. `on_finished` is called in the
        event loop when there is more room."""
        self._threads = threads
        self._queue_limit = queue
        self._observe_wait = observe_wait
        self._on_finished = on_finished
        self._queue: deque[_Job] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._started: list[threading.Thread] = []
        self._unfinished = 0

    def ensure_capacity(self) -> None:
        """Raises `QueueFull`."""
        if self.queued >= self._queue_limit:
            raise QueueFull

    @property
    def queued(self) -> int:
        """The number of jobs that wait for a thread"""
        return max(0, self._unfinished - self._threads)

    def submit(self, function: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        """Run `function` in a thread. Cancelling the future drops a job that has not started."""
        if len(self._started) < min(self._threads, self._unfinished + 1):
            thread = threading.Thread(
                target=self._run_jobs, name=f"classify_{len(self._started)}", daemon=True
            )
            self._started.append(thread)
            thread.start()
        job = _Job(function, arguments)
        self._unfinished += 1
        self._queue.append(job)
        self._wake.put(None)
        return job.future

    async def gather(self, jobs: Sequence["asyncio.Future[T]"], request: Request) -> list[T]:
        """The results of the `jobs` of `request`, in order. Raises `ClientDisconnect` when the
        client disconnects while jobs are queued; these are dropped."""
        watch = _DisconnectWatch(jobs, request) if self._unfinished > self._threads else None
        try:
            return [await job for job in jobs]
        except BaseException:
            self._drop(jobs)
            if watch and watch.disconnected:
                raise ClientDisconnect from None
            raise
        finally:
            if watch:
                watch.stop()

    def _drop(self, futures: Sequence["asyncio.Future[Any]"]) -> None:
        for future in futures:
            future.cancel()
        before = self._unfinished
        for job in list(self._queue):  # a copy, made at once: threads take from the queue meanwhile
            if job.future.cancelled():
                with suppress(ValueError):  # a thread has taken it, and skips it
                    self._queue.remove(job)
                    self._unfinished -= 1
        if self._unfinished < before:
            self._on_finished()

    def _run_jobs(self) -> None:
        mark_compute_thread()
        while True:
            self._wake.get()
            try:
                job = self._queue.popleft()
            except IndexError:  # dropped
                continue
            self._observe_wait(perf_counter() - job.submitted)
            result: Any = None
            error: Exception | None = None
            if not job.future.cancelled():
                try:
                    result = job.function(*job.arguments)
                except Exception as raised:
                    error = raised
            with suppress(RuntimeError):  # the event loop is closed
                job.loop.call_soon_threadsafe(self._finish, job, result, error)
            del job, result, error  # do not keep images until the next job

    def _finish(self, job: _Job, result: Any, error: Exception | None) -> None:
        self._unfinished -= 1
        if not job.future.done():
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)
        self._on_finished()
