"""Requests that wait for room in the queue, on a fake clock: their bodies are not read."""

import asyncio
import functools
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final

import pytest
from uvicorn.config import Config

from classifier.api.app import create_app
from classifier.api.service import Service
from classifier.classifier import Classifier
from classifier.errors import RETRY_SECONDS
from classifier.model import Model, load_model
from classifier.server.admission import ARRIVAL_SECONDS
from classifier.server.reading import HEAD_BYTES
from classifier.settings import SHIPPED_MODEL, Settings
from classifier.telemetry.metrics import Metrics
from tests.classifier.server.fake_clock import (
    Connection,
    FakeClockLoop,
    configured,
    on_fake_loop,
    settle,
)
from tests.support import raw

HEAD: Final = raw.post("image/jpeg", "Content-Length: 88000")
BODY: Final = bytes(88_000)
MODEL: Final = load_model(str(SHIPPED_MODEL))


class Crowded:
    """The service with one thread, which is blocked, and a full queue of one job."""

    def __init__(self, loop: FakeClockLoop, model: Model) -> None:
        settings = Settings(threads=1, queue=1, access_log=False)
        self.service = Service(Classifier(model, Metrics()), settings)
        self._config: Config = configured(
            create_app(self.service), settings, self.service.admission
        )
        self._loop = loop
        self._blocking = threading.Event()

    @asynccontextmanager
    async def full(self, jobs: int = 2) -> AsyncIterator[None]:
        """The thread is blocked, and the queue full (with 1 job: empty), until `make_room` or the
        end."""
        blocked = [self.service.pool.submit(self._blocking.wait) for _ in range(jobs)]
        try:
            yield
        finally:
            self._blocking.set()
            await asyncio.gather(*blocked)

    async def make_room(self) -> None:
        self._blocking.set()
        while self.service.pool.queued:
            await asyncio.sleep(0)
        await settle()

    def connect(self) -> Connection:
        return Connection(self._loop, self._config)

    @property
    def waiting(self) -> int:
        return self.service.admission.waiting


def in_a_crowd(
    scenario: Callable[[FakeClockLoop, Crowded], Coroutine[object, object, None]],
) -> Callable[[], None]:
    """A pytest test that calls `scenario` with a loop and the service."""

    @functools.wraps(scenario)
    async def with_service(loop: FakeClockLoop) -> None:
        await scenario(loop, Crowded(loop, MODEL))

    return on_fake_loop(with_service)


@in_a_crowd
async def test_refused_body_is_not_read_before_the_response(
    loop: FakeClockLoop, crowd: Crowded
) -> None:
    async with crowd.full():
        client = crowd.connect()
        await client.send(HEAD + BODY)
        assert crowd.waiting == 1
        unread = len(client.transport.unread)
        assert unread == len(HEAD) + len(BODY) - HEAD_BYTES
        await loop.advance(RETRY_SECONDS - 0.001)
        assert client.received == b""
        assert len(client.transport.unread) == unread
        for _ in range(5):
            await loop.advance(0.1)
        assert raw.status(client.received) == 503
        assert b"\r\nretry-after: 1\r\n" in client.received
        assert b"\r\nconnection: close\r\n" in client.received
        assert client.transport.has_ended
        await client.close()
        assert client.is_closed


@in_a_crowd
async def test_body_is_read_when_there_is_room(loop: FakeClockLoop, crowd: Crowded) -> None:
    async with crowd.full():
        client = crowd.connect()
        await client.send(HEAD + BODY)
        assert client.transport.unread
        await crowd.make_room()
        await client.has_responded()
        assert raw.status(client.received) == 415  # read, and not an image
        assert not client.transport.unread
        assert not client.is_closed


@in_a_crowd
async def test_waiting_request_whose_client_disconnects_leaves(
    loop: FakeClockLoop, crowd: Crowded
) -> None:
    async with crowd.full():
        client = crowd.connect()
        await client.send(raw.post("image/jpeg", "Content-Length: 3") + b"abc")
        assert crowd.waiting == 1
        await client.close()
        await loop.advance(RETRY_SECONDS)
        assert crowd.waiting == 0


@in_a_crowd
async def test_other_routes_do_not_wait(loop: FakeClockLoop, crowd: Crowded) -> None:
    async with crowd.full():
        client = crowd.connect()
        await client.send(raw.get("/healthz"))
        assert raw.status(client.received) == 200


@in_a_crowd
async def test_body_that_is_too_large_is_refused_at_once(
    loop: FakeClockLoop, crowd: Crowded
) -> None:
    async with crowd.full():
        client = crowd.connect()
        await client.send(raw.post("image/jpeg", f"Content-Length: {10**9}"))
        assert raw.status(client.received) == 413
        assert crowd.waiting == 0


@in_a_crowd
async def test_slow_body_that_finds_the_queue_full_is_refused(
    loop: FakeClockLoop, crowd: Crowded
) -> None:
    """Given a body that arrives so slowly that it has lost its place."""
    client = crowd.connect()
    await client.send(raw.post("image/jpeg", "Content-Length: 3") + b"a")
    await loop.advance(2 * ARRIVAL_SECONDS)
    async with crowd.full():
        other = crowd.connect()
        await other.send(HEAD)
        await client.send(b"bc")
        assert raw.status(client.received) == 503


@in_a_crowd
async def test_waiting_request_is_refused_at_the_shutdown(
    loop: FakeClockLoop, crowd: Crowded
) -> None:
    async with crowd.full():
        client = crowd.connect()
        await client.send(HEAD + BODY)
        assert crowd.waiting == 1
        client.protocol.shutdown()
        await settle()
        assert raw.status(client.received) == 503
        assert client.transport.has_ended


@pytest.mark.parametrize("jobs", [1, 2])
def test_server_timing_has_the_time_in_the_queue(jobs: int, sample: bytes) -> None:
    @in_a_crowd
    async def scenario(loop: FakeClockLoop, crowd: Crowded) -> None:
        # given: a request that waits for a thread, or for room in the queue
        async with crowd.full(jobs):
            client = crowd.connect()
            started = time.perf_counter()
            await client.send(raw.post("image/jpeg", f"Content-Length: {len(sample)}") + sample)
            await settle()
            assert crowd.waiting == jobs - 1
            time.sleep(0.05)
            await crowd.make_room()
            await client.has_responded()
            elapsed = time.perf_counter() - started
            await client.close()
        queue, decode, infer = map(float, re.findall(rb";dur=([\d.]+)", client.received))
        assert queue >= 49.9
        assert queue + decode + infer <= elapsed * 1000

    scenario()
