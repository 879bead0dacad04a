"""Runs with given times, for tests of statistics and reports."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from local.loadtest.run import ANSWERED, IN_FLIGHT, RECORD, Connections, Records, Run
from local.loadtest.schedule import RateProfile, Schedule, WavePlan

EPOCH = 1_800_000_000.0
"""When these runs started: 2027-01-15 08:00:00 UTC."""


def make_run(
    schedule: Schedule,
    service: ArrayLike,
    *,
    lateness: ArrayLike = 0.0,
    failure: Sequence[str] | None = None,
    stopped_by: int | None = None,
    connections: Connections = "new",
) -> Run:
    """A run of the first requests of `schedule`, one for each value of `service`, in the order in
    which they end.

    service, lateness: seconds. failure: the kind of each (default: all answered)."""
    service = np.asarray(service, dtype=np.float64)
    records: Records = np.zeros(len(service), RECORD)
    records["request"] = np.arange(len(service))
    records["due"] = schedule.due[: len(service)]
    records["started"] = records["due"] + lateness
    records["ended"] = records["started"] + service
    for name in ("connected", "sent", "first_byte", "queue", "decode", "infer"):
        records[name] = np.nan
    kinds = [ANSWERED, IN_FLIGHT]
    if failure is not None:
        kinds += sorted(set(failure) - set(kinds))
        records["failure"] = [kinds.index(kind) for kind in failure]
    else:
        records["status"] = 200
    records = records[np.argsort(records["ended"], kind="stable")]
    return Run("http://localhost:8000/", schedule, connections, records, kinds, EPOCH, stopped_by)


def waves(parallel: int, period: float, repeat: int) -> Schedule:
    return WavePlan(parallel, period, repeat).schedule()


def steady(rate: float, seconds: float) -> Schedule:
    profile = RateProfile.steady(rate, seconds)
    return Schedule(
        due=profile.due("constant", seed=0),
        span=seconds,
        description=f"{rate:g} requests/s for {seconds:g} s",
        plan={"kind": "rate", "rate": rate, "seconds": seconds},
    )


def add_stages(
    run: Run,
    *,
    connecting: ArrayLike = np.nan,
    sending: ArrayLike = 0.0,
    queue: ArrayLike = np.nan,
    decode: ArrayLike = np.nan,
    infer: ArrayLike = np.nan,
) -> None:
    """Fill in the stages of the records. Seconds; the last three are those of Server-Timing."""
    records = run.records
    records["connected"] = records["started"] + connecting
    opened = np.where(np.isfinite(records["connected"]), records["connected"], records["started"])
    records["sent"] = opened + sending
    records["first_byte"] = records["ended"]
    for name, seconds in (("queue", queue), ("decode", decode), ("infer", infer)):
        records[name] = np.asarray(seconds) * 1000
