"""Sends the requests of one wave from one thread, without blocking.

Not Locust's client: it takes 3.6 times the CPU per request (`python -m tests.measure.load_client`).
"""

import selectors
import time
from typing import Final

from local.loadtest.client.connection import READ, ConnectionFailed, HttpConnection
from local.loadtest.plan import WavePlan
from local.loadtest.result import IN_FLIGHT, RequestResult
from local.loadtest.target import Target

TIMEOUT: Final = "timeout"


class WaveSender:
    """Sends requests of a wave at once: `prepare`, then `send` when due, then `poll` until
    `in_flight` is 0. Each request is in exactly one of the lists that `send`, `poll` and `stop`
    return."""

    def __init__(
        self, target: Target, plan: WavePlan, wave: int, numbers: range, timeout: float
    ) -> None:
        """numbers: indices in the wave of the requests to send. timeout: seconds from a request's
        actual start."""
        self._target = target
        self._wave = wave
        self._numbers = numbers
        self._first_place = wave * plan.parallel
        self._timeout = timeout
        self._intended = 0.0
        self._requests = target.requests()
        self._unopened: list[tuple[int, str]] = []
        """Requests without a socket, and the failure."""
        self._open: dict[int, HttpConnection] = {}
        """By file descriptor, in the order of their start."""
        self.woken = False
        """Whether the descriptor given to `wake_on` became readable."""

    @property
    def in_flight(self) -> int:
        return len(self._open)

    def wake_on(self, descriptor: int) -> None:
        """End a `poll` early when `descriptor` becomes readable."""
        self._selector.register(descriptor, READ, None)

    def prepare(self) -> None:
        """Build requests and create sockets before the wave is due."""
        self._selector = selectors.DefaultSelector()
        for number in self._numbers:
            request = self._requests[(self._first_place + number) % len(self._requests)]
            try:
                connection = HttpConnection(number, self._target.address, request)
            except ConnectionFailed as error:
                self._unopened.append((number, str(error)))
            else:
                self._open[connection.descriptor] = connection

    def send(self, intended: float) -> list[RequestResult]:
        """Start every request. Connects all first and sends bodies after, so that a long body
        delays no other request."""
        self._intended = intended
        clock = time.perf_counter
        refused: list[tuple[HttpConnection, str]] = []
        for connection in self._open.values():
            connection.started = clock()
            try:
                connection.connect()
            except ConnectionFailed as error:
                refused.append((connection, str(error)))
        finished = [self._end(connection, failure) for connection, failure in refused]
        for number, failure in self._unopened:
            now = clock()
            finished.append(RequestResult(self._wave, number, intended, now, now, failure))
        answered: list[tuple[HttpConnection, float]] = []
        for connection in list(self._open.values()):
            waits_for = self._advance(connection, finished, answered)
            if waits_for:
                self._selector.register(connection.descriptor, waits_for, connection)
        return finished + self._classify(answered)

    def poll(self, longest: float) -> list[RequestResult]:
        """Wait for the network, at most `longest` seconds, and process what arrived."""
        finished: list[RequestResult] = []
        answered: list[tuple[HttpConnection, float]] = []
        for key, _ in self._selector.select(min(longest, self._until_timeout())):
            if key.data is None:
                self.woken = True
                continue
            waits_for = self._advance(key.data, finished, answered)
            if waits_for and waits_for != key.events:
                self._selector.modify(key.fd, waits_for, key.data)
        now = time.perf_counter()
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.started + self._timeout > now:
                break
            finished.append(self._end(oldest, TIMEOUT))
        return finished + self._classify(answered)

    def stop(self) -> list[RequestResult]:
        """Abort the requests in flight."""
        return [self._end(connection, IN_FLIGHT) for connection in list(self._open.values())]

    def _until_timeout(self) -> float:
        for oldest in self._open.values():
            return max(0.0, oldest.started + self._timeout - time.perf_counter())
        return 0.0

    def _advance(
        self,
        connection: HttpConnection,
        finished: list[RequestResult],
        answered: list[tuple[HttpConnection, float]],
    ) -> int:
        """The event that the connection waits for, or 0 if it has finished."""
        try:
            waits_for = connection.advance()
        except ConnectionFailed as error:
            finished.append(self._end(connection, str(error)))
            return 0
        if not waits_for:
            answered.append((connection, time.perf_counter()))
            self._forget(connection)
        return waits_for

    def _classify(self, answered: list[tuple[HttpConnection, float]]) -> list[RequestResult]:
        """Classify responses after all of them are received and timed."""
        classify = self._target.classify
        return [
            self._create_result(
                connection,
                ended,
                classify(
                    connection.response.status,
                    connection.response.headers,
                    connection.response.body,
                ),
            )
            for connection, ended in answered
        ]

    def _end(self, connection: HttpConnection, failure: str) -> RequestResult:
        ended = time.perf_counter()
        self._forget(connection)
        return self._create_result(connection, ended, failure)

    def _forget(self, connection: HttpConnection) -> None:
        del self._open[connection.descriptor]
        if connection.descriptor in self._selector.get_map():
            self._selector.unregister(connection.descriptor)
        connection.close()

    def _create_result(
        self, connection: HttpConnection, ended: float, failure: str
    ) -> RequestResult:
        return RequestResult(
            self._wave, connection.number, self._intended, connection.started, ended, failure
        )
