"""Which requests are admitted, in which order, and when the others are refused, on a fake clock."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from classifier.errors import RETRY_SECONDS, QueueFull, TooManyUploads
from classifier.images import UNLIMITED, MemoryBudget
from classifier.server.admission import (
    ARRIVAL_SECONDS,
    MAX_WAIT_SECONDS,
    MAX_WAITING,
    REFUSALS_PER_SECOND,
    SHORT_QUEUE,
    WAITING_BYTES,
    Admission,
    Place,
)
from tests.classifier.server.fake_clock import JUST, FakeClockLoop, on_fake_loop, settle

TICKS = 10
"""Steps of 0.1 s; more than the time between two rounds of refusals"""


LIMIT = 100
"""Images in the queue"""


class Queue:
    """A queue with room for `room` more images, and the requests that wait for it."""

    def __init__(
        self, loop: FakeClockLoop, room: int = 0, memory: MemoryBudget = UNLIMITED
    ) -> None:
        self.room = room
        self.admission = Admission(lambda: LIMIT - self.room, memory, limit=LIMIT)
        self.admitted: list[str] = []
        self._loop = loop
        self._tasks: dict[str, asyncio.Task[Place]] = {}

    async def arrive(self, *names: str, size: int = 0, connection: Any = None) -> None:
        """A request for each name arrives; its body has `size` bytes."""
        for name in names:
            self._tasks[name] = self._loop.create_task(self._enter(name, size, connection))
            await settle()

    async def give(self, room: int) -> None:
        """Make room for `room` more images."""
        self.room += room
        self.admission.admit()
        await settle()

    async def queue(self, name: str) -> None:
        """The body of the request `name` has arrived, and its image is queued."""
        self.room -= 1
        self._tasks[name].result().leave()
        await settle()

    async def leave(self, name: str) -> None:
        """The admitted request fails."""
        self._tasks[name].result().leave()
        await settle()

    async def disconnect(self, name: str) -> None:
        self._tasks[name].cancel()
        await settle()

    def place(self, name: str) -> Place:
        return self._tasks[name].result()

    def refused(self, kind: type[Exception] = QueueFull) -> list[str]:
        """The names of the requests that were refused with an error of this kind."""
        return [
            name
            for name, task in self._tasks.items()
            if task.done() and not task.cancelled() and isinstance(task.exception(), kind)
        ]

    async def _enter(self, name: str, size: int, connection: Any) -> Place:
        place = await self.admission.enter(size, connection)
        self.admitted.append(name)
        return place


async def wait(loop: FakeClockLoop) -> None:
    for _ in range(TICKS):
        await loop.advance(0.1)


@on_fake_loop
async def test_requests_are_admitted_at_once_while_there_is_room(loop: FakeClockLoop) -> None:
    queue = Queue(loop, room=2)
    await queue.arrive("a", "b", "c")
    assert queue.admitted == ["a", "b"]
    assert not queue.place("a").waited
    assert queue.admission.waiting == 1


@on_fake_loop
async def test_requests_are_admitted_in_order_of_arrival(loop: FakeClockLoop) -> None:
    queue = Queue(loop)
    await queue.arrive("a", "b", "c")
    await queue.give(2)
    assert queue.admitted == ["a", "b"]
    assert queue.place("a").waited
    await queue.queue("a")
    await queue.give(1)
    assert queue.admitted == ["a", "b", "c"]


@on_fake_loop
async def test_request_that_has_waited_for_a_second_is_passed_over(loop: FakeClockLoop) -> None:
    """While there is one, the queue is kept short."""
    queue = Queue(loop)
    await queue.arrive(*(f"old {number}" for number in range(100)))
    await loop.advance(RETRY_SECONDS - JUST)
    await queue.arrive("new", "newer")
    await queue.give(1)
    assert queue.admitted == ["old 0"]
    await loop.advance(JUST)
    await queue.give(LIMIT - SHORT_QUEUE)
    assert queue.admitted == ["old 0"]
    await queue.give(2)
    assert queue.admitted[1:] == ["new", "newer"]


@on_fake_loop
async def test_request_that_was_passed_over_is_admitted_when_no_other_waits(
    loop: FakeClockLoop,
) -> None:
    queue = Queue(loop)
    await queue.arrive(*(f"old {number}" for number in range(100)))
    await loop.advance(RETRY_SECONDS)
    refused = len(queue.refused())
    await queue.arrive("new")
    await queue.give(LIMIT - SHORT_QUEUE + 3)
    assert queue.admitted == ["new", f"old {refused}", f"old {refused + 1}"]


@on_fake_loop
async def test_nobody_is_refused_before_retry_after_has_passed(loop: FakeClockLoop) -> None:
    queue = Queue(loop)
    await queue.arrive("a")
    await loop.advance(RETRY_SECONDS - JUST)
    assert queue.refused() == []
    await wait(loop)
    assert queue.refused() == ["a"]
    assert queue.admission.waiting == 0
    assert loop.armed() == []


@on_fake_loop
async def test_crowd_is_refused_slowly_the_oldest_first(loop: FakeClockLoop) -> None:
    queue = Queue(loop)
    await queue.arrive(*map(str, range(4 * REFUSALS_PER_SECOND)))
    await loop.advance(RETRY_SECONDS)
    for _ in range(20):
        await loop.advance(0.05)
    refused = len(queue.refused())
    assert 0.5 * REFUSALS_PER_SECOND <= refused <= 1.5 * REFUSALS_PER_SECOND
    assert queue.refused() == [str(number) for number in range(refused)]


@on_fake_loop
async def test_large_crowd_is_refused_within_the_longest_wait(loop: FakeClockLoop) -> None:
    queue = Queue(loop)
    await queue.arrive(*map(str, range(MAX_WAITING)))
    for _ in range(int(MAX_WAIT_SECONDS * 20)):
        await loop.advance(0.05)
    first_half = len(queue.refused())
    assert first_half > MAX_WAITING / 2
    assert queue.refused() == [str(number) for number in range(first_half)]


@on_fake_loop
async def test_requests_beyond_the_waiting_room_are_refused_at_once(loop: FakeClockLoop) -> None:
    queue = Queue(loop)
    await queue.arrive(*map(str, range(MAX_WAITING)), "one too many")
    assert queue.refused() == ["one too many"]


@on_fake_loop
async def test_waiting_requests_take_at_most_a_quarter_of_the_memory_for_bodies(
    loop: FakeClockLoop,
) -> None:
    memory = MemoryBudget(400 * WAITING_BYTES, bodies=40 * WAITING_BYTES)
    queue = Queue(loop, memory=memory)
    await queue.arrive(*map(str, range(11)))
    assert queue.refused() == ["10"]
    assert memory.has_room(30 * WAITING_BYTES)
    assert not memory.has_room(30 * WAITING_BYTES + 1)
    await queue.give(20)
    assert memory.has_room(40 * WAITING_BYTES)


@on_fake_loop
async def test_request_waits_for_memory_for_its_body(loop: FakeClockLoop) -> None:
    memory = MemoryBudget(400_000, bodies=200_000)
    memory.take_body(150_000)
    queue = Queue(loop, room=5, memory=memory)
    await queue.arrive("large", size=60_000)
    assert queue.admitted == []
    memory.give_back_body(150_000)
    queue.admission.admit()
    await settle()
    assert queue.admitted == ["large"]


@on_fake_loop
async def test_refusal_names_the_memory_where_the_queue_has_room(loop: FakeClockLoop) -> None:
    memory = MemoryBudget(400_000, bodies=200_000)
    memory.take_body(150_000)
    queue = Queue(loop, room=5, memory=memory)
    await queue.arrive("large", size=60_000)
    await loop.advance(RETRY_SECONDS)
    await wait(loop)
    assert queue.refused(TooManyUploads) == ["large"]
    memory.give_back_body(150_000)
    assert memory.has_room(200_000)


@on_fake_loop
async def test_arriving_body_keeps_its_place(loop: FakeClockLoop) -> None:
    queue = Queue(loop, room=1)
    await queue.arrive("a", "b")
    await loop.advance(ARRIVAL_SECONDS)
    assert queue.admitted == ["a"]
    assert queue.place("a").kept
    await queue.queue("a")
    assert queue.admitted == ["a"]


@on_fake_loop
async def test_slow_bodies_do_not_keep_others_waiting(loop: FakeClockLoop) -> None:
    queue = Queue(loop, room=1)
    await queue.arrive("slow", "b")
    for _ in range(6):
        await loop.advance(0.1)
    assert queue.admitted == ["slow", "b"]
    assert not queue.place("slow").kept


@on_fake_loop
async def test_failed_request_gives_its_place_to_the_next(loop: FakeClockLoop) -> None:
    queue = Queue(loop, room=1)
    await queue.arrive("a", "b", "c")
    await queue.leave("a")
    assert queue.admitted == ["a", "b"]
    await queue.leave("a")  # for the second time: no effect
    assert queue.admitted == ["a", "b"]


@on_fake_loop
async def test_cancelled_request_waits_no_more(loop: FakeClockLoop) -> None:
    queue = Queue(loop)
    await queue.arrive("a", "b")
    await queue.disconnect("a")
    assert queue.admission.waiting == 1
    await queue.give(1)
    assert queue.admitted == ["b"]


@on_fake_loop
async def test_request_that_is_cancelled_when_it_is_admitted_leaves_its_place(
    loop: FakeClockLoop,
) -> None:
    queue = Queue(loop)
    await queue.arrive("a", "b")
    queue.room = 1
    queue.admission.admit()  # a has its place, but its task has not run yet
    await queue.disconnect("a")
    assert queue.admitted == ["b"]


@on_fake_loop
async def test_request_that_was_passed_over_ends_with_its_connection(loop: FakeClockLoop) -> None:
    class Lost:
        def watch(self, on_disconnect: Callable[[], None]) -> None:
            self.disconnect = on_disconnect

        def stop_watching(self) -> None:
            self.disconnect = lambda: pytest.fail("the wait has ended")

    connection = Lost()
    queue = Queue(loop)
    await queue.arrive("a", connection=connection)
    await loop.advance(RETRY_SECONDS)
    connection.disconnect()
    await settle()
    assert queue.refused(ClientDisconnect) == ["a"]
    assert queue.admission.waiting == 0


@on_fake_loop
async def test_crowded_means_that_the_next_request_waits(loop: FakeClockLoop) -> None:
    queue = Queue(loop, room=1)
    assert not queue.admission.crowded
    await queue.arrive("a")
    assert queue.admission.crowded
    await queue.leave("a")
    assert not queue.admission.crowded


@on_fake_loop
async def test_waiting_requests_are_refused_at_the_shutdown(loop: FakeClockLoop) -> None:
    queue = Queue(loop)
    await queue.arrive("old")
    await loop.advance(RETRY_SECONDS)
    await queue.arrive("new")
    queue.admission.end()
    await queue.arrive("late")
    assert queue.refused() == ["old", "new", "late"]
    assert queue.admission.waiting == 0


@on_fake_loop
async def test_requests_for_which_there_is_room_are_admitted_at_the_shutdown(
    loop: FakeClockLoop,
) -> None:
    queue = Queue(loop, room=1)
    queue.admission.end()
    await queue.arrive("a")
    assert queue.admitted == ["a"]
