"""Requests of one wave, sent from one thread without waiting for any of them."""

import selectors
import time
from typing import Final

from local.loadtest.client.connection import READ, Exchange, Failed
from local.loadtest.plan import WavePlan
from local.loadtest.result import IN_FLIGHT, Outcome
from local.loadtest.target import Target

TIMEOUT: Final = "timeout"


class WaveSender:
    """Sends some requests of a wave at once: `prepare`, then `fire` when due, then `turn` until
    `in_flight` is 0. Each request is in exactly one of the lists that `fire`, `turn` and `stop`
    return."""

    def __init__(
        self, target: Target, plan: WavePlan, wave: int, numbers: range, timeout: float
    ) -> None:
        """numbers: the places in the wave of the requests to send. timeout: seconds from a
        request's actual start."""
        self._target = target
        self._wave = wave
        self._numbers = numbers
        self._first_place = wave * plan.parallel
        self._timeout = timeout
        self._intended = 0.0
        self._messages = target.messages()
        self._stillborn: list[tuple[int, str]] = []
        """The numbers of requests that have no socket, and why."""
        self._open: dict[int, Exchange] = {}
        """By file descriptor, in the order of their start."""
        self.woken = False
        """Whether something came to the descriptor given to `wake_on`."""

    @property
    def in_flight(self) -> int:
        return len(self._open)

    def wake_on(self, descriptor: int) -> None:
        """End a `turn` early when `descriptor` has something to read."""
        self._selector.register(descriptor, READ, None)

    def prepare(self) -> None:
        """What can be done before the wave is due: requests written, sockets made."""
        self._selector = selectors.DefaultSelector()
        for number in self._numbers:
            message = self._messages[(self._first_place + number) % len(self._messages)]
            try:
                exchange = Exchange(number, self._target.address, message)
            except Failed as failed:
                self._stillborn.append((number, str(failed)))
            else:
                self._open[exchange.descriptor] = exchange

    def fire(self, intended: float) -> list[Outcome]:
        """Start every request. Connections come first and bodies after, so that no request starts
        late because another's body is long."""
        self._intended = intended
        clock = time.perf_counter
        refused: list[tuple[Exchange, str]] = []
        for exchange in self._open.values():
            exchange.started = clock()
            try:
                exchange.connect()
            except Failed as failed:
                refused.append((exchange, str(failed)))
        over = [self._end(exchange, failure) for exchange, failure in refused]
        for number, failure in self._stillborn:
            now = clock()
            over.append(Outcome(self._wave, number, intended, now, now, failure))
        answered: list[tuple[Exchange, float]] = []
        for exchange in list(self._open.values()):
            waits_for = self._advance(exchange, over, answered)
            if waits_for:
                self._selector.register(exchange.descriptor, waits_for, exchange)
        return over + self._judge(answered)

    def turn(self, longest: float) -> list[Outcome]:
        """Wait for the network, `longest` seconds at most, and handle what came."""
        over: list[Outcome] = []
        answered: list[tuple[Exchange, float]] = []
        for key, _ in self._selector.select(min(longest, self._until_timeout())):
            if key.data is None:
                self.woken = True
                continue
            waits_for = self._advance(key.data, over, answered)
            if waits_for and waits_for != key.events:
                self._selector.modify(key.fd, waits_for, key.data)
        now = time.perf_counter()
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.started + self._timeout > now:
                break
            over.append(self._end(oldest, TIMEOUT))
        return over + self._judge(answered)

    def stop(self) -> list[Outcome]:
        """Give up what is in flight."""
        return [self._end(exchange, IN_FLIGHT) for exchange in list(self._open.values())]

    def _until_timeout(self) -> float:
        for oldest in self._open.values():
            return max(0.0, oldest.started + self._timeout - time.perf_counter())
        return 0.0

    def _advance(
        self,
        exchange: Exchange,
        over: list[Outcome],
        answered: list[tuple[Exchange, float]],
    ) -> int:
        """What the exchange waits for, or 0 if it is over."""
        try:
            waits_for = exchange.advance()
        except Failed as failed:
            over.append(self._end(exchange, str(failed)))
            return 0
        if not waits_for:
            answered.append((exchange, time.perf_counter()))
            self._forget(exchange)
        return waits_for

    def _judge(self, answered: list[tuple[Exchange, float]]) -> list[Outcome]:
        """Read the answers after all that came together are off the network and timed."""
        judge = self._target.judge
        return [
            self._outcome(
                each, ended, judge(each.answer.status, each.answer.headers, each.answer.body)
            )
            for each, ended in answered
        ]

    def _end(self, exchange: Exchange, failure: str) -> Outcome:
        ended = time.perf_counter()
        self._forget(exchange)
        return self._outcome(exchange, ended, failure)

    def _forget(self, exchange: Exchange) -> None:
        del self._open[exchange.descriptor]
        if exchange.descriptor in self._selector.get_map():
            self._selector.unregister(exchange.descriptor)
        exchange.close()

    def _outcome(self, exchange: Exchange, ended: float, failure: str) -> Outcome:
        return Outcome(
            self._wave, exchange.number, self._intended, exchange.started, ended, failure
        )
