"""The queue before the threads, by itself."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.requests import ClientDisconnect

from classifier.errors import QueueFull
from classifier.server.pool import Pool
from tests.support.wait import HANG_SECONDS


async def stays() -> dict[str, str]:
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> dict[str, str]:
    return {"type": "http.disconnect"}


async def occupy(pool: Pool) -> tuple[Callable[[], None], "asyncio.Future[int]"]:
    """Give a job that keeps a thread, and wait until the thread has it. Returns what lets it go,
    and its future."""
    begun, gate = threading.Event(), threading.Event()

    def job() -> int:
        begun.set()
        assert gate.wait(HANG_SECONDS)
        return 0

    future = pool.submit(job)
    assert await asyncio.to_thread(begun.wait, HANG_SECONDS)
    return gate.set, future


def test_there_is_room_until_as_many_wait_as_may() -> None:
    async def fill() -> None:
        pool = Pool(threads=1, queue=2)
        let_go, first = await occupy(pool)
        for _ in range(2):
            pool.ensure_capacity()
            pool.submit(int)
        with pytest.raises(QueueFull):
            pool.ensure_capacity()
        let_go()
        await pool.gather([first, pool.submit(int)], stays)
        pool.ensure_capacity()

    asyncio.run(fill())


def test_what_nobody_waits_for_is_dropped_and_gives_room() -> None:
    async def leave() -> None:
        done: list[int] = []

        def job(number: int) -> int:
            done.append(number)
            return number

        pool = Pool(threads=1, queue=1)
        let_go, first = await occupy(pool)
        jobs = [pool.submit(job, number) for number in range(5)]
        with pytest.raises(QueueFull):
            pool.ensure_capacity()
        with pytest.raises(ClientDisconnect):
            await pool.gather(jobs, leaves)
        pool.ensure_capacity()
        last = pool.submit(job, 5)
        let_go()
        await pool.gather([first, last], stays)
        assert done == [5]

    asyncio.run(leave())


def test_an_error_is_raised_where_it_is_waited_for() -> None:
    async def fail() -> None:
        pool = Pool(threads=1, queue=1)
        with pytest.raises(ZeroDivisionError):
            await pool.gather([pool.submit(divmod, 1, 0)], stays)
        assert await pool.gather([pool.submit(divmod, 7, 2)], stays) == [(3, 1)]

    asyncio.run(fail())


def test_as_many_at_once_as_there_are_threads() -> None:
    async def meet() -> None:
        together = threading.Barrier(3, timeout=HANG_SECONDS)
        pool = Pool(threads=3, queue=9)
        jobs = [pool.submit(together.wait) for _ in range(9)]
        assert sorted(await pool.gather(jobs, stays)) == sorted([0, 1, 2] * 3)

    asyncio.run(meet())
