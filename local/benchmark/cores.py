"""Measure how many cores a process keeps busy, and the rate with 4, 16 and 64 cores.

    python -m local.benchmark.cores [--quick] [--json FILE]

Measures the CPU time that a request of the benchmark's JPEGs takes outside the GIL. Then measures
one process with more and more threads that sleep for that time, or for the time that a processor
with faster 8-bit arithmetic needs. The process holds the GIL as in real requests, for the rest of
its CPU time. The rate of several processes is that of one, times their number, as if connections
were spread evenly. The ideal is the number of cores divided by the CPU time of a request. Prints
the table, and compares the default number of processes with its targets.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from local.benchmark.client.load import write_requests
from local.benchmark.gil import Cost, SleepingLoad, request_cost, sleeping_load
from local.benchmark.images import typical_jpegs
from local.benchmark.servers.server import MeasurementError
from local.common.cli import OneLineParser, UsageError, check_outputs, main, whole_number
from local.common.machine import facts
from local.common.markdown import aligned_table
from local.common.paths import FUNCTION
from local.common.verdict import Threshold, add_gross_option, judge
from local.loadtest.payload import Payload, multipart

sys.path.append(str(FUNCTION))  # where the rule is
from classifier.server.workers import CORES_PER_PROCESS, workers_for

CORES: Final = (4, 16, 64)

FASTER_WORK_MS: Final = 7.0
"""Decoding and inference with AVX-512 VNNI (docs/performance.md)"""

REPETITIONS: Final = 5
SECONDS: Final = 2
QUICK_SECONDS: Final = 1
CONNECTIONS: Final = 8
"""Of the real service, as in the benchmark"""

BUSY: Final = "GIL busy in a process with all its cores"
BUSY_FASTER: Final = "the same, with the faster processor"
PART: Final = "lowest rate / ideal"
PART_FASTER: Final = "lowest rate / ideal, faster processor"

TARGETS: Final = (
    Threshold(BUSY, 0.5),
    Threshold(BUSY_FASTER, 0.75),
    Threshold(PART, 0.8, at_least=True),
    Threshold(PART_FASTER, 0.75, at_least=True),
)

EXAMPLES: Final = """\
examples:
  python -m local.benchmark.cores                        5 minutes
  python -m local.benchmark.cores --quick                1 minute
  python -m local.benchmark.cores --json docs/measured/cores.json
"""

Figures = Mapping[str, Any]


def processes_tried(cores: int) -> list[int]:
    """One process, and half, all and twice the default number."""
    default = workers_for(cores)
    return sorted({1, max(1, default // 2), default, 2 * default})


def threads_tried() -> list[int]:
    """Threads of a process in all these services."""
    return sorted({_threads(cores, each) for cores in CORES for each in processes_tried(cores)})


def _threads(cores: int, processes: int) -> int:
    return -(-cores // processes)


def measure_all(
    payloads: Sequence[Payload], requests: Path, *, repetitions: int, seconds: int
) -> Figures:
    """The figures; the repetitions are interleaved. Raises `MeasurementError`."""
    costs, loads = [], []
    steps = repetitions * (1 + 2 * len(threads_tried()))
    with tqdm(total=steps, unit="load", disable=None, leave=False) as progress:
        for _ in range(repetitions):
            costs.append(
                request_cost(payloads[0], requests, connections=CONNECTIONS, seconds=seconds)
            )
            progress.update()
        here = median_cost(costs)
        works = [here, here.with_work(FASTER_WORK_MS)]
        for _ in range(repetitions):
            for number, cost in enumerate(works):
                for threads in threads_tried():
                    load = sleeping_load(cost, threads, payloads[0], requests, seconds=seconds)
                    loads.append((number, load))
                    progress.update()
    return {
        "repetitions": repetitions,
        "seconds": seconds,
        "real": {"loop_ms": here.loop_ms, "python_ms": here.python_ms},
        "works": [
            {
                "outside_ms": dict(cost.outside_ms),
                "work_ms": cost.work_ms,
                "processes": _least_disturbed([load for each, load in loads if each == number]),
            }
            for number, cost in enumerate(works)
        ],
    }


def median_cost(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""

    def middle(name: str) -> dict[str, float]:
        parts = getattr(costs[0], name)
        return {
            part: statistics.median(getattr(cost, name)[part] for cost in costs) for part in parts
        }

    return Cost(
        statistics.median(cost.loop_ms for cost in costs),
        statistics.median(cost.python_ms for cost in costs),
        middle("outside_ms"),
        middle("calls"),
    )


def _least_disturbed(loads: Sequence[SleepingLoad]) -> list[dict[str, float]]:
    """For each number of threads, the highest rate and the lowest CPU times: other activity on the
    machine lowers the one and raises the others."""
    entries = []
    for threads in threads_tried():
        same = [load for load in loads if load.threads == threads]
        entries.append(
            {
                "threads": threads,
                "rate": max(load.rate for load in same),
                "loop_ms": min(load.loop_ms for load in same),
                "python_ms": min(load.python_ms for load in same),
            }
        )
    return entries


def service_rate(work: Figures, cores: int, processes: int) -> float:
    """Requests per second of `processes` processes that divide `cores` threads."""
    return processes * float(_process(work, _threads(cores, processes))["rate"])


def ideal_rate(work: Figures, cores: int) -> float:
    """Requests per second of cores that never wait: `cores` divided by a request's CPU time."""
    return 1000 * cores / (float(work["work_ms"]) + held_ms(work))


def _process(work: Figures, threads: int) -> Figures:
    (found,) = (each for each in work["processes"] if each["threads"] == threads)
    return dict(found)


def held_ms(work: Figures) -> float:
    """The time for which a request holds the GIL, at most, in a process with `CORES_PER_PROCESS`
    threads."""
    process = _process(work, CORES_PER_PROCESS)
    return float(process["loop_ms"] + process["python_ms"])


def gil_busy(work: Figures) -> float:
    """The part of its time for which the GIL of a process that keeps `CORES_PER_PROCESS` busy is
    held, at most."""
    held = held_ms(work)
    return CORES_PER_PROCESS * held / (held + float(work["work_ms"]))


def header(figures: Figures) -> tuple[str, ...]:
    columns = [
        column
        for work in figures["works"]
        for column in (f"{work['work_ms']:.1f} ms: requests/s", "of the ideal")
    ]
    return ("cores", "processes", "threads in each", *columns)


def rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    """A row for each number of cores and processes."""
    for cores in CORES:
        for processes in processes_tried(cores):
            cells = []
            for work in figures["works"]:
                rate = service_rate(work, cores, processes)
                cells += [f"{rate:.0f}", f"{rate / ideal_rate(work, cores):.0%}"]
            default = ", default" if processes == workers_for(cores) else ""
            yield (str(cores), f"{processes}{default}", str(_threads(cores, processes)), *cells)


def summary(figures: Figures) -> str:
    """The figures about the GIL, in sentences."""
    here, faster = figures["works"]
    process, real = _process(here, CORES_PER_PROCESS), figures["real"]
    return (
        f"A request holds the GIL for at most {held_ms(here):.2f} ms: {process['loop_ms']:.2f} in "
        f"the event loop, {process['python_ms']:.2f} in Python's parts of decoding and inference "
        f"(with real inference on the same cores: {real['loop_ms']:.2f} and "
        f"{real['python_ms']:.2f}). The other parts take {here['work_ms']:.1f} ms, or "
        f"{faster['work_ms']:.1f} on a faster processor: a process with {CORES_PER_PROCESS} cores "
        f"holds the GIL for at most {gil_busy(here):.0%} or {gil_busy(faster):.0%} of the time."
    )


def verdict_figures(figures: Figures) -> Mapping[str, float]:
    """A value for each of `TARGETS`."""
    here, faster = figures["works"]

    def lowest(work: Figures) -> float:
        return min(
            service_rate(work, cores, workers_for(cores)) / ideal_rate(work, cores)
            for cores in CORES
        )

    return {
        BUSY: gil_busy(here),
        BUSY_FASTER: gil_busy(faster),
        PART: lowest(here),
        PART_FASTER: lowest(faster),
    }


def measure(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status; raises `UsageError`."""
    options = _parser().parse_args(arguments)
    check_outputs(options.json)
    payloads = [multipart(f"{number}.jpg", jpeg) for number, jpeg in enumerate(typical_jpegs())]
    with tempfile.TemporaryDirectory() as folder:
        requests = write_requests(payloads, Path(folder) / "requests")

        def measure_once() -> Mapping[str, float]:
            try:
                figures = measure_all(
                    payloads,
                    requests,
                    repetitions=options.repeat or (1 if options.quick else REPETITIONS),
                    seconds=QUICK_SECONDS if options.quick else SECONDS,
                )
            except (MeasurementError, OSError, HTTPException) as error:
                raise UsageError(f"The service cannot be measured: {error}.") from None
            print(f"{summary(figures)}\n\n{aligned_table(header(figures), list(rows(figures)))}\n")
            if options.json:
                options.json.write_text(json.dumps({**facts(), **figures}, indent=2) + "\n")
            return verdict_figures(figures)

        return judge(measure_once, TARGETS, gross=options.gross)


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m local.benchmark.cores",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--repeat", type=whole_number(), metavar="N", help=f"repetitions ({REPETITIONS})")
    add("--quick", action="store_true", help=f"one repetition, of loads of {QUICK_SECONDS} s")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add_gross_option(parser)
    return parser


if __name__ == "__main__":
    main(measure)
