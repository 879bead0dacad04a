"""Draining: after SIGTERM, the service reports that it is not ready, but continues to serve.

A load balancer notices only after some time that an instance is about to end. Until then, it sends
requests to a port that would be closed. uvicorn has no setting for this; the alternative, a
`sleep` that the platform runs before it sends the signal, leaves the service ready meanwhile.
"""

import asyncio
import logging
import signal
import threading
import time
from types import FrameType
from typing import Final

from uvicorn.server import Server

from classifier.server.readiness import Readiness

SAME_SIGNAL_SECONDS: Final = 1.0
"""A second signal within this time is the same one: systemd sends it to all processes of a service,
and then uvicorn's supervisor, which looks for signals twice a second, to its workers again."""

# Beside uvicorn's own lines about the shutdown, which are visible at this level.
_log = logging.getLogger("uvicorn.error")


def drain_on_sigterm(readiness: Readiness, seconds: int) -> None:
    """From now on, drain for `seconds` on SIGTERM before uvicorn shuts down; 0: do nothing.

    Called in the lifespan, in the event loop, when the server that runs it has set its handlers.
    So it works for one process, for workers and for plain `uvicorn main:app`. Servers other than
    uvicorn, and those that run in a thread, keep their behaviour.
    """
    if not seconds or threading.current_thread() is not threading.main_thread():
        return
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(server, Server):
        signal.signal(signal.SIGTERM, _Drain(server, readiness, seconds).on_signal)


class _Drain:
    def __init__(self, server: Server, readiness: Readiness, seconds: int) -> None:
        self._server = server
        self._readiness = readiness
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first signal starts draining, the second ends it."""
        now = time.monotonic()
        if self._server.should_exit:  # SIGINT, which does not drain, has come before
            self._server.handle_exit(number, frame)
        elif self._since is None:
            self._since = now
            self._loop.call_soon_threadsafe(self._start)
        elif now - self._since >= SAME_SIGNAL_SECONDS:
            self._server.handle_exit(number, frame)

    def _start(self) -> None:
        self._readiness.draining = True
        _log.info("Draining for %d seconds", self._seconds)
        self._loop.call_later(self._seconds, self._end)

    def _end(self) -> None:
        if not self._server.should_exit:
            self._server.handle_exit(signal.SIGTERM, None)
