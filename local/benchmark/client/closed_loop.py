"""The closed-loop load client for machines without wrk. Prints one line of JSON.

python -m local.benchmark.client.closed_loop URL LIST CONNECTIONS SECONDS

Waits for and counts requests in flight at the end. The load tests only send waves (an open loop),
so this loop is separate; it shares their connection and parser.
"""

import itertools
import json
import selectors
import sys
import time
from pathlib import Path
from typing import Final

from local.loadtest.client.connection import ConnectionFailed, HttpConnection
from local.loadtest.payload import Payload
from local.loadtest.stats import percentile
from local.loadtest.target import parse_url, post_request, resolve

_LONGEST_SECONDS: Final = 60.0
"""Abort after this long without any response."""


class ClosedLoop:
    """Keeps a number of requests in flight, each over a new connection."""

    def __init__(self, url: str, messages: list[bytes]) -> None:
        self._address = resolve(parse_url(url))
        self._messages = itertools.cycle(messages)
        self._selector = selectors.DefaultSelector()
        self._numbers = itertools.count()
        self.failed = 0
        self.latencies: list[float] = []
        """Seconds from connecting to the complete response, of responses with status 200."""

    def run(self, connections: int, seconds: float) -> float:
        """Returns the duration in seconds."""
        start = time.perf_counter()
        for _ in range(connections):
            self._begin()
        while self._selector.get_map():
            ready = self._selector.select(_LONGEST_SECONDS)
            if not ready:
                self.failed += len(self._selector.get_map())
                break
            for key, _ in ready:
                if self._advance(key.data) and time.perf_counter() < start + seconds:
                    self._begin()
        return time.perf_counter() - start

    def _begin(self) -> None:
        connection = HttpConnection(next(self._numbers), self._address, next(self._messages))
        connection.started = time.perf_counter()
        try:
            connection.connect()
        except ConnectionFailed:
            self.failed += 1
            connection.close()
        else:
            self._selector.register(connection.descriptor, selectors.EVENT_WRITE, connection)

    def _advance(self, connection: HttpConnection) -> bool:
        """Whether the request has finished."""
        try:
            waits_for = connection.advance()
        except ConnectionFailed:
            self.failed += 1
            waits_for = 0
        else:
            if not waits_for and connection.response.status == 200:
                self.latencies.append(time.perf_counter() - connection.started)
            elif not waits_for:
                self.failed += 1
        if waits_for:
            self._selector.modify(connection.descriptor, waits_for, connection)
            return False
        self._selector.unregister(connection.descriptor)
        connection.close()
        return True


def main() -> None:
    url, requests, connections, seconds = sys.argv[1:]
    lines = [line.split("\t") for line in Path(requests).read_text().splitlines()]
    payloads = [Payload(Path(path).read_bytes(), content_type) for path, content_type in lines]
    loop = ClosedLoop(url, [post_request(parse_url(url), payload) for payload in payloads])
    wall = loop.run(int(connections), float(seconds))
    ordered = sorted(loop.latencies) or [0.0]
    result = {
        "requests": len(loop.latencies) + loop.failed,
        "failed": loop.failed,
        "wall_s": wall,
        "p50_ms": 1000 * percentile(ordered, 50),
        "p99_ms": 1000 * percentile(ordered, 99),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
