"""The thread pool and its queue."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.requests import ClientDisconnect

from classifier.errors import QueueFull
from classifier.server.pool import Pool
from tests.support.wait import HANG_SECONDS


async def stay_connected() -> dict[str, str]:
    await asyncio.Event().wait()
    raise AssertionError


async def disconnect() -> dict[str, str]:
    return {"type": "http.disconnect"}


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
        await pool.gather([first, pool.submit(int)], stay_connected)
        pool.ensure_capacity()

    asyncio.run(fill())


def test_jobs_of_disconnected_clients_are_cancelled() -> None:
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
            await pool.gather(jobs, disconnect)
        pool.ensure_capacity()
        last = pool.submit(job, 5)
        unblock()
        await pool.gather([first, last], stay_connected)
        assert done == [5]

    asyncio.run(cancel())


def test_gather_raises_the_error_of_a_job() -> None:
    async def fail() -> None:
        pool = Pool(threads=1, queue=1)
        with pytest.raises(ZeroDivisionError):
            await pool.gather([pool.submit(divmod, 1, 0)], stay_connected)
        assert await pool.gather([pool.submit(divmod, 7, 2)], stay_connected) == [(3, 1)]

    asyncio.run(fail())


def test_all_threads_run_jobs_in_parallel() -> None:
    async def meet() -> None:
        together = threading.Barrier(3, timeout=HANG_SECONDS)
        pool = Pool(threads=3, queue=9)
        jobs = [pool.submit(together.wait) for _ in range(9)]
        assert sorted(await pool.gather(jobs, stay_connected)) == sorted([0, 1, 2] * 3)

    asyncio.run(meet())
