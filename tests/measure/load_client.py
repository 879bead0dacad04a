"""The cost of the load-test client, measured against a minimal server in C.

    python -m tests.measure.load_client

Each repetition compares, for steady rates and for waves, the CPU time per request of
run_multiple_tests.py with that of Locust's fast client, both with their start and with a new
connection for each request. It measures lateness and memory, and compares the CPU time of waves of
200 with that of wrk and hey, which send as fast as they can. The lateness of waves of 200, and of a
loop of 200 connect() calls, is that on idle cores: the server accepts nothing before they are sent.
Exit status 0 if all targets are met, 1 if one is missed, 2 if the measurement is not possible.
"""

import argparse
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from local.loadtest.payload import read_payloads
from local.loadtest.percentiles import percentile
from tests.measure.command import run_command
from tests.support.paths import ROOT, SAMPLE
from tests.support.ports import free_port
from tests.support.tools import COMPILER, HEY, WRK
from tests.support.wait import wait_until

SOURCE: Final = Path(__file__).with_name("echo_server.c")
SCRIPT: Final = "local/run_multiple_tests.py"
LOCUSTFILE: Final = "tests/measure/fast_http_waves.py"
PARALLEL: Final = 200

LATENESS_STEADY: Final = Threshold("lateness at 300/s, p99", 2, "ms")
LATENESS_WAVE: Final = Threshold("lateness of a wave of 200, p99", 5, "ms")
"""Both on two idle cores."""

LATENESS_TO_LOOP: Final = Threshold("lateness of a wave of 200 / of a loop of connect()", 1.5)
"""Two processes share the wave. More than 1 on a single core."""

PAUSE_MS: Final = 50
"""Much longer than a wave of 200 takes to start."""

MEMORY: Final = Threshold("memory at 300/s", 150, "MB")
"""Resident memory of all processes at their peaks; pages that they share count for each."""

CPU_WITHOUT_START: Final = Threshold("CPU per request without the start / Locust's, 300/s", 1)

CPU_TO_WRK: Final = Threshold("CPU per request / wrk's", 10)
CPU_TO_HEY: Final = Threshold("CPU per request / hey's", 5)


@dataclass(frozen=True)
class Shape:
    """Waves of `parallel` requests, one every `period` seconds."""

    name: str
    parallel: int
    period: float

    @property
    def target(self) -> Threshold:
        return Threshold(f"CPU per request / Locust's, {self.name}", 1)

    def repeat(self, seconds: float) -> int:
        return max(2, round(seconds / self.period))


STEADY: Final = [Shape(f"{rate}/s", 1, 1 / rate) for rate in (100, 190, 300)]
WAVES: Final = [
    Shape("waves of 1", 1, 0.25),
    Shape("waves of 10", 10, 0.25),
    Shape("waves of 200", PARALLEL, 0.25),
    Shape("waves of 1,000", 1000, 1.0),
]
SHAPES: Final = [*STEADY, *WAVES]


@dataclass(frozen=True)
class Effort:
    """The amount of work in a repetition, in seconds of load."""

    shape_seconds: float
    lateness_waves: int
    fast_seconds: int
    """Of wrk and hey."""


FULL: Final = Effort(shape_seconds=5, lateness_waves=10, fast_seconds=3)
QUICK: Final = Effort(shape_seconds=2, lateness_waves=4, fast_seconds=1)


@contextmanager
def echo_server(folder: Path, compiler: str, pause_ms: int = 0) -> Iterator[int]:
    """The port of a running server in C. pause_ms: before it accepts connections."""
    program = folder / "echo_server"
    subprocess.run([compiler, "-O2", "-D_GNU_SOURCE", "-o", program, SOURCE], check=True)
    port = free_port()
    with subprocess.Popen([program, str(port), str(pause_ms)]) as process:
        try:
            wait_until(lambda: _accepts(port), "the start of the server")
            yield port
        finally:
            process.kill()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Cost:
    """CPU seconds per request, startup included; lateness and memory of our own client."""

    cpu: float
    lateness_ms: float
    memory_mb: float


def script_cost(port: int, shape: Shape, repeat: int, folder: Path) -> Cost:
    """The cost of a run of the script."""
    path = folder / "report.json"
    plan = ("-N", shape.parallel, "-T", shape.period, "-R", repeat)
    url = ("--url", f"http://127.0.0.1:{port}/")
    command = (sys.executable, SCRIPT, *plan, *url, "--late-ok", "--json", path)
    cpu, _ = _cpu_seconds(*command)
    report = json.loads(path.read_text())
    return Cost(
        cpu / (repeat * shape.parallel),
        report["lateness_ms"]["p99"],
        report["client"]["peak_mb"],
    )


def loop_ms(port: int, waves: int) -> float:
    """The p99 of the lateness of the same waves in one thread that only calls connect()."""
    late: list[float] = []
    for _ in range(waves):
        time.sleep(0.1)  # for the server to close the connections of the previous wave
        with ExitStack() as stack:
            opened = [stack.enter_context(socket.socket()) for _ in range(PARALLEL)]
            for connection in opened:
                connection.setblocking(False)
            start = time.perf_counter()
            for connection in opened:
                late.append(time.perf_counter() - start)
                connection.connect_ex(("127.0.0.1", port))
    return percentile(sorted(late), 99) * 1000


def locust_cpu(port: int, shape: Shape, repeat: int) -> float:
    """CPU seconds per request of the same waves with Locust's fast client, startup included."""
    waves = {"parallel": shape.parallel, "period": shape.period, "repeat": repeat}
    environment = {"WAVES": json.dumps(waves), "IMAGE": str(SAMPLE), "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "locust", "-f", LOCUSTFILE, "--headless", "-u", 1)
    spent, output = _cpu_seconds(
        *command, "-H", f"http://127.0.0.1:{port}", environment=environment
    )
    requests = repeat * shape.parallel
    assert re.search(rf"Aggregated +{requests} +0\(", output), output
    return spent / requests


def without_start(cost: float, shortest: float, repeat: int) -> float:
    """CPU seconds per request of a run of `repeat` waves without its start, which is what the
    shortest run takes. cost, shortest: CPU seconds per request of the run and of a run of one
    wave."""
    return (cost * repeat - shortest) / (repeat - 1)


def wrk_cpu(port: int, seconds: int, folder: Path) -> float:
    """CPU seconds per request of wrk, with a connection for each request."""
    (body,) = read_payloads(SAMPLE)
    (folder / "body").write_bytes(body.content)
    lua = folder / "post.lua"
    lua.write_text(
        f'local file = io.open("{folder}/body", "rb")\n'
        'wrk.method = "POST"\nwrk.body = file:read("*a")\n'
        f'wrk.headers["Content-Type"] = "{body.content_type}"\n'
        'wrk.headers["Connection"] = "close"\n'
    )
    options = ("-t1", f"-c{PARALLEL}", f"-d{seconds}", "-s", lua)
    spent, output = _cpu_seconds(str(WRK.path()), *options, f"http://127.0.0.1:{port}/")
    requests = re.search(r"(\d+) requests in", output)
    assert requests, output
    return spent / int(requests[1])


def hey_cpu(port: int, seconds: int, folder: Path) -> float:
    """CPU seconds per request of hey, with a connection for each request."""
    (body,) = read_payloads(SAMPLE)
    (folder / "body").write_bytes(body.content)
    options = ("-c", PARALLEL, "-z", f"{seconds}s", "-m", "POST", "-disable-keepalive")
    content = ("-D", folder / "body", "-T", body.content_type)
    url = f"http://127.0.0.1:{port}/"
    spent, output = _cpu_seconds(str(HEY.path()), *options, *content, url)
    requests = re.search(r"\[200\]\s+(\d+) responses", output)
    assert requests, output
    return spent / int(requests[1])


def _cpu_seconds(
    *command: object, environment: Mapping[str, str] | None = None
) -> tuple[float, str]:
    """User and system time of a command and its children, and its output. Raises
    `CalledProcessError` if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.load_client",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="shorter loads: about a minute per repetition"
    )
    add_verdict_options(parser)
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    compiler = COMPILER.path()
    if compiler is None:
        print(f"error: {COMPILER.name} is missing: {COMPILER.install}", file=sys.stderr)
        return 2
    targets = [LATENESS_STEADY, LATENESS_WAVE, LATENESS_TO_LOOP, MEMORY]
    targets += [*(shape.target for shape in SHAPES), CPU_WITHOUT_START]
    for tool, target in ((WRK, CPU_TO_WRK), (HEY, CPU_TO_HEY)):
        if tool.is_missing():
            print(f"no comparison with {tool.name}, which is missing: {tool.install}")
        else:
            targets.append(target)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(echo_server(folder, compiler))
        idle_port = stack.enter_context(echo_server(folder, compiler, PAUSE_MS))

        def measure() -> Figures:
            figures: dict[str, float] = {}
            for shape in SHAPES:
                repeat = shape.repeat(effort.shape_seconds)
                cost = script_cost(port, shape, repeat, folder)
                locusts = locust_cpu(port, shape, repeat)
                figures[shape.target.name] = cost.cpu / locusts
                if shape.name == "300/s":
                    figures[LATENESS_STEADY.name] = cost.lateness_ms
                    figures[MEMORY.name] = cost.memory_mb
                    least = script_cost(port, shape, 1, folder).cpu
                    ours = without_start(cost.cpu, least, repeat)
                    theirs = without_start(locusts, locust_cpu(port, shape, 1), repeat)
                    figures[CPU_WITHOUT_START.name] = ours / theirs
                if shape.parallel == PARALLEL:
                    lateness = script_cost(idle_port, shape, repeat, folder).lateness_ms
                    loop = loop_ms(idle_port, effort.lateness_waves)
                    figures[LATENESS_WAVE.name] = lateness
                    figures[LATENESS_TO_LOOP.name] = lateness / loop
                    wave_cpu = cost.cpu
            if CPU_TO_WRK in targets:
                figures[CPU_TO_WRK.name] = wave_cpu / wrk_cpu(port, effort.fast_seconds, folder)
            if CPU_TO_HEY in targets:
                figures[CPU_TO_HEY.name] = wave_cpu / hey_cpu(port, effort.fast_seconds, folder)
            return figures

        return judge(measure, targets, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    sys.exit(run_command(main))
