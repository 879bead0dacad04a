"""How often compare.py errs: python -m tests.measure.compare_power

Pairs of synthetic runs are compared with the defaults of compare.py. In pairs of equal runs, every
difference found is a false alarm. In other pairs, all requests of the second run take 5 or 20 ms
longer, and the share of pairs in which it is found is the power. Then a server with a set delay is
tested with the real client: equal runs, and 5 and 20 ms more.

examples:
  python -m tests.measure.compare_power                  (10 minutes)
  python -m tests.measure.compare_power --quick --gross  fewer pairs, no server
  python -m tests.measure.compare_power --only-server    (3 minutes)

exit status: 0 all targets met, 1 a target missed, 2 invalid command
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from local.common.cli import OneLineParser, check_outputs, main, whole_number
from local.common.machine import when_and_where
from local.common.paths import ROOT
from local.common.verdict import Threshold, add_gross_option, conclude, machine
from local.loadtest.blocks import blocks_of
from local.loadtest.comparison import ERROR, Comparison, compare_blocks
from local.loadtest.run import Run
from local.loadtest.schedule import Schedule, WavePlan
from tests.support.runs import make_run, steady
from tests.support.stub import serving_stub
from tests.support.synthetic import lognormal, single_server

PAIRS: Final = 400
QUICK_PAIRS: Final = 60
SHIFTS_MS: Final = (5, 20)

POWER: Final = {5: 0.8, 20: 0.99}
"""Least power for the plans that are made for it, by milliseconds."""

SERVER_MS: Final = 30
"""Delay of the server."""
WAVES: Final = ("-N", "5", "-T", "0.1", "-R", "150")
"""15 seconds of 50 requests/s."""
TURNS: Final = 3
"""Runs with each delay."""

Make = Callable[[np.random.Generator], Run]


@dataclass(frozen=True)
class Case:
    """A plan and a service."""

    plan: str
    service: str
    make: Make
    has_power: bool = False
    """Whether the plan is long and the service calm enough for `POWER`."""

    @property
    def title(self) -> str:
        return f"{self.plan}; {self.service}"


@dataclass(frozen=True)
class Row:
    """What was found of a case; shares of pairs."""

    case: Case
    p50_ms: float
    p99_ms: float
    pairs: int
    false_alarms: float
    """Equal runs that were called different."""
    regressions: float
    """Of all equal runs, those in which the second was called worse: exit status 3."""
    without_tolerance: float
    """Equal runs that would be called different with a tolerance of 0 %."""
    power: dict[int, float]
    """By milliseconds."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "plan": self.case.plan,
            "service": self.case.service,
            "p50_ms": round(self.p50_ms, 1),
            "p99_ms": round(self.p99_ms, 1),
            "pairs": self.pairs,
            "false_alarms": self.false_alarms,
            "regressions": self.regressions,
            "without_tolerance": self.without_tolerance,
            "power": {str(shift): share for shift, share in self.power.items()},
        }


def calm(schedule: Schedule, drift: float, memory: float) -> Make:
    """Lognormal latencies around 30 ms; see `lognormal`."""
    return lambda random: make_run(
        schedule, lognormal(random, schedule, drift=drift, memory=memory)
    )


def queue(rate: float, seconds: float, load: float) -> Make:
    return lambda random: single_server(random, rate, seconds, load)


def cases() -> list[Case]:
    minute = steady(100, 60)
    return [
        Case("60 s of 100/s", "30 ms, seconds independent", calm(minute, 0, 0), has_power=True),
        Case(
            "60 s of 100/s",
            "30 ms, level changes by 5 %, correlation 0.5",
            calm(minute, 0.05, 0.5),
            has_power=True,
        ),
        Case(
            "60 s of 100/s",
            "30 ms, level changes by 5 %, correlation 0.8",
            calm(minute, 0.05, 0.8),
        ),
        Case(
            "300 s of 20/s",
            "30 ms, level changes by 5 %, correlation 0.8",
            calm(steady(20, 300), 0.05, 0.8),
        ),
        Case(
            "20 s of 100/s",
            "30 ms, level changes by 5 %, correlation 0.5",
            calm(steady(100, 20), 0.05, 0.5),
        ),
        Case(
            "10 waves of 10, one a second",
            "30 ms, seconds independent",
            calm(WavePlan(10, 1, 10).schedule(), 0, 0),
        ),
        Case("60 s of 100/s, Poisson", "one server, busy 70 % of the time", queue(100, 60, 0.7)),
        Case("60 s of 100/s, Poisson", "one server, busy 90 % of the time", queue(100, 60, 0.9)),
    ]


def later(run: Run, milliseconds: float) -> Run:
    """The same run, with every request that much slower."""
    records = run.records.copy()
    records["ended"] += milliseconds / 1000
    return Run(run.target, run.schedule, run.connections, records, run.kinds)


def measure(case: Case, pairs: int, progress: Callable[[], object]) -> Row:
    """Compare pairs of runs of `case`; `progress` is called after each."""
    random = np.random.default_rng(0)
    alarms = regressions = narrow = 0
    found = dict.fromkeys(SHIFTS_MS, 0)
    median: list[float] = []
    tail: list[float] = []
    for _ in range(pairs):
        run, other = case.make(random), case.make(random)
        a, b = blocks_of(run), blocks_of(other)
        equal = compare_blocks(a, b)
        alarms += has_difference(equal)
        regressions += equal.is_regression
        narrow += excludes_zero(equal)
        for shift in SHIFTS_MS:
            found[shift] += compare_blocks(a, blocks_of(later(other, shift))).is_regression
        seconds = np.sort(run.records["ended"] - run.records["due"])
        median.append(float(seconds[len(seconds) // 2]))
        tail.append(float(seconds[math.ceil(0.99 * len(seconds)) - 1]))
        progress()
    return Row(
        case,
        1000 * float(np.median(median)),
        1000 * float(np.median(tail)),
        pairs,
        alarms / pairs,
        regressions / pairs,
        narrow / pairs,
        {shift: count / pairs for shift, count in found.items()},
    )


def has_difference(comparison: Comparison) -> bool:
    """Whether a judged figure is called worse or better."""
    return any(found.verdict in {"worse", "better"} for found in comparison.judged)


def excludes_zero(comparison: Comparison) -> bool:
    """Whether the interval of a judged figure is above or below zero."""
    return any(
        found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)
        for found in comparison.judged
    )


def most_alarms(pairs: int) -> float:
    """The share of false alarms that is the error of `compare_blocks` and, three standard errors
    of so many pairs, chance."""
    return ERROR + 3 * math.sqrt(ERROR * (1 - ERROR) / pairs)


def targets_of(rows: Sequence[Row]) -> tuple[list[Threshold], dict[str, float]]:
    """Targets, and the figures that they are for."""
    targets: list[Threshold] = []
    figures: dict[str, float] = {}

    def add(name: str, value: float, limit: float, *, at_least: bool) -> None:
        targets.append(Threshold(name, round(limit, 4), at_least=at_least))
        figures[name] = value

    for row in rows:
        title = row.case.title
        add(f"false alarms, {title}", row.false_alarms, most_alarms(row.pairs), at_least=False)
        if row.case.has_power:
            for shift, least in POWER.items():
                add(f"power at +{shift} ms, {title}", row.power[shift], least, at_least=True)
    return targets, figures


def server_runs(folder: Path) -> Iterator[tuple[str, int]]:
    """Test the server, and compare: names, and the exit status of compare.py. The first comparison
    is of equal runs. Delays take turns, as the machine is busier at one time than at another."""
    delays = {"before": 0, "+0 ms": 0, **{f"+{shift} ms": shift for shift in SHIFTS_MS}}
    reports: dict[str, list[Path]] = {name: [] for name in delays}
    with serving_stub() as stub:
        for turn in range(TURNS):
            for number, (name, shift) in enumerate(delays.items()):
                path = folder / f"{turn}-{number}.json"
                url = f"{stub.url}/delay/{(SERVER_MS + shift) / 1000}"
                arguments = (*WAVES, "--url", url, "--late-ok", "--json", path)
                run_script("run_multiple_tests.py", *arguments)
                reports[name].append(path)
    for name in list(delays)[1:]:
        pairs = zip(reports["before"], reports[name], strict=True)
        yield (
            name,
            run_script("compare.py", *(path for pair in pairs for path in pair), "--late-ok"),
        )


def run_script(name: str, *arguments: object) -> int:
    command = [sys.executable, str(ROOT / "local" / name), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if name == "compare.py":
        print(done.stdout.splitlines()[-1], flush=True)
    return done.returncode


def server_targets(results: Iterable[tuple[str, int]]) -> tuple[list[Threshold], dict[str, float]]:
    """Equal runs end with 0, others with 3."""
    targets, figures = [], {}
    for name, status in results:
        figure = f"exit status, server, {name}"
        expected = 0 if name == "+0 ms" else 3
        targets.append(Threshold(figure, expected, at_least=expected > 0))
        figures[figure] = float(status)
    return targets, figures


def command(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    check_outputs(options.json)
    print(machine(), flush=True)
    targets: list[Threshold] = []
    figures: dict[str, float] = {}
    pairs = options.pairs or (QUICK_PAIRS if options.quick else PAIRS)
    rows: list[Row] = []
    if not options.only_server:
        chosen = cases()
        with tqdm(total=len(chosen) * pairs, unit="pair", disable=None) as bar:
            rows = [measure(case, pairs, bar.update) for case in chosen]
        made = targets_of(rows)
        targets += made[0]
        figures.update(made[1])
        for row in rows:
            print(described(row))
    if options.only_server or not options.quick:
        with tempfile.TemporaryDirectory() as folder:
            made = server_targets(server_runs(Path(folder)))
        targets += made[0]
        figures.update(made[1])
    if options.json:
        content = {**when_and_where(), "rows": [row.as_dict() for row in rows]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return conclude([figures], targets, gross=options.gross)


def described(row: Row) -> str:
    power = ", ".join(f"{share:.0%} at +{shift} ms" for shift, share in row.power.items())
    return (
        f"{row.case.title}: p50 {row.p50_ms:.0f} ms, p99 {row.p99_ms:.0f} ms; false alarms "
        f"{row.false_alarms:.1%}, status 3 {row.regressions:.1%}, without tolerance "
        f"{row.without_tolerance:.1%}; power {power}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="python -m tests.measure.compare_power",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_gross_option(parser)
    parser.add_argument("--pairs", type=whole_number(), metavar="N", help=f"default: {PAIRS}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PAIRS} pairs, no server")
    parser.add_argument("--only-server", action="store_true", help="no synthetic runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    return parser


if __name__ == "__main__":
    main(command)
