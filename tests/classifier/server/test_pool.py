"""The thread pool and its queue."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from classifier.errors import QueueFull
from classifier.server.connection import CONNECTION_KEY
from classifier.server.pool import Pool
from tests.support.wait import HANG_SECONDS


class FakeConnection:
    """A connection that is lost as soon as it is watched, or never."""

    def __init__(self, *, lost: bool) -> None:
        self.is_watched = False
        self._lost = lost

    def watch(self, on_disconnect: Callable[[], None]) -> None:
        self.is_watched = True
        if self._lost:
            asyncio.get_running_loop().call_soon(on_disconnect)

    def stop_watching(self) -> None:
        self.is_watched = False


def request(receive: Receive, connection: FakeConnection | None = None) -> Request:
    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    if connection:
        scope[CONNECTION_KEY] = connection
    return Request(scope, receive)


async def stay_connected() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def disconnect() -> Message:
    return {"type": "http.disconnect"}


async def never_read() -> Message:
    raise AssertionError("the connection reports the disconnect")


CONNECTED = request(stay_connected)


async def block_thread(pool: Pool) -> tuple[Callable[[], None], "asyncio.Future[int]"]:
    """Submit a job that blocks a thread, and wait until it runs. Returns the function that
    unblocks it, and its future."""
    started, gate = threading.Event(), threading.Event()

    def job() -> int:
        started.set()
        assert gate.wait(HANG_SECONDS)
        return 0

    future = pool.submit(job)
    assert await asyncio.to_thread(started.wait, HANG_SECONDS)
    return gate.set, future


def test_full_queue_refuses_until_a_job_finishes() -> None:
    async def fill() -> None:
        pool = Pool(threads=1, queue=2)
        unblock, first = await block_thread(pool)
        for _ in range(2):
            pool.ensure_capacity()
            pool.submit(int)
        with pytest.raises(QueueFull):
            pool.ensure_capacity()
        unblock()
        await pool.gather([first, pool.submit(int)], CONNECTED)
        pool.ensure_capacity()

    asyncio.run(fill())


@pytest.mark.parametrize("connection", [None, FakeConnection(lost=True)])
def test_jobs_of_disconnected_clients_are_cancelled(connection: FakeConnection | None) -> None:
    """The connection reports the disconnect; without one, it is read."""
    client = request(never_read if connection else disconnect, connection)

    async def cancel() -> None:
        done: list[int] = []

        def job(number: int) -> int:
            done.append(number)
            return number

        pool = Pool(threads=1, queue=1)
        unblock, first = await block_thread(pool)
        jobs = [pool.submit(job, number) for number in range(5)]
        with pytest.raises(QueueFull):
            pool.ensure_capacity()
        with pytest.raises(ClientDisconnect):
            await pool.gather(jobs, client)
        pool.ensure_capacity()
        last = pool.submit(job, 5)
        unblock()
        await pool.gather([first, last], CONNECTED)
        assert done == [5]
        assert not (connection and connection.is_watched)

    asyncio.run(cancel())


def test_gather_raises_the_error_of_a_job() -> None:
    async def fail() -> None:
        pool = Pool(threads=1, queue=1)
        with pytest.raises(ZeroDivisionError):
            await pool.gather([pool.submit(divmod, 1, 0)], CONNECTED)
        assert await pool.gather([pool.submit(divmod, 7, 2)], CONNECTED) == [(3, 1)]

    asyncio.run(fail())


def test_all_threads_run_jobs_in_parallel() -> None:
    async def meet() -> None:
        together = threading.Barrier(3, timeout=HANG_SECONDS)
        pool = Pool(threads=3, queue=9)
        jobs = [pool.submit(together.wait) for _ in range(9)]
        assert sorted(await pool.gather(jobs, CONNECTED)) == sorted([0, 1, 2] * 3)

    asyncio.run(meet())
