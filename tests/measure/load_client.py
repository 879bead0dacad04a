"""The cost of the load-test client, measured against a minimal server in C.

    python -m tests.measure.load_client

Each repetition compares the lateness of a wave of 200 requests with that of a loop of 200
connect() calls to the same server, and the CPU time per request of run_multiple_tests.py with
those of Locust and wrk, with a new connection for each request. Exit status 0 if all targets are
met, 1 if one is missed, 2 if the measurement is not possible.
"""

import argparse
import json
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from local.loadtest.payload import read_payloads
from local.loadtest.percentiles import percentile
from tests.support.paths import ROOT, SAMPLE
from tests.support.ports import free_port
from tests.support.tools import COMPILER, WRK
from tests.support.wait import wait_until

SOURCE: Final = Path(__file__).with_name("echo_server.c")
SCRIPT: Final = "local/run_multiple_tests.py"
PARALLEL: Final = 200

LATENESS: Final = Threshold("lateness of a wave of 200, p99", 10, "ms")
"""On two idle cores of an AMD EPYC: 7 ms with Docker's firewall rules on the loopback interface,
and 3.1 to 3.6 ms with real-time priority."""

LATENESS_TO_LOOP: Final = Threshold("lateness / that of a loop of connect()", 1.5)
"""0.4 to 1.0 on the same machine: two processes share the wave. More than 1 on a single core."""

CPU_TO_LOCUST: Final = Threshold("CPU per request / Locust's", 1)
CPU_TO_WRK: Final = Threshold("CPU per request / wrk's", 10)


@dataclass(frozen=True)
class Effort:
    """The amount of work in a repetition."""

    lateness_waves: int
    cpu_waves: int
    wrk_seconds: int


FULL: Final = Effort(lateness_waves=10, cpu_waves=20, wrk_seconds=3)
QUICK: Final = Effort(lateness_waves=4, cpu_waves=6, wrk_seconds=1)


@contextmanager
def echo_server(folder: Path, compiler: str) -> Iterator[int]:
    """The port of a running server in C."""
    program = folder / "echo_server"
    subprocess.run([compiler, "-O2", "-D_GNU_SOURCE", "-o", program, SOURCE], check=True)
    port = free_port()
    with subprocess.Popen([program, str(port)]) as process:
        try:
            wait_until(lambda: _accepts(port), "the start of the server")
            yield port
        finally:
            process.kill()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def lateness_ms(port: int, waves: int, folder: Path) -> float:
    """The p99 of the lateness in a run of the script."""
    report = folder / "report.json"
    _cpu_seconds(*_waves(port, waves, 0.5), "--json", report)
    lateness: float = json.loads(report.read_text())["lateness_ms"]["p99"]
    return lateness


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


def script_cpu(port: int, waves: int) -> float:
    """CPU seconds per request of the script, startup included."""
    return _cpu_seconds(*_waves(port, waves, 0.25))[0] / (waves * PARALLEL)


def locust_cpu(port: int, waves: int) -> float:
    """CPU seconds per request of the same waves with Locust, startup included."""
    plan = ("--N", PARALLEL, "--T", 0.25, "--R", waves)
    command = (sys.executable, "-m", "locust", "-f", "locustfiles/waves.py", "--headless")
    spent, _ = _cpu_seconds(*command, *plan, "-H", f"http://127.0.0.1:{port}")
    return spent / (waves * PARALLEL)


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


def _waves(port: int, waves: int, period: float) -> tuple[object, ...]:
    plan = ("-N", PARALLEL, "-T", period, "-R", waves)
    return (sys.executable, SCRIPT, *plan, "--url", f"http://127.0.0.1:{port}/")


def _cpu_seconds(*command: object) -> tuple[float, str]:
    """User and system time of a command and its children, and its output. Raises
    `CalledProcessError` if a request fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.load_client",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer waves: about 10 s per repetition"
    )
    add_verdict_options(parser)
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    compiler = COMPILER.path()
    if compiler is None:
        print(f"error: {COMPILER.name} is missing: {COMPILER.install}", file=sys.stderr)
        return 2
    targets = [LATENESS, LATENESS_TO_LOOP, CPU_TO_LOCUST]
    if WRK.is_missing():
        print(f"no comparison with wrk, which is missing: {WRK.install}")
    else:
        targets.append(CPU_TO_WRK)

    with tempfile.TemporaryDirectory() as name, echo_server(Path(name), compiler) as port:
        folder = Path(name)

        def measure() -> Figures:
            late = lateness_ms(port, effort.lateness_waves, folder)
            spent = script_cpu(port, effort.cpu_waves)
            figures = {
                LATENESS.name: late,
                LATENESS_TO_LOOP.name: late / loop_ms(port, effort.lateness_waves),
                CPU_TO_LOCUST.name: spent / locust_cpu(port, effort.cpu_waves),
            }
            if CPU_TO_WRK in targets:
                figures[CPU_TO_WRK.name] = spent / wrk_cpu(port, effort.wrk_seconds, folder)
            return figures

        try:
            return judge(measure, targets, repeat=options.repeat, gross=options.gross)
        except subprocess.CalledProcessError as failed:
            print(f"error: {failed}\n{failed.stdout}{failed.stderr}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
