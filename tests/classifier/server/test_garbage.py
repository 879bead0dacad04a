"""Requests leave nothing for the garbage collector."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from uvicorn.config import Config

from classifier.server import garbage
from tests.classifier.server.fake_clock import Connection, FakeClockLoop, run
from tests.support import raw


@contextmanager
def thresholds_restored() -> Iterator[None]:
    before = gc.get_threshold()
    try:
        yield
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(raw.get("/healthz"), id="GET"),
        pytest.param(raw.get("/nothing"), id="404"),
        pytest.param(raw.post("image/jpeg", "Content-Length: 2") + b"no", id="415"),
        pytest.param(raw.post("image/jpeg", "Content-Length: 9999999"), id="413"),
    ],
)
def test_requests_create_no_cyclic_garbage(config: Config, request_: bytes) -> None:
    async def test(loop: FakeClockLoop) -> None:
        async def send() -> None:
            client = Connection(loop, config)
            await client.send(request_)
            await client.has_responded()
            await client.close()

        await send()  # the first fills caches
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await send()
            loop.forget_timers()
            assert gc.collect() < 10, "each request leaves cyclic garbage"
        finally:
            gc.enable()

    run(test)


def test_full_collections_wait_for_a_quiet_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    collections: list[bool] = []
    moments = iter([False, True, False])
    monkeypatch.setattr(gc, "collect", lambda: collections.append(True))

    async def test(loop: FakeClockLoop) -> None:
        task = loop.create_task(garbage.collect_when(lambda: next(moments)))
        await loop.advance(0)
        for expected in (0, 1, 1):
            await loop.advance(60)
            assert len(collections) == expected
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(test)


def test_full_collections_are_not_automatic() -> None:
    with thresholds_restored():
        garbage.configure()
        assert gc.get_threshold()[2] >= 1_000_000
