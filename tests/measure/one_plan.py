"""One plan in the classic script, Locust and the forecast: python -m tests.measure.one_plan

The service is a local server with a known delay that answers 429 when all of its slots are taken,
as a Lambda function with reserved and provisioned concurrency does. The first plan fits into the
slots, the second does not. The script must agree with the forecast; Locust is shown beside it.

exit status: 0 all targets met, 1 a target missed, 2 invalid command
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from local.common.cli import OneLineParser, main
from local.common.markdown import aligned_table
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from local.loadtest.schedule import WavePlan
from local.simulation.durations import Constant, Times
from local.simulation.prediction import predict, statistics_ms
from local.simulation.pricing import FunctionConfig
from local.simulation.scaling import Limits
from tests.measure.command import run_command
from tests.support.locust import WAVES, locust, table
from tests.support.scripts import script

SLOTS: Final = 20
DELAY_MS: Final = 100
PLANS: Final = (WavePlan(20, 0.5, 20), WavePlan(30, 0.5, 20))

THROUGHPUT: Final = "throughput: script / forecast, away from 1"
FAILURES: Final = "failures: script and forecast, apart"
PEAK: Final = "peak concurrency: script and forecast, apart"
P50: Final = "p50: script above forecast"
P99: Final = "p99: script above forecast"

# The server and the clients share the cores, so a request takes a little longer than the delay.
TARGETS: Final = (
    Threshold(THROUGHPUT, 0.02),
    Threshold(FAILURES, 0),
    Threshold(PEAK, 0),
    Threshold(P50, 10, "ms"),
    Threshold(P99, 50, "ms"),
)

_PREDICTIONS: Final = json.dumps({"predictions": [{"label": "a", "probability": 1}]})


class Outcome(NamedTuple):
    """Of one plan with one tool."""

    failures: int
    throughput: float
    """answers per second"""
    p50: float
    """ms; likewise p99"""
    p99: float
    peak: int
    """requests in service at once"""


@dataclass
class Service:
    """A server with `SLOTS` slots and a delay of `DELAY_MS`."""

    port: int = 0
    taken: int = 0
    peak: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split("\r")[0]))
            status, body = "200 OK", _PREDICTIONS
            if self.taken == SLOTS:
                status, body = "429 Too Many Requests", "{}"
            else:
                self.taken += 1
                self.peak = max(self.peak, self.taken)
                await asyncio.sleep(DELAY_MS / 1000)
                self.taken -= 1
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            await writer.drain()
        writer.close()


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    """A service in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    service = Service()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(
            service.serve, "127.0.0.1", 0, backlog=1024, limit=1 << 24
        )

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def with_forecast(plan: WavePlan) -> Outcome:
    """The plan on a function whose environments are all provisioned."""
    limits = Limits(SLOTS, SLOTS)
    function = FunctionConfig(1769, "x86_64", provisioned=SLOTS)
    times = Times(Constant(DELAY_MS), Constant(DELAY_MS))
    found = predict(plan.schedule(), limits, function, times)
    latency = statistics_ms(found.result.latencies)
    return Outcome(
        found.throttled,
        found.throughput_rps,
        latency["p50"] or 0,
        latency["p99"] or 0,
        found.result.peak_concurrency,
    )


def with_script(plan: WavePlan, folder: Path) -> Outcome:
    """The plan in run_multiple_tests.py, which writes its report to `folder`."""
    file = folder / "report.json"
    with serving() as service:
        done = script(
            *("local/run_multiple_tests.py", "--url", f"http://127.0.0.1:{service.port}/"),
            *("-N", plan.parallel, "-T", plan.period, "-R", plan.repeat, "--json", file),
        )
    if not file.exists():
        raise SystemExit(done.stderr)
    report = json.loads(file.read_text())
    latency = report["latency_ms"]
    return Outcome(
        report["failures"], report["throughput_rps"], latency["p50"], latency["p99"], service.peak
    )


def with_locust(plan: WavePlan, folder: Path) -> Outcome:
    """The plan in locustfiles/waves.py. Locust counts failures in its percentiles and its rate; the
    rate here is without them."""
    prefix = folder / "locust"
    with serving() as service:
        locust(
            *("-f", WAVES, "--headless", "--host", f"http://127.0.0.1:{service.port}"),
            *("--N", plan.parallel, "--T", plan.period, "--R", plan.repeat, "--csv", prefix),
        )
    found = table(prefix)
    answered = (found.requests - found.failures) / found.requests
    return Outcome(found.failures, found.rps * answered, found.p50, found.p99, service.peak)


def measure() -> Figures:
    """Prints a table for each plan. The figures are the worst of the plans."""
    figures: dict[str, float] = {}
    for plan in PLANS:
        with tempfile.TemporaryDirectory() as folder:
            tools = {
                "forecast": with_forecast(plan),
                "script": with_script(plan, Path(folder)),
                "Locust": with_locust(plan, Path(folder)),
            }
        print(f"\n{plan.schedule().description}, {SLOTS} slots, {DELAY_MS} ms\n\n{shown(tools)}\n")
        forecast, measured = tools["forecast"], tools["script"]
        apart = {
            THROUGHPUT: abs(measured.throughput / forecast.throughput - 1),
            FAILURES: abs(measured.failures - forecast.failures),
            PEAK: abs(measured.peak - forecast.peak),
            P50: measured.p50 - forecast.p50,
            P99: measured.p99 - forecast.p99,
        }
        figures = {name: max(value, figures.get(name, value)) for name, value in apart.items()}
    return figures


def shown(tools: dict[str, Outcome]) -> str:
    """The outcomes as a table."""
    header = ["", "failures", "answers/s", "p50 ms", "p99 ms", "peak concurrency"]
    return aligned_table(
        header,
        [
            [
                name,
                f"{found.failures:,}",
                f"{found.throughput:.1f}",
                f"{found.p50:.0f}",
                f"{found.p99:.0f}",
                f"{found.peak:,}",
            ]
            for name, found in tools.items()
        ],
    )


def command(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m tests.measure.one_plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_verdict_options(parser, repetitions=1)
    options = parser.parse_args(arguments)
    return judge(measure, TARGETS, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    main(lambda: run_command(lambda: command(sys.argv[1:])))
