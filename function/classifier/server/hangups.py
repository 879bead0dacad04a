"""Disconnects of clients whose connections are not read, from Linux's epoll.

The end of a connection comes after its data, so it is not seen while the data is not read.
`EPOLLRDHUP` reports it at once. On other systems, it is found when the connection is read again.
"""

import asyncio
import select
from collections.abc import Callable


class Hangups:
    """Watches the connections of one event loop.

    Declined: `loop.add_reader`, which refuses sockets that belong to a transport.
    """

    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._epoll: select.epoll | None = None

    def watch(self, descriptor: int, on_hangup: Callable[[], None]) -> None:
        """Call `on_hangup` when the client of the socket has closed its side."""
        if not hasattr(select, "epoll"):
            return
        if self._epoll is None:
            self._epoll = select.epoll()
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._on_events)
        self._epoll.register(descriptor, select.EPOLLRDHUP | select.EPOLLONESHOT)
        self._callbacks[descriptor] = on_hangup

    def stop(self, descriptor: int) -> None:
        """Stop watching the socket, before it is closed."""
        if self._callbacks.pop(descriptor, None) and self._epoll:
            self._epoll.unregister(descriptor)

    def _on_events(self) -> None:
        assert self._epoll is not None
        for descriptor, _ in self._epoll.poll(0):
            on_hangup = self._callbacks.get(descriptor)
            if on_hangup:
                on_hangup()
