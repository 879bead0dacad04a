"""Many clients at once, each with a large image, against the service in a container of 512 MB.

    python -m local.benchmark.crowd [--clients N ...] [--mix] [--seconds S]

Each client sends an allowed PNG of 18.75 MB again as soon as it has a response of any kind: the
bodies alone are larger than the container's memory. The service must refuse with 503 the requests
for which there is no room, classify the others, and never be killed. --mix measures two more
crowds: half of the clients send small JPEGs, and half of them send their PNG slowly. Exit status 1
if a response is neither 200 nor 503, the container is killed, or a kind of client waits too long
for a 200.
"""

import argparse
import contextlib
import http.client
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from tqdm import tqdm

from local.benchmark.servers.limited import (
    LimitedService,
    Memory,
    build_image,
    limited,
    memory_size,
)
from local.benchmark.servers.server import MeasurementError
from local.common.cli import OneLineParser, UsageError, check_outputs, main, whole_number
from local.common.machine import when_and_where
from local.common.markdown import aligned_table
from local.common.paths import SAMPLE
from local.common.verdict import Threshold, add_gross_option, judge

CLIENTS: Final = (16, 32, 64)
MIX_CLIENTS: Final = 32
SECONDS: Final = 60
QUICK_SECONDS: Final = 8
MEMORY: Final = "512m"

PNG_SIZE: Final = (3700, 3600)
NOISY_ROWS: Final = 1680
"""Rows of noise, which deflate cannot shorten: 18.7 MB. The others are black."""

SLOW_SECONDS: Final = 15.0
"""The time that a slow client takes for its PNG, half of what the service allows"""

_SLOW_PIECES: Final = 30

LARGE: Final = "large PNG"
SMALL: Final = "small JPEG"
SLOW: Final = "slow PNG"

ACCEPTED: Final = "200"
REFUSED: Final = "503"

OTHER: Final = "other responses"
KILLED: Final = "services that ended"
RATE: Final = "lowest 200s per second"
STARVED: Final = "kinds of client without a 200"

TARGETS: Final = (
    Threshold(OTHER, 0),
    Threshold(KILLED, 0),
    Threshold(RATE, 0.5, "1/s", at_least=True),
    Threshold(STARVED, 0),
)

EXAMPLES: Final = """\
examples:
  python -m local.benchmark.crowd                              4 minutes
  python -m local.benchmark.crowd --quick --no-docker          half a minute
  python -m local.benchmark.crowd --clients 100 --seconds 20
  python -m local.benchmark.crowd --mix --json crowd.json      7 minutes
"""


@dataclass
class Responses:
    """Counts by status, or by the name of a failure, and the latencies of the 200s in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def add(self, result: str, seconds: float) -> None:
        self.statuses[result] += 1
        if result == ACCEPTED:
            self.latencies.append(seconds)

    @property
    def accepted(self) -> int:
        return self.statuses[ACCEPTED]

    @property
    def other(self) -> int:
        return self.statuses.total() - self.accepted - self.statuses[REFUSED]

    def p99_ms(self) -> float:
        return float(np.percentile(self.latencies, 99)) * 1e3 if self.latencies else 0.0


@dataclass(frozen=True)
class Crowd:
    """So many clients of each kind."""

    clients: Mapping[str, int]

    def __str__(self) -> str:
        return " + ".join(f"{number} {kind}" for kind, number in self.clients.items())


@dataclass(frozen=True)
class Measured:
    """What a crowd got in `seconds`. `ended` says why the service has ended, if it has; the peaks
    of its process and of the container are in 10^6 bytes."""

    crowd: Crowd
    responses: Mapping[str, Responses]
    seconds: float
    ended: str
    peak_mb: float
    group_peak_mb: float

    def rate(self) -> float:
        return sum(found.accepted for found in self.responses.values()) / self.seconds

    def to_json(self) -> Mapping[str, Any]:
        return {
            "clients": dict(self.crowd.clients),
            "seconds": round(self.seconds, 1),
            "ended": self.ended,
            "peak_mb": round(self.peak_mb, 1),
            "group_peak_mb": round(self.group_peak_mb, 1),
            "responses": {
                kind: {"statuses": dict(found.statuses), "p99_ms": round(found.p99_ms(), 1)}
                for kind, found in self.responses.items()
            },
        }


Send = Callable[[LimitedService], str]
"""Sends one image; returns the status or the name of the failure."""


def large_png() -> bytes:
    """A PNG of 18.7 MB and 13.3 megapixels."""
    width, height = PNG_SIZE
    pixels = np.zeros((height, width, 3), np.uint8)
    random = np.random.default_rng(0)
    pixels[:NOISY_ROWS] = random.integers(0, 256, (NOISY_ROWS, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def senders(png: bytes) -> Mapping[str, Send]:
    """By the kind of client."""
    jpeg = SAMPLE.read_bytes()
    return {
        LARGE: lambda service: str(service.post(png, "image/png").status),
        SMALL: lambda service: str(service.post(jpeg, "image/jpeg").status),
        SLOW: lambda service: send_slowly(service, png),
    }


def send_slowly(service: LimitedService, png: bytes, seconds: float = SLOW_SECONDS) -> str:
    """Send `png` in pieces; the status. Raises `OSError` or `http.client.HTTPException`."""
    size = -(-len(png) // _SLOW_PIECES)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(png), size):
            time.sleep(seconds / _SLOW_PIECES)
            yield png[start : start + size]

    return str(service.post(pieces(), "image/png", length=len(png)).status)


def run(crowd: Crowd, memory: Memory, seconds: float, png: bytes, *, container: bool) -> Measured:
    """One crowd against a fresh service. Raises `MeasurementError`."""
    send = senders(png)
    responses = {kind: Responses() for kind in crowd.clients}
    with limited(memory, container=container) as service:
        service.usage()  # the peak starts here
        start = time.monotonic()
        lock = threading.Lock()

        def client(kind: str) -> None:
            while time.monotonic() < start + seconds and not ended.is_set():
                sent = time.monotonic()
                result = _result(send[kind], service)
                with lock:
                    responses[kind].add(result, time.monotonic() - sent)

        ended = threading.Event()
        threads = [
            threading.Thread(target=client, args=(kind,), daemon=True)
            for kind, number in crowd.clients.items()
            for _ in range(number)
        ]
        for thread in threads:
            thread.start()
        why = ""
        try:
            while not why and any(thread.is_alive() for thread in threads):
                time.sleep(0.2)
                why = service.end()
        finally:
            ended.set()
        for thread in threads:
            thread.join()
        duration = time.monotonic() - start
        peak, group_peak = _peaks(service)
        return Measured(crowd, responses, duration, why or service.end(), peak, group_peak)


def _result(send: Send, service: LimitedService) -> str:
    try:
        return send(service)
    except (OSError, http.client.HTTPException) as error:
        time.sleep(0.2)
        return type(error).__name__


def _peaks(service: LimitedService) -> tuple[float, float]:
    """In 10^6 bytes; 0 if the service has ended."""
    with contextlib.suppress(MeasurementError):
        usage = service.usage()
        return usage.peak_bytes / 1e6, usage.group_peak_bytes / 1e6
    return 0.0, 0.0


def table(measured: Sequence[Measured]) -> str:
    """A row for each kind of client."""
    header = ("crowd", "kind", "200", "503", "other", "200/s", "p99 ms", "peak MB", "container")
    rows = []
    for each in measured:
        peaks = (f"{each.peak_mb:.0f}", f"{each.group_peak_mb:.0f}")
        for kind, found in each.responses.items():
            rows.append(
                (
                    str(each.crowd),
                    kind,
                    str(found.accepted),
                    str(found.statuses[REFUSED]),
                    _others(found),
                    f"{found.accepted / each.seconds:.1f}",
                    f"{found.p99_ms():.0f}",
                    *((each.ended, "") if each.ended else peaks),
                )
            )
    return aligned_table(header, rows)


def _others(found: Responses) -> str:
    others = {
        name: count for name, count in found.statuses.items() if name not in (ACCEPTED, REFUSED)
    }
    return ", ".join(f"{count} {name}" for name, count in others.items()) or "0"


def verdict_figures(measured: Sequence[Measured]) -> Mapping[str, float]:
    """A value for each of `TARGETS`."""
    found = [responses for each in measured for responses in each.responses.values()]
    return {
        OTHER: sum(responses.other for responses in found),
        KILLED: sum(bool(each.ended) for each in measured),
        RATE: min(each.rate() for each in measured),
        STARVED: sum(not responses.accepted for responses in found),
    }


def crowds(clients: Sequence[int], *, mix: bool) -> list[Crowd]:
    half = MIX_CLIENTS // 2
    mixed = (Crowd({SMALL: half, LARGE: half}), Crowd({SMALL: half, SLOW: half}))
    return [*(Crowd({LARGE: number}) for number in clients), *(mixed if mix else ())]


def measure(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status; raises `UsageError`."""
    options = _parser().parse_args(arguments)
    check_outputs(options.json)
    if not options.no_docker:
        build_image()
    clients = options.clients or (CLIENTS[:1] if options.quick else CLIENTS)
    seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    png = large_png()

    def measure_once() -> Mapping[str, float]:
        chosen, measured = crowds(clients, mix=options.mix), []
        for crowd in tqdm(chosen, unit="crowd", disable=None, leave=False):
            try:
                container = not options.no_docker
                measured.append(run(crowd, options.memory, seconds, png, container=container))
            except MeasurementError as error:
                raise UsageError(f"With {options.memory} {error}.") from None
        print(table(measured))
        print()
        if options.json:
            figures = {
                **when_and_where(),
                "container": not options.no_docker,
                "memory": options.memory.text,
                "crowds": [each.to_json() for each in measured],
            }
            options.json.write_text(json.dumps(figures, indent=2) + "\n")
        return verdict_figures(measured)

    return judge(measure_once, TARGETS, gross=options.gross)


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.crowd",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--clients",
        action="append",
        type=whole_number(),
        metavar="N",
        help="clients at once, repeatable (default: 16, 32 and 64)",
    )
    add("--mix", action="store_true", help="also small JPEGs beside PNGs, and slow uploads")
    add("--seconds", type=whole_number(), metavar="S", help=f"for each crowd ({SECONDS})")
    add(
        "--memory",
        type=memory_size,
        default=memory_size(MEMORY),
        metavar="SIZE",
        help=f"memory of the container (default: {MEMORY})",
    )
    add("--quick", action="store_true", help=f"16 clients, for {QUICK_SECONDS} s")
    add(
        "--no-docker",
        action="store_true",
        help="run the service as a process, with the MEMORY_BYTES of such a container (Linux)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add_gross_option(parser)
    return parser


if __name__ == "__main__":
    main(measure)
