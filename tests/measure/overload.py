"""Send the service five times the load that it sustains, and measure how it responds.

Images are slow to decode and small to send, so the service is loaded and its client is not. One
thread classifies; the queue holds eight images. Only times of the same run are compared.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from local.common.cli import whole_number
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from local.loadtest.client.runner import Run, run
from local.loadtest.payload import Payload
from local.loadtest.plan import WavePlan
from local.loadtest.report.progress import Progress
from local.loadtest.result import ANSWERED, RequestResult
from local.loadtest.stats import percentile
from local.loadtest.target import Target as LoadTarget
from local.loadtest.target import http_target
from tests.measure.command import run_command, stop
from tests.measure.probes import Probes, probing
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS

QUEUE: Final = 8
FACTOR: Final = 5
REFUSED: Final = "status 503, Retry-After: 1"

_WAVE_SECONDS: Final = 0.1
"""Requests that are due within this time are sent at once, by one process."""


LOST: Final = "requests lost"
OFFERED: Final = "offered / accepted requests"
WORK: Final = "busy time of the thread / time"
ACCEPTED: Final = "p99 of accepted / time of a full queue"
REFUSALS: Final = "p99 of refused / p50 of accepted"
HEALTH: Final = "slowest /healthz / p50 of accepted"
METRICS: Final = "slowest /metrics / p50 of accepted"
MEMORY: Final = "memory growth"
RECOVERY: Final = "a request afterwards / before"

TARGETS: Final = (
    Threshold(LOST, 0, every=True),
    Threshold(OFFERED, 2, at_least=True),
    Threshold(WORK, 0.8, at_least=True),
    Threshold(ACCEPTED, 1.8),
    Threshold(REFUSALS, 1),
    Threshold(HEALTH, 1),
    Threshold(METRICS, 1),
    Threshold(MEMORY, 16, "MiB"),
    Threshold(RECOVERY, 1.5),
)

EXAMPLES: Final = """\
examples:
  python -m tests.measure.overload
  python -m tests.measure.overload --seconds 8 --gross
"""


@dataclass(frozen=True)
class Measured:
    """One overload. Times are in seconds; latencies count from the time when a request is due."""

    before: Sequence[float]
    outcomes: Sequence[RequestResult]
    start: float
    work: Sequence[float]
    """Decoding and inference of the image of each accepted request"""
    probes: Probes
    after: Sequence[float]

    def losses(self) -> Counter[str]:
        """Requests that were neither accepted nor refused, by failure."""
        lost = Counter(
            outcome.failure
            for outcome in self.outcomes
            if outcome.failure not in (ANSWERED, REFUSED)
        )
        return lost + Counter(self.probes.failures)

    def figures(self) -> Figures:
        accepted = [outcome for outcome in self.outcomes if outcome.failure == ANSWERED]
        latencies = sorted(outcome.latency for outcome in accepted)
        refusals = sorted(
            outcome.latency for outcome in self.outcomes if outcome.failure == REFUSED
        )
        wall = max((outcome.ended for outcome in accepted), default=math.inf) - self.start
        half = len(self.probes.memory) // 2
        growth = max(self.probes.memory[half:]) - max(self.probes.memory[: half or 1])
        p50, p99 = (percentile(latencies, rank) if latencies else math.inf for rank in (50, 99))
        return {
            LOST: self.losses().total(),
            OFFERED: len(self.outcomes) / max(len(accepted), 1),
            WORK: sum(self.work) / wall,
            ACCEPTED: p99 * len(accepted) / ((QUEUE + 1) * wall),
            REFUSALS: percentile(refusals, 99) / p50 if refusals else math.inf,
            HEALTH: max(self.probes.seconds["/healthz"], default=math.inf) / p50,
            METRICS: max(self.probes.seconds["/metrics"], default=math.inf) / p50,
            MEMORY: growth / 2**20,
            RECOVERY: statistics.mean(self.after) / statistics.mean(self.before),
        }


def classify_response(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """For `local.loadtest`: `ANSWERED`, `REFUSED`, or the failure."""
    if status == 200 and b'"predictions"' in body:
        return ANSWERED
    if status == 503 and headers.get("retry-after") == "1":
        return REFUSED
    return f"status {status}"


def slow_image() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (4000, 3000), "orange").save(buffer, "PNG")
    return buffer.getvalue()


def measure_overload(server: Server, image: bytes, seconds: float) -> Measured:
    """Raises `SystemExit` if a signal stops it."""
    target = load_target(server.url, image)
    before = one_by_one(server, image, 30)
    rate = FACTOR / statistics.mean(before)
    with probing(server) as probes:
        overload = send(target, rate, seconds)
    after = one_by_one(server, image, 10)
    accepted = sum(outcome.failure == ANSWERED for outcome in overload.results)
    work = work_seconds(server.log)[len(before) : len(before) + accepted]
    return Measured(before, overload.results, overload.start, work, probes, after)


def load_target(url: str, image: bytes) -> LoadTarget:
    """Every second request keeps its connection open."""
    target = replace(
        http_target(f"{url}/", [Payload(image, "image/png")]), classify=classify_response
    )
    (closing,) = target.requests()
    messages = [closing, closing.replace(b"Connection: close\r\n", b"", 1)]
    return replace(target, requests=lambda: messages)


def send(target: LoadTarget, rate: float, seconds: float) -> Run:
    """Send `rate` requests per second, whatever the responses. Raises `SystemExit` for a signal."""
    parallel = max(1, round(rate * _WAVE_SECONDS))
    period = parallel / rate
    plan = WavePlan(parallel, period, max(2, round(seconds / period)))
    progress = Progress(plan.requests)
    done = run(target, plan, HANG_SECONDS, progress.add)
    progress.clear()
    if done.stopped_by is not None:
        stop(done.stopped_by)
    return done


def one_by_one(server: Server, image: bytes, count: int) -> list[float]:
    """Send `count` requests one after the other. Returns the seconds of each."""
    seconds = []
    for _ in range(count):
        start = time.monotonic()
        response = server.client.post("/", content=image, headers={"content-type": "image/png"})
        seconds.append(time.monotonic() - start)
        response.raise_for_status()
    return seconds


def work_seconds(log: Path) -> list[float]:
    """The seconds of decoding and inference of each successful request, in log order."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"decode_ms"' in line]
    return [(line["decode_ms"] + line["infer_ms"]) / 1e3 for line in lines if line["status"] == 200]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.overload",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds",
        type=whole_number(),
        default=20,
        metavar="N",
        help="seconds of overload per repetition (default: %(default)s)",
    )
    add_verdict_options(parser)
    options = parser.parse_args(arguments)
    image = slow_image()
    losses: Counter[str] = Counter()

    def measure() -> Figures:
        with (
            tempfile.TemporaryDirectory() as folder,
            serving(Path(folder) / "log", THREADS="1", QUEUE=str(QUEUE)) as server,
        ):
            measured = measure_overload(server, image, options.seconds)
        losses.update(measured.losses())
        return measured.figures()

    status = judge(measure, TARGETS, repeat=options.repeat, gross=options.gross)
    for kind, number in losses.most_common():
        print(f"lost: {number}, {kind}", file=sys.stderr)
    return 1 if losses else status


if __name__ == "__main__":
    sys.exit(run_command(main))
