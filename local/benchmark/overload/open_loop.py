"""An open loop: five times the load that the service sustains, whatever the responses.

Images are slow to decode and small to send, so the service is loaded and its client is not: on a
fast processor they are larger. One thread classifies; the queue holds eight images. Only times of
the same run are compared.
"""

import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from local.benchmark.overload.bounds import REFUSALS_PER_SECOND, full_queue_seconds
from local.benchmark.overload.monitor import Watched, watching
from local.benchmark.overload.rounds import PROBED
from local.benchmark.servers.server import SERVICE, MeasurementError, Running, running
from local.loadtest.engine.engine import run
from local.loadtest.payload import Payload
from local.loadtest.percentiles import percentile
from local.loadtest.report.progress import Progress
from local.loadtest.run import ANSWERED, Run, latency
from local.loadtest.schedule import WavePlan
from local.loadtest.target import Target, http_target, parse_url, post_request

QUEUE: Final = 8
FACTOR: Final = 5
REFUSED: Final = "status 503, Retry-After: 1"

_SERVER: Final = replace(SERVICE, environment={"THREADS": "1", "QUEUE": str(QUEUE)})
_WAVE_SECONDS: Final = 0.1
"""Requests that are due within this time are sent at once."""

_LEAST_SECONDS: Final = (FACTOR - 1) / REFUSALS_PER_SECOND
"""Of an image. If images were faster, the load would exceed what the service accepts and refuses
together; the rest would wait, and be accepted late, when the load has ended."""

_SIDES: Final = (4000, 5000, 6000, 7000, 8000)
"""Widths of images in pixels: 12 to 48 megapixels. The first one that is slow enough is used."""

_TRIES: Final = 3
_BEFORE: Final = 30
_AFTER: Final = 10
_HANG_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Measured:
    """One overload. Times are in seconds; latencies count from the time when a request is due."""

    before: Sequence[float]
    run: Run
    start: float
    """When the run started, in seconds of `time.monotonic`."""
    work: Sequence[float]
    """Decoding and inference of the image of each accepted request"""
    watched: Watched
    after: Sequence[float]

    def losses(self) -> Counter[str]:
        """Requests that were neither accepted nor refused, by failure."""
        kinds, failures = self.run.kinds, self.run.records["failure"]
        lost = Counter(
            {
                kind: int((failures == number).sum())
                for number, kind in enumerate(kinds)
                if kind not in (ANSWERED, REFUSED)
            }
        )
        return +lost + Counter(self.watched.failures())

    def to_json(self) -> dict[str, Any]:
        """Its figures."""
        accepted = self.run.answered
        latencies = np.sort(latency(accepted))
        end = self.start + max(accepted["ended"], default=math.inf)
        wall = float(end - self.start)
        bound = full_queue_seconds(QUEUE, 1, len(accepted) / wall)
        return {
            "offered": len(self.run.records),
            "accepted": len(accepted),
            "losses": dict(self.losses()),
            "busy": sum(self.work) / wall,
            "p99_of_bound": percentile(latencies, 99) / bound if len(accepted) else None,
            "probes": {
                path: {"slowest_ms": self.watched.slowest_ms(path, self.start, end)}
                for path in self.watched.probes
            },
            "memory_growth_mb": self.watched.growth_bytes(self.start, end) / 1e6,
            "recovery": statistics.mean(self.after) / statistics.mean(self.before),
        }


def measure_open_loop(seconds: float) -> Mapping[str, Any]:
    """The figures of one overload of a new service. Raises `MeasurementError`, `OSError` or
    `http.client.HTTPException`, and `SystemExit` if a signal stops it."""
    with running(_SERVER) as server:
        image, sent = slow_image(server)
        before = _one_by_one(server, image, _BEFORE)
        rate = FACTOR / statistics.mean(before)
        with watching(server, PROBED) as watched:
            overload = _send(load_target(server.url, image), rate, seconds)
        after = _one_by_one(server, image, _AFTER)
        work = work_seconds(server.log)[sent + len(before) :][: len(overload.answered)]
    start = overload.start_epoch - time.time() + time.monotonic()
    return Measured(before, overload, start, work, watched, after).to_json()


def classify_response(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """For `local.loadtest`: `ANSWERED`, `REFUSED`, or the failure."""
    if status == 200 and b'"predictions"' in body:
        return ANSWERED
    if status == 503 and headers.get("retry-after") == "1":
        return REFUSED
    return f"status {status}"


def slow_image(server: Running) -> tuple[Payload, int]:
    """A PNG that the service takes `_LEAST_SECONDS` for, or else the largest one, and the number of
    requests that were sent to find it."""
    sent = 0
    for width in _SIDES:
        buffer = BytesIO()
        Image.new("RGB", (width, width * 3 // 4), "orange").save(buffer, "PNG")
        image = Payload(buffer.getvalue(), "image/png")
        server.wait_for_response(image)
        sent += 1 + _TRIES
        if min(_one_by_one(server, image, _TRIES)) >= _LEAST_SECONDS:
            break
    return image, sent


def load_target(url: str, image: Payload) -> Target:
    """Every second request keeps its connection open."""
    parts = parse_url(url)
    messages = [post_request(parts, image, keep_alive=keep) for keep in (False, True)]
    target = http_target(url, [image])
    return replace(target, classify=classify_response, requests=lambda: messages)


def work_seconds(log: Path) -> list[float]:
    """The seconds of decoding and inference of each successful request, in log order."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"decode_ms"' in line]
    return [(line["decode_ms"] + line["infer_ms"]) / 1e3 for line in lines if line["status"] == 200]


def _send(target: Target, rate: float, seconds: float) -> Run:
    """Send `rate` requests per second, whatever the responses."""
    parallel = max(1, round(rate * _WAVE_SECONDS))
    period = parallel / rate
    schedule = WavePlan(parallel, period, max(2, round(seconds / period))).schedule()
    progress = Progress(schedule)
    done = run(target, schedule, _HANG_SECONDS, lambda records, _: progress.add(records))
    progress.clear()
    if done.stopped_by is not None:
        raise SystemExit(128 + done.stopped_by)
    if not len(done.records):
        raise MeasurementError("no request was due")
    return done


def _one_by_one(server: Running, image: Payload, count: int) -> list[float]:
    """Send `count` requests one after the other. Returns the seconds of each."""
    seconds = []
    for _ in range(count):
        start = time.monotonic()
        server.post(image)
        seconds.append(time.monotonic() - start)
    return seconds
