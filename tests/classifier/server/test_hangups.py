"""Disconnects of clients whose connections are not read, over real sockets."""

import asyncio
import socket
import sys

import pytest

from classifier.server.hangups import Hangups
from tests.support.wait import HANG_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")


async def hung_up(hangups: Hangups, watched: socket.socket) -> None:
    """Wait until the other side of `watched` has closed."""
    closed = asyncio.Event()
    hangups.watch(watched.fileno(), closed.set)
    await asyncio.wait_for(closed.wait(), HANG_SECONDS)


def test_disconnect_is_seen_behind_unread_data() -> None:
    async def test() -> None:
        ours, theirs = socket.socketpair()
        with ours:
            theirs.sendall(b"unread")
            theirs.close()
            await hung_up(Hangups(), ours)

    asyncio.run(test())


def test_connection_that_is_watched_no_more_tells_nothing() -> None:
    async def test() -> None:
        hangups = Hangups()
        ours, theirs = socket.socketpair()
        others, more = socket.socketpair()
        told: list[str] = []
        with ours, others:
            hangups.watch(ours.fileno(), lambda: told.append("it was stopped"))
            hangups.stop(ours.fileno())
            hangups.stop(ours.fileno())  # without effect
            theirs.close()
            more.close()
            await hung_up(hangups, others)
        assert told == []

    asyncio.run(test())


def test_reused_descriptor_is_watched_for_its_own_connection() -> None:
    async def test() -> None:
        hangups = Hangups()
        ours, theirs = socket.socketpair()
        descriptor = ours.fileno()
        told: list[str] = []
        hangups.watch(descriptor, lambda: told.append("closed by us"))
        hangups.stop(descriptor)
        ours.close()
        theirs.close()
        again, other = socket.socketpair()
        with again:
            assert descriptor in (again.fileno(), other.fileno())
            other.close()
            await hung_up(hangups, again)
        assert told == []

    asyncio.run(test())
