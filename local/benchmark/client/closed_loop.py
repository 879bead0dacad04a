"""The closed-loop load client: each client sends its next request when it has its response.

    python -m local.benchmark.client.closed_loop URL LIST CONNECTIONS SECONDS

Clients keep their connections open where the responses allow it, and connect again where they do
not. Prints one line of JSON (`LoopResult`) about the requests that end within SECONDS, after the
warm-up; requests in flight at the end are dropped. LIST is a file of `write_requests`. One process
with epoll. A request of 100 kB takes 0.1 ms of CPU if it is refused, and 0.25 ms beside inference,
which evicts its caches (wrk: 0.09 and 0.2 ms).
"""

import argparse
import gc
import heapq
import itertools
import json
import select
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from local.benchmark.client.loop_client import READY, LoopClient
from local.benchmark.client.loop_plan import TIMEOUT_SECONDS, LoopPlan
from local.benchmark.client.loop_result import SUCCESS, LoopResult, Tally, loop_result
from local.common.cli import OneLineParser, UsageError, main, whole_number
from local.common.descriptors import allow_descriptors
from local.loadtest.engine.connection import REFUSED, ConnectionFailed
from local.loadtest.payload import Payload
from local.loadtest.target import Address, parse_url, post_request, resolve

TIMEOUT: Final = "timeout"

_PAUSE_SECONDS: Final = 0.1
"""Pause of a client that cannot connect: trying at once would take the server's CPU."""

_RAMP: Final = 64
"""New clients in a pass of the loop: responses do not wait until all have connected."""

_OTHER_DESCRIPTORS: Final = 64
"""For everything but the connections."""


class ClosedLoop:
    """Runs a plan against one server."""

    def __init__(self, address: Address, messages: list[bytes], plan: LoopPlan) -> None:
        self._address = address
        self._messages = itertools.cycle(messages)
        self._plan = plan
        self._poll = select.epoll()
        self._connected: dict[int, LoopClient] = {}
        """By descriptor."""
        self._deadlines: deque[tuple[float, LoopClient, int]] = deque()
        """With the number of the request, in order: all have the same timeout."""
        self._resting: list[tuple[float, int, LoopClient]] = []
        """A heap: when each continues, and a number that orders those of the same time."""
        self._numbers = itertools.count()
        self._open = False
        """Whether the window is open."""
        self._tallies = {polite: Tally() for polite in (False, True)}

    def run(self) -> LoopResult:
        """Run for the warm-up and the window. Closes all connections."""
        plan = self._plan
        new = [LoopClient(polite=polite) for polite in self._spread()]
        for client in new:
            self._tallies[client.polite].clients += 1
        window_start = time.monotonic() + plan.warm_up
        cpu_start, end = 0.0, window_start + plan.seconds
        while (now := time.monotonic()) < end:
            if not self._open and now >= window_start:
                self._open, window_start, cpu_start = True, now, time.process_time()
                end = window_start + plan.seconds
            for client in new[-_RAMP:]:
                self._begin(client)
            del new[-_RAMP:]
            self._drop_late(now)
            self._wake(now)
            self._serve(0.0 if new else self._wait_until(end if self._open else window_start))
        cpu = time.process_time() - cpu_start
        for client in self._connected.values():
            client.close()
        self._poll.close()
        return loop_result((window_start, now), cpu, self._tallies[False], self._tallies[True])

    def _spread(self) -> Iterator[bool]:
        """Whether each client is polite: spread evenly over the order in which they connect."""
        total, polite = self._plan.connections, self._plan.polite
        for number in range(total):
            yield (number + 1) * polite // total > number * polite // total

    def _wait_until(self, end: float) -> float:
        """Seconds until something is due, at most until `end`."""
        due = end
        if self._deadlines:
            due = min(due, self._deadlines[0][0])
        if self._resting:
            due = min(due, self._resting[0][0])
        return max(0.0, due - time.monotonic())

    def _serve(self, seconds: float) -> None:
        """Advance the clients that are ready, or become so within `seconds`."""
        for descriptor, events in self._poll.poll(seconds, max(1, len(self._connected))):
            client = self._connected[descriptor]
            try:
                if client.unsent:
                    client.send()
                if events & ~select.EPOLLOUT and client.receive():
                    self._finish(client)
            except ConnectionFailed as failed:
                self._fail(client, str(failed))

    def _begin(self, client: LoopClient) -> None:
        now = time.monotonic()
        client.begin(next(self._messages), now)
        self._deadlines.append((now + self._plan.timeout, client, client.turn))
        try:
            if client.socket:
                client.send()
                return
        except ConnectionFailed as failed:
            self._fail(client, str(failed))
            return
        try:
            client.connect(self._address)
        except ConnectionFailed as failed:
            self._fail(client, str(failed), _PAUSE_SECONDS)
            return
        self._connected[client.descriptor] = client
        self._poll.register(client.descriptor, READY)

    def _finish(self, client: LoopClient) -> None:
        if not client.waiting:  # the server has closed the connection, or sends more
            self._close(client)
            return
        now = time.monotonic()
        response = client.response
        client.waiting = False
        if self._open:
            self._tallies[client.polite].add(
                response.status, now - client.started, now - client.first_try
            )
        if response.status in SUCCESS:
            client.first_try = 0.0
        if not response.keeps_open:
            self._close(client)
        wait = response.headers.get("retry-after", "") if client.polite else ""
        if wait.isdecimal():
            self._rest(client, now + int(wait))
        else:
            self._begin(client)

    def _fail(self, client: LoopClient, kind: str, pause: float = 0.0) -> None:
        """Count a request without a response, and try again after `pause` seconds. A connection
        without a request is only closed."""
        self._close(client)
        if not client.waiting:
            return
        client.waiting = False
        if self._open:
            self._tallies[client.polite].failures[kind] += 1
        # In the next pass of the loop: here it would recurse as long as connections fail.
        self._rest(client, time.monotonic() + (_PAUSE_SECONDS if kind == REFUSED else pause))

    def _rest(self, client: LoopClient, until: float) -> None:
        heapq.heappush(self._resting, (until, next(self._numbers), client))

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._begin(heapq.heappop(self._resting)[2])

    def _drop_late(self, now: float) -> None:
        while self._deadlines:
            due, client, turn = self._deadlines[0]
            in_flight = client.waiting and client.turn == turn
            if in_flight and due > now:
                break
            self._deadlines.popleft()
            if in_flight:
                self._fail(client, TIMEOUT)

    def _close(self, client: LoopClient) -> None:
        self._connected.pop(client.descriptor, None)
        client.close()  # which removes it from epoll, too


def read_messages(url: str, requests: Path) -> list[bytes]:
    """The complete requests for the payloads that `write_requests` has listed. Raises
    `UsageError`."""
    try:
        lines = [line.split("\t") for line in requests.read_text().splitlines()]
        payloads = [Payload(Path(path).read_bytes(), content_type) for path, content_type in lines]
    except (OSError, ValueError):
        raise UsageError(f"{requests} is not a list of requests.") from None
    return [post_request(parse_url(url), payload, keep_alive=True) for payload in payloads]


def closed_loop() -> int:
    """The command. Raises `UsageError`."""
    options = _parser().parse_args()
    if options.polite > options.connections:
        raise UsageError("--polite must be CONNECTIONS or less.")
    if min(options.seconds, options.timeout) <= 0 or options.warm_up < 0:
        raise UsageError("SECONDS and --timeout must be above 0, and --warm-up 0 or more.")
    allow_descriptors(options.connections + _OTHER_DESCRIPTORS)
    address = resolve(parse_url(options.url))
    if address.tls:
        raise UsageError("The closed loop has no TLS. Use an http URL.")
    plan = LoopPlan(
        options.connections,
        options.seconds,
        options.warm_up,
        options.timeout,
        options.polite,
    )
    loop = ClosedLoop(address, read_messages(options.url, options.requests), plan)
    gc.disable()  # nothing left refers to itself, and the latencies of a large crowd are many
    print(json.dumps(loop.run().to_json()), flush=True)
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.client.closed_loop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL")
    add("requests", metavar="LIST", type=Path)
    add("connections", metavar="CONNECTIONS", type=whole_number())
    add("seconds", metavar="SECONDS", type=float)
    add("--warm-up", type=float, default=0.0, metavar="S", help="seconds before the window (0)")
    add(
        "--timeout",
        type=float,
        default=TIMEOUT_SECONDS,
        metavar="S",
        help="drop a request, and its connection, after this time (%(default)g)",
    )
    add(
        "--polite",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="clients that wait as long as Retry-After says (0)",
    )
    return parser


if __name__ == "__main__":
    main(closed_loop)
