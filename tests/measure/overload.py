"""Send the service five times the requests that it sustains, and see which promises it keeps.

Images are slow to decode and small to send, so that the service and not its client is loaded. One
thread classifies, eight images may wait. All times are compared within one run.
"""

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import httpx
import psutil
from PIL import Image

from local.common.verdict import Figures, Target, add_verdict_options, judge
from local.load import signals
from local.load.bodies import Body
from local.load.outcome import ANSWERED, Outcome
from local.load.plan import WavePlan
from local.load.progress import Progress
from local.load.run import Run, run
from local.load.summary import percentile
from local.load.target import Target as LoadTarget
from local.load.target import http_target
from tests.measure.command import positive, run_command, stop
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS

QUEUE: Final = 8
FACTOR: Final = 5
REFUSED: Final = "status 503, Retry-After: 1"

_WAVE_SECONDS: Final = 0.1
"""Requests that fall due in this time are sent by one process, at once."""

_PROBE_SECONDS: Final = 0.2

_fork = multiprocessing.get_context("fork")

LOST: Final = "requests lost"
OFFERED: Final = "offered / accepted requests"
WORK: Final = "time that the thread works / time"
ACCEPTED: Final = "p99 of accepted / time of a full queue"
REFUSALS: Final = "p99 of refused / p50 of accepted"
HEALTH: Final = "slowest /healthz / p50 of accepted"
METRICS: Final = "slowest /metrics / p50 of accepted"
MEMORY: Final = "memory growth"
RECOVERY: Final = "a request afterwards / before"

TARGETS: Final = (
    Target(LOST, 0, every=True),
    Target(OFFERED, 2, at_least=True),
    Target(WORK, 0.8, at_least=True),
    Target(ACCEPTED, 1.8),
    Target(REFUSALS, 1),
    Target(HEALTH, 1),
    Target(METRICS, 1),
    Target(MEMORY, 16, "MiB"),
    Target(RECOVERY, 1.5),
)

EXAMPLES: Final = """\
examples:
  python -m tests.measure.overload
  python -m tests.measure.overload --seconds 8 --gross
"""


@dataclass
class Probes:
    """What a monitoring system sees during the overload: seconds of its requests, by path, those
    that failed, and the resident bytes of the service."""

    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {"/healthz": [], "/metrics": []}
    )
    failures: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Measured:
    """One overload. Times in seconds, those of single requests from when they were due."""

    before: Sequence[float]
    outcomes: Sequence[Outcome]
    start: float
    work: Sequence[float]
    """Decoding and inference of each accepted request's image."""
    probes: Probes
    after: Sequence[float]

    def losses(self) -> Counter[str]:
        """Requests that were neither accepted nor refused, by what became of them."""
        lost = Counter(
            each.failure for each in self.outcomes if each.failure not in (ANSWERED, REFUSED)
        )
        return lost + Counter(self.probes.failures)

    def figures(self) -> Figures:
        accepted = [each for each in self.outcomes if each.failure == ANSWERED]
        latencies = sorted(each.latency for each in accepted)
        refusals = sorted(each.latency for each in self.outcomes if each.failure == REFUSED)
        wall = max((each.ended for each in accepted), default=math.inf) - self.start
        half = len(self.probes.memory) // 2
        growth = max(self.probes.memory[half:]) - max(self.probes.memory[: half or 1])
        p50, p99 = (percentile(latencies, each) if latencies else math.inf for each in (50, 99))
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


def judge_answer(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """For `local.load`: answered, `REFUSED`, or what is wrong."""
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
    accepted = sum(each.failure == ANSWERED for each in overload.outcomes)
    work = work_seconds(server.log)[len(before) : len(before) + accepted]
    return Measured(before, overload.outcomes, overload.start, work, probes, after)


def load_target(url: str, image: bytes) -> LoadTarget:
    """Every second request keeps its connection open."""
    target = replace(http_target(f"{url}/", [Body(image, "image/png")]), judge=judge_answer)
    (closing,) = target.messages()
    messages = [closing, closing.replace(b"Connection: close\r\n", b"", 1)]
    return replace(target, messages=lambda: messages)


def send(target: LoadTarget, rate: float, seconds: float) -> Run:
    """`rate` requests a second, whatever becomes of them. Raises `SystemExit` for a signal."""
    parallel = max(1, round(rate * _WAVE_SECONDS))
    period = parallel / rate
    plan = WavePlan(parallel, period, max(2, round(seconds / period)))
    progress = Progress(plan.requests)
    done = run(target, plan, HANG_SECONDS, progress.add)
    progress.clear()
    if done.stopped_by is not None:
        stop(done.stopped_by)
    return done


@contextmanager
def probing(server: Server) -> Iterator[Probes]:
    """Another process probes the server meanwhile; the result is complete afterwards."""
    probes = Probes()
    ours, theirs = multiprocessing.Pipe()
    prober = _fork.Process(
        target=probe, args=(server.url, server.process.pid, theirs, os.getpid()), daemon=True
    )
    with signals.blocked():
        prober.start()
    theirs.close()
    try:
        yield probes
        ours.send(None)
        seen = ours.recv()
        probes.seconds, probes.failures, probes.memory = seen.seconds, seen.failures, seen.memory
    finally:
        prober.kill()
        prober.join()
        ours.close()


def probe(url: str, server: int, channel: Connection, parent: int) -> None:
    """Probe five times a second, until something comes over `channel`; then send the `Probes`."""
    signals.ignore_in_child()
    probes = Probes()
    process = psutil.Process(server)
    with httpx.Client(base_url=url, timeout=HANG_SECONDS, verify=False) as client:
        while os.getppid() == parent:
            for path, seconds in probes.seconds.items():
                begun = time.monotonic()
                try:
                    status = f"status {client.get(path).status_code}"
                except httpx.TransportError as error:
                    status = repr(error)
                seconds.append(time.monotonic() - begun)
                if status != "status 200":
                    probes.failures.append(f"{path}: {status}")
            probes.memory.append(process.memory_info().rss)
            if channel.poll(_PROBE_SECONDS):
                channel.send(probes)
                return


def one_by_one(server: Server, image: bytes, count: int) -> list[float]:
    """The seconds that each of `count` requests takes, one after the other."""
    seconds = []
    for _ in range(count):
        begun = time.monotonic()
        answer = server.client.post("/", content=image, headers={"content-type": "image/png"})
        seconds.append(time.monotonic() - begun)
        answer.raise_for_status()
    return seconds


def work_seconds(log: Path) -> list[float]:
    """The seconds of decoding and inference of each answered request, in the order of answers."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"decode_ms"' in line]
    return [(each["decode_ms"] + each["infer_ms"]) / 1e3 for each in lines if each["status"] == 200]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.overload",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds",
        type=positive,
        default=20,
        metavar="N",
        help="of overload in each repetition (default: %(default)s)",
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
