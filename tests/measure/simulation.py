"""Speed of the forecast: python -m tests.measure.simulation

Time of the simulation per request, as a multiple of the time that plain Python takes to add up as
many durations in the same repetition.

examples:
  python -m tests.measure.simulation
  python -m tests.measure.simulation --quick --gross     the short form of continuous integration

exit status: 0 all targets met, 1 a target missed, 2 invalid command
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from local.common.cli import OneLineParser, main
from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from local.loadtest.schedule import WavePlan
from local.simulation.durations import LogNormal, Times
from local.simulation.prediction import Prediction, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.scaling import Limits

WAVES: Final = "waves of 1,000: time / addition"
SINGLE: Final = "single requests: time / addition"

# Measured on 2 busy cores of an AMD EPYC: 7 to 9, and 12 (with --quick 37, as the first requests
# are cold).
TARGETS: Final = (Threshold(WAVES, 10), Threshold(SINGLE, 50))

REQUESTS: Final = 2_000_000
QUICK: Final = 200_000

_TIMES: Final = Times(LogNormal(1500, 4000), LogNormal(25, 60))


def measure(requests: int) -> Figures:
    """A tenth of `requests` are simulated as waves of a single request. A forecast simulates a plan
    twice, so the plans have half of these requests."""
    durations = _TIMES.warm.draw(np.random.default_rng(0), requests).tolist()
    before = seconds(lambda: add(durations))
    waves = seconds(lambda: forecast(WavePlan(1000, 0.5, requests // 2000)))
    between = seconds(lambda: add(durations))
    single = seconds(lambda: forecast(WavePlan(1, 0.025, requests // 20)))
    after = seconds(lambda: add(durations))
    return {
        WAVES: waves / statistics.mean((before, between)),
        SINGLE: 10 * single / statistics.mean((between, after)),
    }


def forecast(plan: WavePlan) -> Prediction:
    return predict(plan.schedule(), Limits(), FunctionConfig(1769, "x86_64"), _TIMES)


def add(durations: Sequence[int]) -> int:
    total = 0
    for duration in durations:
        total += duration
    return total


def seconds(call: Callable[[], object]) -> float:
    """CPU time, which other processes do not change much."""
    gc.collect()
    start = time.process_time()
    call()
    return time.process_time() - start


def command(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m tests.measure.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_verdict_options(parser)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK:,} requests instead of {REQUESTS:,}"
    )
    options = parser.parse_args(arguments)
    requests = QUICK if options.quick else REQUESTS
    return judge(lambda: measure(requests), TARGETS, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    main(command)
