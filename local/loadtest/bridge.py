"""Results of the wave processes as records. Removed with them."""

import time
from collections.abc import Sequence

import numpy as np

from local.loadtest.client import runner
from local.loadtest.plan import WavePlan as OldPlan
from local.loadtest.result import RequestResult
from local.loadtest.run import RECORD, Records, Run
from local.loadtest.schedule import WavePlan


def records_of(results: Sequence[RequestResult], plan: OldPlan, kinds: list[str]) -> Records:
    """Adds new kinds of failures to `kinds`."""
    records = np.zeros(len(results), RECORD)
    start = min((result.intended - plan.due(result.wave) for result in results), default=0.0)
    for name in ("connected", "sent", "first_byte", "queue", "decode", "infer"):
        records[name] = np.nan
    for record, result in zip(records, results, strict=True):
        if result.failure not in kinds:
            kinds.append(result.failure)
        record["request"] = result.wave * plan.parallel + result.number
        record["due"] = result.intended - start
        record["started"] = result.started - start
        record["ended"] = result.ended - start
        record["failure"] = kinds.index(result.failure)
    return records


def run_of(done: runner.Run) -> Run:
    plan = WavePlan(done.plan.parallel, done.plan.period, done.plan.repeat)
    run = Run(done.target, plan.schedule(), "new", np.zeros(0, RECORD))
    run.records = records_of(done.results, done.plan, run.kinds)
    run.start_epoch = time.time() - time.perf_counter() + done.start
    run.stopped_by = done.stopped_by
    return run
