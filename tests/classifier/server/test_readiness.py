"""Whether the service should get requests: while it drains or is overloaded, it should not."""

import asyncio

import pytest

from classifier.errors import NotReady
from classifier.images import UNLIMITED
from classifier.server.admission import Admission
from classifier.server.readiness import CROWDED_SECONDS, Readiness
from tests.classifier.server.fake_clock import JUST, FakeClockLoop, on_fake_loop, settle

LIMIT = 2
"""Images in the queue"""


class Service:
    """The admission of a service with `queued` images in its queue, and its readiness."""

    def __init__(self, loop: FakeClockLoop, queued: int) -> None:
        self.queued = queued
        self.admission = Admission(lambda: self.queued, UNLIMITED, limit=LIMIT)
        self.readiness = Readiness(self.admission)
        self._loop = loop

    async def arrive(self) -> "asyncio.Task[object]":
        """A request arrives."""
        task: asyncio.Task[object] = self._loop.create_task(self.admission.enter(1))
        await settle()
        return task

    async def finish(self, images: int) -> None:
        """The threads finish `images`."""
        self.queued -= images
        self.admission.admit()
        await settle()

    def is_ready(self) -> bool:
        try:
            self.readiness.check()
        except NotReady:
            return False
        return True


@on_fake_loop
async def test_service_is_ready_until_requests_have_waited_for_seconds(
    loop: FakeClockLoop,
) -> None:
    """Others take the places of those that are refused."""
    service = Service(loop, queued=LIMIT)
    requests = [await service.arrive()]
    for _ in range(10 * CROWDED_SECONDS - 1):
        await loop.advance(0.1)
        requests.append(await service.arrive())
        assert service.is_ready()
    await loop.advance(0.1)
    assert not service.is_ready()
    with pytest.raises(NotReady, match="The queue has been full for 3 seconds or more"):
        service.readiness.check()
    await service.finish(LIMIT)
    for _ in range(100):  # those that wait get their places, and no body arrives
        await loop.advance(0.1)
    assert service.is_ready()
    await asyncio.gather(*requests, return_exceptions=True)


@on_fake_loop
async def test_full_queue_without_requests_that_wait_is_ready(loop: FakeClockLoop) -> None:
    service = Service(loop, queued=LIMIT)
    await loop.advance(10 * CROWDED_SECONDS)
    assert service.is_ready()


@on_fake_loop
async def test_time_begins_anew_when_there_was_room(loop: FakeClockLoop) -> None:
    service = Service(loop, queued=LIMIT)
    request = await service.arrive()
    await loop.advance(CROWDED_SECONDS / 4)
    await service.finish(LIMIT)
    assert request.done()
    service.queued = LIMIT
    await loop.advance(CROWDED_SECONDS)
    waiting = await service.arrive()
    await loop.advance(JUST)
    assert service.is_ready()
    waiting.cancel()
    await settle()


@on_fake_loop
async def test_service_is_ready_again_when_those_that_waited_have_left(
    loop: FakeClockLoop,
) -> None:
    service = Service(loop, queued=LIMIT)
    request = await service.arrive()
    await loop.advance(JUST)
    request.cancel()
    service.queued = 0  # nothing finishes afterwards
    await settle()
    await loop.advance(2 * CROWDED_SECONDS)
    assert service.is_ready()


@on_fake_loop
async def test_draining_service_is_not_ready(loop: FakeClockLoop) -> None:
    service = Service(loop, queued=0)
    service.readiness.draining = True
    with pytest.raises(NotReady, match=r"is shutting down\. Send requests to another instance"):
        service.readiness.check()
