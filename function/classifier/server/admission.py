"""Which requests may send their body now, which wait for that, and which are refused.

A request is admitted when the queue and the memory have room for it. Until then it waits, and its
body stays with the client. Refusing a request costs CPU time that the admitted ones need, above all
if its client retries at once, so requests are refused late, and at a limited rate.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from starlette.requests import ClientDisconnect

from classifier.errors import RETRY_SECONDS, QueueFull, TooManyUploads
from classifier.images import MemoryBudget
from classifier.server.connection import Connection
from classifier.telemetry.metrics import Metrics

REFUSALS_PER_SECOND: Final = 25
"""For each thread. A refusal, with the connection that its client opens again, takes up to a
millisecond of CPU: at this rate 2.5 % of a core. More only if the wait would get too long."""

MAX_WAIT_SECONDS: Final = 60
"""The longest wait before a refusal; a common timeout of proxies and load balancers"""

MAX_WAITING: Final = 2_000
"""Waiting requests for each thread; more are refused at once."""

SHORT_QUEUE: Final = 8
"""Images for each thread that keep it busy: 0.1 s of work"""

WAITING_BYTES: Final = 32 * 1024
"""Memory of a waiting request: its connection, its head, and its task (measured: 28 kB)"""

ARRIVAL_SECONDS: Final = 0.25
"""An admitted body that takes longer to arrive no longer keeps its place in the queue, so that slow
clients cannot fill it."""

_TICK_SECONDS: Final = 0.2
"""Refusals are made together: each takes a fraction of the time while the code for it is in the
processor's caches. Those of a whole second would stop the event loop for 0.1 s."""


class Place:
    """A place in the queue for a request whose body is arriving."""

    __slots__ = ("_leave", "kept", "since", "waited")

    def __init__(self, since: float, leave: Callable[["Place"], None]) -> None:
        self.since = since
        self.kept = True
        """Whether the place is still this request's."""
        self.waited = False
        """Whether the request had to wait for the place"""
        self._leave = leave

    def leave(self) -> None:
        """Give the place up: the images are in the queue, or the request has failed."""
        self._leave(self)


class _Waiting:
    """A request that waits: the size of its body, its connection, and the future of its place."""

    __slots__ = ("connection", "future", "since", "size")

    def __init__(
        self, size: int, connection: Connection | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.size = size
        self.connection = connection
        self.since = loop.time()
        self.future: asyncio.Future[Place] = loop.create_future()

    def disconnect(self) -> None:
        """The client has disconnected."""
        if not self.future.done():
            self.future.set_exception(ClientDisconnect())


class Admission:
    """Admits requests in order of arrival, within the wait that `Retry-After` would ask for.

    A request that has waited for longer is passed over: a short wait for some, which ends in a
    refusal for the others, serves more clients than a wait that is too long for all. It is admitted
    when no younger one waits, and refused before long otherwise. While there are such requests, the
    queue is kept short. The methods are called from the event loop.
    """

    def __init__(
        self,
        queued: Callable[[], int],
        memory: MemoryBudget,
        *,
        limit: int,
        threads: int = 1,
        metrics: Metrics | None = None,
    ) -> None:
        """`queued` returns the number of images in the queue for the `threads`; below `limit`
        there is room for more."""
        self._queued = queued
        self._limit = limit
        self._short = min(limit, threads * SHORT_QUEUE)
        self._memory = memory
        self._metrics = metrics or Metrics()
        self._refusals_per_second = threads * REFUSALS_PER_SECOND
        self._max_waiting = min(threads * MAX_WAITING, memory.bodies // 4 // WAITING_BYTES)
        self._waiting: OrderedDict[_Waiting, None] = OrderedDict()
        """In order of arrival, without those that are passed over"""
        self._passed_over: OrderedDict[_Waiting, None] = OrderedDict()
        """In order of arrival"""
        self._arriving: deque[Place] = deque()
        self._kept = 0
        """Places that are kept for arriving bodies"""
        self._crowded_since: float | None = None
        """When requests began to wait; since then, all that arrived have had to"""
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    @property
    def waiting(self) -> int:
        """The number of requests that wait"""
        return len(self._waiting) + len(self._passed_over)

    @property
    def crowded(self) -> bool:
        """Whether a request that arrives now has to wait."""
        return self.waiting > 0 or not self._has_room(self._limit)

    @property
    def crowded_seconds(self) -> float:
        """For how long each request that arrived has had to wait; 0 if the next one would not."""
        if not self.crowded:
            self._crowded_since = None
        return 0.0 if self._crowded_since is None else self._now() - self._crowded_since

    async def enter(self, size: int, connection: Connection | None = None) -> Place:
        """Wait for room for an image, and for a body of `size` bytes (0 if unknown). Raises
        `QueueFull` or `TooManyUploads` after a wait, and `ClientDisconnect`."""
        if not self.waiting and self._fits(size, self._limit):
            return self._place()
        place = await self._wait(size, connection)
        place.waited = True
        return place

    def admit(self) -> None:
        """Admit waiting requests, as far as there is room. Called when there may be more."""
        self._pass_over()
        while self.waiting:
            first = next(iter(self._waiting or self._passed_over))
            if not self._fits(first.size, self._short if self._passed_over else self._limit):
                break
            self._forget(first)
            if not first.future.done():
                first.future.set_result(self._place())
        if self._crowded_since is not None and not self.crowded:
            self._crowded_since = None

    def end(self) -> None:
        """The server shuts down: refuse all requests that wait, now, and those that would have
        to."""
        self._ended = True
        self._refuse(self.waiting)

    async def _wait(self, size: int, connection: Connection | None) -> Place:
        if self._ended or self.waiting >= self._max_waiting:
            raise QueueFull
        self._memory.take_body(WAITING_BYTES)
        request = _Waiting(size, connection, asyncio.get_running_loop())
        self._waiting[request] = None
        if self._crowded_since is None:
            self._crowded_since = request.since
        self._metrics.wait_started()
        self._start_timer()
        try:
            return await request.future
        except asyncio.CancelledError:
            if request.future.done() and not request.future.cancelled():
                request.future.result().leave()  # admitted at the moment of the cancellation
            raise
        finally:
            if connection:
                connection.stop_watching()
            self._forget(request)
            self._memory.give_back_body(WAITING_BYTES)
            self._metrics.wait_ended()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _place(self) -> Place:
        place = Place(self._now(), self._leave)
        self._arriving.append(place)
        self._kept += 1
        return place

    def _leave(self, place: Place) -> None:
        if place.kept:
            place.kept = False
            self._kept -= 1
        self.admit()

    def _fits(self, size: int, limit: int) -> bool:
        return self._has_room(limit) and self._memory.has_room(max(1, size))

    def _has_room(self, limit: int) -> bool:
        late = self._now() - ARRIVAL_SECONDS
        while self._arriving and (not self._arriving[0].kept or self._arriving[0].since < late):
            place = self._arriving.popleft()
            if place.kept:
                place.kept = False
                self._kept -= 1
        return self._queued() + self._kept < limit

    def _pass_over(self) -> None:
        late = self._now() - RETRY_SECONDS
        while self._waiting:
            first = next(iter(self._waiting))
            if first.since > late:
                break
            self._waiting.popitem(last=False)
            self._passed_over[first] = None
            if first.connection:  # most are admitted before it is worthwhile to watch them
                first.connection.watch(first.disconnect)

    def _forget(self, request: _Waiting) -> None:
        self._waiting.pop(request, None)
        self._passed_over.pop(request, None)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        per_second = max(self._refusals_per_second, self.waiting / MAX_WAIT_SECONDS)
        self._refuse(min(len(self._passed_over), math.ceil(per_second * _TICK_SECONDS)))
        self.admit()  # places of slow bodies have become free
        if self.waiting:
            self._start_timer()

    def _refuse(self, count: int) -> None:
        """Refuse the oldest requests."""
        for _ in range(count):
            oldest, _ = (self._passed_over or self._waiting).popitem(last=False)
            if not oldest.future.done():
                memory = self._memory.has_room(oldest.size)
                oldest.future.set_exception(QueueFull() if memory else TooManyUploads())
