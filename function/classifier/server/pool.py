"""Threads that decode and classify, and the short queue before them."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")

PATIENCE_SECONDS: Final = 0.1
"""From when on it is noticed that a client no longer waits. Most are answered before, and a task
for each of them would cost as much as all of the log."""


class Busy(Exception):
    """There is no room for another request; the message says which room that is."""


class _Job:
    """`function(*arguments)`, and the future that its outcome goes to."""

    __slots__ = ("arguments", "function", "future", "given", "loop")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.given = perf_counter()


class _Watch:
    """Cancels `jobs` when the client that waits for them goes away."""

    def __init__(self, jobs: Sequence["asyncio.Future[Any]"], receive: Receive) -> None:
        self.gone = False
        self._jobs = jobs
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._begin)

    def end(self) -> None:
        self._timer.cancel()
        if self._task:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._until_gone())

    async def _until_gone(self) -> None:
        await self._receive()
        self.gone = True
        for job in self._jobs:
            job.cancel()


class Workers:
    """A pool that knows how much waits, lets no more wait, and drops what nobody waits for.

    `concurrent.futures` queues without bound. All methods but the threads' own are called from the
    event loop. The threads start with the first jobs, and end with the process.
    """

    def __init__(
        self, threads: int, queue: int, waited: Callable[[float], None] = lambda seconds: None
    ) -> None:
        """`queue` is the number of waiting jobs from which on there is no room for a request;
        `waited` is told, from a thread, the seconds that each job has waited."""
        self._threads = threads
        self._queue = queue
        self._waited = waited
        self._waiting: deque[_Job] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._started: list[threading.Thread] = []
        self._unfinished = 0

    def check_room(self) -> None:
        """Raises `Busy`. Called before a body is read, and again before its images are given."""
        if len(self._waiting) >= self._queue:
            raise Busy("As many images wait as may wait")

    def give(self, function: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        """Have a thread call `function`. Cancelling the future drops what has not begun."""
        if len(self._started) < min(self._threads, self._unfinished + 1):
            thread = threading.Thread(
                target=self._work, name=f"classify_{len(self._started)}", daemon=True
            )
            self._started.append(thread)
            thread.start()
        job = _Job(function, arguments)
        self._unfinished += 1
        self._waiting.append(job)
        self._wake.put(None)
        return job.future

    async def run(self, jobs: Sequence["asyncio.Future[T]"], receive: Receive) -> list[T]:
        """The outcomes of `jobs`, in order. Raises `ClientDisconnect` when the client goes away
        while some of them still wait after `PATIENCE_SECONDS`, which are dropped."""
        watch = _Watch(jobs, receive) if self._unfinished > self._threads else None
        try:
            return [await job for job in jobs]
        except BaseException:
            self._drop(jobs)
            if watch and watch.gone:
                raise ClientDisconnect from None
            raise
        finally:
            if watch:
                watch.end()

    def _drop(self, futures: Sequence["asyncio.Future[Any]"]) -> None:
        for future in futures:
            future.cancel()
        for job in list(self._waiting):  # a copy, made at once: threads take from it meanwhile
            if job.future.cancelled():
                with suppress(ValueError):  # a thread was faster, and passes it over
                    self._waiting.remove(job)
                    self._unfinished -= 1

    def _work(self) -> None:
        _schedule_as_batch()
        while True:
            self._wake.get()
            try:
                job = self._waiting.popleft()
            except IndexError:  # dropped
                continue
            self._waited(perf_counter() - job.given)
            outcome: Any = None
            error: Exception | None = None
            if not job.future.cancelled():
                try:
                    outcome = job.function(*job.arguments)
                except Exception as raised:
                    error = raised
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                job.loop.call_soon_threadsafe(self._finish, job, outcome, error)
            del job, outcome, error  # images are not kept until the next one comes

    def _finish(self, job: _Job, outcome: Any, error: Exception | None) -> None:
        self._unfinished -= 1
        if job.future.done():
            return
        if error is None:
            job.future.set_result(outcome)
        else:
            job.future.set_exception(error)


def _schedule_as_batch() -> None:
    """Tell the system that this thread computes. It then does not preempt the event loop, or a
    client on the same machine, when it gets work (Linux: sched(7), SCHED_BATCH)."""
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
