"""The time for which a request holds the GIL, and the rate of one process with sleeping threads.

Real requests give the time outside the GIL: the CPU time of the calls that release it, decoding and
inference (`local.benchmark.apps.cores_app`).

Then these calls sleep for that time. Sleeping needs no core: two cores suffice for one process with
many threads, as they run its Python only, which is real, and really takes the GIL. The CPU time
that is left, of the event loop and of the other threads, is the time for which a request holds the
GIL; at most, because system calls release it and count here. With real inference on the same two
cores it is higher, because inference evicts Python's code and data from the caches.
"""

import contextlib
import http.client
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from local.benchmark.client.load import Load, apply_load
from local.benchmark.servers.server import SERVICE, MeasurementError, Running, running
from local.loadtest.payload import Payload

CONNECTIONS_PER_THREAD: Final = 2
"""A thread that has finished an image finds the next one in the queue."""

_WARM_UP_SECONDS: Final = 1
_SETTLE_SECONDS: Final = 0.2

_SERVER: Final = replace(
    SERVICE,
    command="{python} -m uvicorn local.benchmark.apps.cores_app:app"
    " --http classifier.server.protocol:TimeoutProtocol --host 127.0.0.1 --port {port}",
)

_ROOMY: Final = {"QUEUE": "100000", "MEMORY_BYTES": str(4 << 30), "WEB_CONCURRENCY": "1"}
"""No request is refused."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds of CPU for a request: of the event loop, of Python in the other threads, and, by
    part, of the calls that release the GIL. `calls` is the number of these calls, by part."""

    loop_ms: float
    python_ms: float
    outside_ms: Mapping[str, float]
    calls: Mapping[str, float]

    @property
    def work_ms(self) -> float:
        """The time outside the GIL."""
        return sum(self.outside_ms.values())

    def with_work(self, milliseconds: float) -> "Cost":
        """The same with a faster processor's inference, so that the time outside the GIL is this
        long."""
        rest = self.work_ms - self.outside_ms["infer"]
        outside = {**self.outside_ms, "infer": milliseconds - rest}
        return replace(self, outside_ms=outside)

    def sleeps(self) -> dict[str, float]:
        """The seconds of each call, by part."""
        return {part: spent / 1000 / self.calls[part] for part, spent in self.outside_ms.items()}


def request_cost(payload: Payload, requests: Path, *, connections: int, seconds: int) -> Cost:
    """The cost of real requests. Raises `MeasurementError`."""
    with _serving(payload, {}) as server:
        apply_load(server.url, requests, connections=connections, seconds=_WARM_UP_SECONDS)
        time.sleep(_SETTLE_SECONDS)
        before, outside_before = _thread_seconds(server), _outside(server)
        load = apply_load(server.url, requests, connections=connections, seconds=seconds)
        time.sleep(_SETTLE_SECONDS)
        after, outside_after = _thread_seconds(server), _outside(server)
    _ensure_all_answered(load)
    # Requests in progress at the end of the load count as well.
    count = outside_after["calls"]["infer"] - outside_before["calls"]["infer"]
    loop, threads = _milliseconds(before, after, count)

    def each(name: str, scale: float) -> dict[str, float]:
        found = outside_after[name]
        return {part: scale * (found[part] - outside_before[name][part]) / count for part in found}

    outside = each("seconds", 1000)
    return Cost(loop, threads - sum(outside.values()), outside, each("calls", 1))


@dataclass(frozen=True)
class SleepingLoad:
    """Requests per second of one process whose `threads` sleep, and the CPU milliseconds for each
    of the event loop and of Python in the other threads."""

    threads: int
    rate: float
    loop_ms: float
    python_ms: float


def sleeping_load(
    cost: Cost, threads: int, payload: Payload, requests: Path, *, seconds: int
) -> SleepingLoad:
    """A load on one process whose `threads` sleep for the time of the calls in `cost`. Raises
    `MeasurementError`."""
    settings = {"SLEEPS": json.dumps(cost.sleeps()), "THREADS": str(threads)}
    connections = CONNECTIONS_PER_THREAD * threads
    with _serving(payload, settings) as server:
        apply_load(server.url, requests, connections=connections, seconds=_WARM_UP_SECONDS)
        time.sleep(_SETTLE_SECONDS)
        before = _thread_seconds(server)
        load = apply_load(server.url, requests, connections=connections, seconds=seconds)
        after = _thread_seconds(server)
    _ensure_all_answered(load)
    loop, others = _milliseconds(before, after, load.answered)
    return SleepingLoad(threads, load.answered / load.wall_s, loop, others)


@contextlib.contextmanager
def _serving(payload: Payload, settings: Mapping[str, str]) -> Iterator[Running]:
    with running(replace(_SERVER, environment={**_ROOMY, **settings})) as server:
        server.wait_for_response(payload)
        yield server


def _ensure_all_answered(load: Load) -> None:
    if load.failed:
        raise MeasurementError(f"{load.failed} of {load.requests} requests failed")


def _milliseconds(
    before: tuple[float, float], after: tuple[float, float], count: float
) -> tuple[float, float]:
    """Of the event loop and of all other threads, for each of `count` requests."""
    loop, others = (1000 * (end - start) / count for start, end in zip(before, after, strict=True))
    return loop, others


def _outside(server: Running) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/outside")
        return json.loads(connection.getresponse().read())


def _thread_seconds(server: Running) -> tuple[float, float]:
    """CPU seconds so far of the main thread, which runs the event loop, and of all others. Raises
    `MeasurementError`."""
    process = server.tree.popen.pid
    loop = others = 0.0
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            path = Path(f"/proc/{process}/task/{thread}/schedstat")
            spent = int(path.read_text().split()[0]) / 1e9  # Linux: scheduler/sched-stats.rst
            if int(thread) == process:
                loop += spent
            else:
                others += spent
    except OSError as error:
        raise MeasurementError(f"{error.filename} cannot be read: {error.strerror}") from None
    return loop, others
