"""A process that sends its share of a run's requests from one thread, without blocking.

Not Locust's client: it takes two to four times the CPU per request (`python -m
tests.measure.load_client`).
"""

import gc
import math
import os
import select
import selectors
import struct
import time
from dataclasses import dataclass
from typing import Final

from local.common.memory import peak_mb
from local.loadtest.engine import channel, signals
from local.loadtest.engine.channel import Channel
from local.loadtest.engine.coding import UndecodableBody, decode
from local.loadtest.engine.connection import READ, ConnectionFailed, HttpConnection
from local.loadtest.engine.core import OwnCore
from local.loadtest.engine.kinds import Kinds
from local.loadtest.engine.server_timing import NONE, parse_server_timing
from local.loadtest.engine.turns import Turns
from local.loadtest.run import IN_FLIGHT, RECORD
from local.loadtest.schedule import Seconds
from local.loadtest.target import Target

TIMEOUT: Final = "timeout"

_REPORT_SECONDS: Final = 0.1
"""Interval between reports of results; reporting more often would disturb the measurement."""

_LEAD_SECONDS: Final = 1.0
"""Sockets are created and requests are signed at most this long before they are due."""

_CREATED_AT_ONCE: Final = 32
"""Sockets that are created between two looks at the network: about 0.3 ms."""

_LARGE_WAVE: Final = 32
"""Requests that are due together and take about a millisecond to start."""

_LONGEST_WAIT_SECONDS: Final = 3600.0
"""The system calls do not take any number of seconds."""

_RECORD: Final = struct.Struct("<IddddddHBfff36s")
"""The layout of `RECORD`."""
assert _RECORD.size == RECORD.itemsize

_Answered = tuple[HttpConnection, float]
"""A connection with a complete response, and when it was complete."""


@dataclass(frozen=True)
class Job:
    """The work of one sender: every `senders`-th request of `due`, from number `share` on."""

    target: Target
    due: Seconds
    timeout: float
    """Seconds from the actual start of a request."""
    share: int
    senders: int


def run_sender(end: Channel, job: Job) -> None:
    """The whole life of the process: sends `READY`, waits for `START`, sends the requests, reports
    records and kinds, then `END`. `STOP` ends it early, and so does the end of its parent."""
    signals.ignore_in_child()
    sender = Sender(end, job)
    gc.freeze()
    gc.disable()
    try:
        sender.run()
    except (BrokenPipeError, ConnectionResetError):  # of the channel: the parent has ended
        os._exit(1)


class Sender:
    """An event loop: it waits for the next request that is due, and for the network."""

    def __init__(self, end: Channel, job: Job) -> None:
        self._channel = end
        self._target = job.target
        self._traces = job.target.traces
        self._timeout = job.timeout
        self._turns = Turns(job.due, job.share, job.senders)
        self._core = OwnCore(job.share, job.senders)
        self._selector = selectors.DefaultSelector()
        self._selector.register(end, READ, None)
        self._wakes_on = [self._selector.fileno()]
        self._messages = job.target.requests()
        self._start = math.inf
        self._due_at = math.inf
        """When the next request is due, on the clock."""
        self._stopped = False
        self._fresh: list[HttpConnection] = []
        """Created ahead of time for the requests that are due next."""
        self._lacking = -1
        """How many more of them to create; -1: not known yet."""
        self._large_wave = False
        """Whether the requests that are due next are one."""
        self._open: dict[int, HttpConnection] = {}
        """The requests in flight by index, in the order of their start."""
        self._idle: dict[int, HttpConnection] = {}
        """Connections without a request, by descriptor; the last used one is the last."""
        self._answered: list[_Answered] = []
        self._kinds = Kinds()
        self._records = bytearray()
        self._report_at = math.inf

    def run(self) -> None:
        """Send all requests, or those until the end."""
        if self._turns.next_due <= _LEAD_SECONDS:
            while self._lacking:
                self._create_some()
        self._channel.send(channel.READY)
        while self._start == math.inf and not self._stopped:
            self._selector.select()
            self._obey()
        while not self._stopped and (self._open or self._answered or self._due_at < math.inf):
            self._step()
        self._report()
        self._channel.send(channel.END, channel.DOUBLE.pack(peak_mb()))
        self._channel.flush()
        for connection in (*self._fresh, *self._idle.values()):
            connection.close()
        self._selector.close()

    def _step(self) -> None:
        now = time.perf_counter()
        if now >= self._due_at:
            self._send_due(now)
            now = time.perf_counter()
        if self._lacking and now >= self._due_at - _LEAD_SECONDS:
            self._create_some()
        for key, _ in self._wait(now):
            if key.data is None:
                self._obey()
                continue
            connection: HttpConnection = key.data
            # Neither: it was answered, or closed, since the wait.
            if self._open.get(connection.index) is connection:
                self._advance(connection)
            elif self._idle.get(connection.descriptor) is connection:
                self._check_idle(connection)
            now = time.perf_counter()
            if now >= self._due_at:
                self._send_due(now)
        if self._answered:
            self._classify()
        if self._open:
            self._drop_late()
        if time.perf_counter() >= self._report_at:
            self._report()

    def _wait(self, now: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for the network, until the next thing to do."""
        until = now if self._answered else min(self._due_at, self._report_at)
        if self._lacking:
            until = min(until, self._due_at - _LEAD_SECONDS)
        for oldest in self._open.values():
            until = min(until, oldest.started + self._timeout)
            break
        if until > now:
            if self._large_wave and not self._open:
                self._core.hold()
            # A selector rounds up to milliseconds. It is itself readable if a socket is ready.
            select.select(self._wakes_on, (), (), min(until - now, _LONGEST_WAIT_SECONDS))
        return self._selector.select(0)

    def _obey(self) -> None:
        try:
            for kind, content in self._channel.receive():
                if kind == channel.STOP:
                    self._stop()
                elif kind == channel.START:
                    (self._start,) = channel.DOUBLE.unpack(content)
                    self._due_at = self._start + self._turns.next_due
        except channel.Closed:
            os._exit(1)

    def _stop(self) -> None:
        """End the requests that were due; leave out the others."""
        self._stopped = True
        self._classify()
        now = time.perf_counter()
        for connection in list(self._open.values()):
            self._end(connection, IN_FLIGHT, now)
        while self._due_at <= now:
            index, due = self._take()
            self._add_unsent(index, due, now, IN_FLIGHT)

    # Sending

    def _send_due(self, now: float) -> None:
        """Start every request that is due. Connects all first and sends after, so that a long body
        delays no other request."""
        if self._lacking < 0:
            self._messages = self._target.requests()
        started: list[HttpConnection] = []
        while self._due_at <= now:
            connection = self._begin(*self._take())
            if connection:
                started.append(connection)
        for connection in started:
            self._advance(connection)
        self._large_wave = False
        self._core.release()
        self._lacking = -1 if self._due_at < math.inf else 0

    def _take(self) -> tuple[int, float]:
        """The next request: its index in the schedule, and when it is due."""
        taken = self._turns.take()
        self._due_at = self._start + self._turns.next_due
        return taken

    def _begin(self, index: int, due: float) -> HttpConnection | None:
        """Start a request, over an open connection if there is one. None if it has failed."""
        message = self._messages[index % len(self._messages)]
        if self._traces:
            message = self._traces.mark(message, index)
        if self._idle:
            _, connection = self._idle.popitem()
            connection.begin(index, due, message, time.perf_counter())
            self._open[index] = connection
            return connection
        return self._connect(index, due, message, time.perf_counter())

    def _connect(
        self, index: int, due: float, message: bytes, started: float
    ) -> HttpConnection | None:
        try:
            connection = self._fresh.pop() if self._fresh else HttpConnection(self._target.address)
        except ConnectionFailed as failed:
            self._open.pop(index, None)
            self._add_unsent(index, due, started, str(failed))
            return None
        connection.begin(index, due, message, started)
        self._open[index] = connection
        try:
            connection.connect()
        except ConnectionFailed as failed:
            self._end(connection, str(failed), time.perf_counter())
            return None
        return connection

    def _create_some(self) -> None:
        """Create sockets for the requests that are due next, a few at a time."""
        if self._lacking < 0:
            self._messages = self._target.requests()
            self._large_wave = self._turns.due_together(_LARGE_WAVE) == _LARGE_WAVE
        have = len(self._fresh) + len(self._idle)
        wanted = self._turns.due_together(have + _CREATED_AT_ONCE + 1) - have
        try:
            for _ in range(min(wanted, _CREATED_AT_ONCE)):
                self._fresh.append(HttpConnection(self._target.address))
        except ConnectionFailed:
            wanted = 0  # others may be closed until the requests are due
        self._lacking = max(0, wanted - _CREATED_AT_ONCE)

    # Receiving

    def _advance(self, connection: HttpConnection) -> None:
        try:
            waits_for = connection.advance()
        except ConnectionFailed as failed:
            if connection.reused and not connection.response.started:
                self._retry(connection)
            else:
                self._end(connection, str(failed), time.perf_counter())
            return
        if waits_for:
            self._watch(connection, waits_for)
        else:
            self._answered.append((connection, time.perf_counter()))
            del self._open[connection.index]

    def _retry(self, connection: HttpConnection) -> None:
        """The server may close an idle connection at the moment at which it is used. The request
        gets one more try, over a new connection."""
        self._close(connection)
        index, due, message = connection.index, connection.due, connection.request
        again = self._connect(index, due, message, connection.started)
        if again:
            self._advance(again)

    def _watch(self, connection: HttpConnection, event: int) -> None:
        if event == connection.watched:
            return
        if connection.watched:
            self._selector.modify(connection.descriptor, event, connection)
        else:
            self._selector.register(connection.descriptor, event, connection)
        connection.watched = event

    def _release(self, connection: HttpConnection) -> None:
        """Keep the connection for another request, or close it."""
        if self._target.keep_alive and connection.response.keeps_open:
            self._watch(connection, READ)
            self._idle[connection.descriptor] = connection
        else:
            self._close(connection)

    def _check_idle(self, connection: HttpConnection) -> None:
        if not connection.is_idle_open():
            del self._idle[connection.descriptor]
            self._close(connection)

    def _close(self, connection: HttpConnection) -> None:
        if connection.watched:
            self._selector.unregister(connection.descriptor)
        connection.close()

    def _drop_late(self) -> None:
        now = time.perf_counter()
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.started + self._timeout > now:
                return
            self._end(oldest, TIMEOUT, now)

    # Results

    def _classify(self) -> None:
        """Classify responses, after all that have arrived are timed."""
        answered, self._answered = self._answered, []
        for connection, ended in answered:
            response = connection.response
            try:
                coding = response.headers.get("content-encoding")
                body = decode(response.body, coding) if coding else response.body
                failure = self._target.classify(response.status, response.headers, body)
            except UndecodableBody as undecodable:
                failure = str(undecodable)
            self._add_request(connection, ended, failure)
            self._release(connection)
            now = time.perf_counter()
            if now >= self._due_at:
                self._send_due(now)

    def _end(self, connection: HttpConnection, failure: str, now: float) -> None:
        """End a request without a complete response."""
        del self._open[connection.index]
        self._close(connection)
        self._add_request(connection, now, failure)

    def _add_request(self, connection: HttpConnection, ended: float, failure: str) -> None:
        response = connection.response
        headers = response.headers
        start = self._start
        started = max(connection.started - start, connection.due)  # despite rounding
        self._add_record(
            _RECORD.pack(
                connection.index,
                connection.due,
                started,
                connection.connected - start,
                connection.sent - start,
                connection.first_byte - start,
                max(ended - start, started),
                response.status,
                self._number(failure),
                *parse_server_timing(headers.get("server-timing", "")),
                # Lambda's Invoke has its own.
                (headers.get("x-request-id") or headers.get("x-amzn-requestid", "")).encode(
                    "ascii", "replace"
                ),
            )
        )

    def _add_unsent(self, index: int, due: float, now: float, failure: str) -> None:
        """A request that has no connection."""
        at = max(now - self._start, due)
        times = (due, at, math.nan, math.nan, math.nan, at)
        self._add_record(_RECORD.pack(index, *times, 0, self._number(failure), *NONE, b""))

    def _add_record(self, record: bytes) -> None:
        if not self._records:
            self._report_at = time.perf_counter() + _REPORT_SECONDS
        self._records += record

    def _number(self, kind: str) -> int:
        known = len(self._kinds.names)
        number = self._kinds.number(kind)
        for name in self._kinds.names[known:]:
            self._channel.send(channel.KIND, name.encode())
        return number

    def _report(self) -> None:
        self._channel.send(channel.RECORDS, self._records)
        self._records.clear()
        self._report_at = (
            time.perf_counter() + _REPORT_SECONDS if self._channel.has_unsent else math.inf
        )
