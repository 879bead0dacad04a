"""Connections of the service on a fake clock, which only the test advances.

Protocol, parser, application and event loop are real; clock and transport are fakes.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, Literal, TypeVarTuple, Unpack

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from classifier.server.admission import Admission
from classifier.server.install import install
from classifier.server.timeouts import TimeoutMixin
from classifier.settings import Settings
from tests.support.wait import HANG_SECONDS

HEAD_SECONDS, BODY_SECONDS, KEEP_ALIVE_SECONDS = 2, 3, 6
MAX_BYTES: Final = 100_000

JUST: Final = 0.001
"""Seconds; a moment before or after a timeout."""

_Arguments = TypeVarTuple("_Arguments")

_TURNS: Final = 50
"""Iterations of the event loop; more than a request needs that waits for no thread or timer."""


class FakeClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose time changes only with `advance`."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self._timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        return self._now

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self._timers.append(timer)
        return timer

    def armed(self) -> list[float]:
        """The remaining seconds of each active timer."""
        return [
            round(timer.when() - self._now, 6)
            for timer in self._timers
            if not timer.cancelled() and timer.when() > self._now
        ]

    def forget_timers(self) -> None:
        """Keep no reference to timers and their callbacks."""
        self._timers.clear()

    async def advance(self, seconds: float) -> None:
        """Advance the clock and run all callbacks that are due."""
        self._now = round(self._now + seconds, 6)
        await settle()


async def settle() -> None:
    """Run all callbacks that wait for no timer or thread."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class FakeTransport(asyncio.Transport):
    """Collects in `written` the bytes for the client. Delivers what the client sends, in pieces as
    large as the protocol's buffer, unless reading is paused."""

    def __init__(self, loop: FakeClockLoop) -> None:
        super().__init__()
        self.written = b""
        self.unread = b""
        """Sent by the client, and not read yet"""
        self.has_ended = False
        """Whether the service has closed its side"""
        self.protocol: asyncio.BaseProtocol
        self._loop = loop
        self._closing = False
        self._paused = False

    def deliver(self, data: bytes = b"") -> None:
        """Send `data` to the service."""
        self.unread += data
        while self.unread and not self._paused and not self._closing:
            protocol = self.protocol
            if isinstance(protocol, asyncio.BufferedProtocol):
                buffer = protocol.get_buffer(-1)
                size = min(len(buffer), len(self.unread))  # type: ignore[arg-type]
                memoryview(buffer)[:size] = self.unread[:size]
                self.unread = self.unread[size:]
                protocol.buffer_updated(size)
            else:
                assert isinstance(protocol, asyncio.Protocol)
                data, self.unread = self.unread, b""
                protocol.data_received(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closing
        assert not self.has_ended
        self.written += bytes(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._lose)

    def _lose(self) -> None:
        protocol = self.protocol
        del self.protocol  # as uvloop does
        protocol.connection_lost(None)

    def abort(self) -> None:
        self.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._loop.call_soon(self.deliver)


class Connection:
    """A new connection of a client."""

    def __init__(self, loop: FakeClockLoop, config: Config) -> None:
        self.transport = FakeTransport(loop)
        make: Any = config.http_protocol_class
        self.protocol: TimeoutMixin = make(config, ServerState(), {}, _loop=loop)
        assert isinstance(self.protocol, TimeoutMixin)
        self.transport.protocol = self.protocol
        self.protocol.connection_made(self.transport)

    async def send(self, data: bytes) -> None:
        """Send `data` from the client and run the callbacks."""
        self.transport.deliver(data)
        await settle()

    async def close(self) -> None:
        """Close the client's side, and run the callbacks."""
        protocol = self.transport.protocol
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        protocol.eof_received()
        self.transport.close()
        await settle()

    async def has_responded(self) -> None:
        """Wait for a response that a thread makes, in real time."""
        deadline = time.monotonic() + HANG_SECONDS
        while not self.transport.written:
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        await settle()

    @property
    def is_closed(self) -> bool:
        return self.transport.is_closing()

    @property
    def received(self) -> bytes:
        """The bytes that the client has received."""
        return self.transport.written


def run(test: Callable[[FakeClockLoop], Coroutine[Any, Any, None]]) -> None:
    """Run `test` on an event loop with a fake clock."""
    with asyncio.Runner(loop_factory=FakeClockLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, FakeClockLoop)
        runner.run(test(loop))


def on_fake_loop(
    scenario: Callable[[FakeClockLoop], Coroutine[Any, Any, None]],
) -> Callable[[], None]:
    """A pytest test that calls `scenario` with a loop."""

    def test() -> None:
        run(scenario)

    test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
    return test


def configured(
    app: ASGIApp,
    settings: Settings,
    admission: Admission | None = None,
    *,
    parser: Literal["httptools", "h11"] = "httptools",
) -> Config:
    """uvicorn's configuration for `app`."""
    config = Config(app, http=parser, lifespan="on", log_config=None)
    config.load()
    install(settings, admission)
    return config


Scenario = Callable[[FakeClockLoop, Callable[[], Connection]], Coroutine[object, object, None]]


def on_fake_clock(scenario: Scenario) -> Callable[[Config], None]:
    """A pytest test that calls `scenario` with a loop and a function that opens connections."""

    def test(config: Config) -> None:
        run(lambda loop: scenario(loop, lambda: Connection(loop, config)))

    test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
    return test
