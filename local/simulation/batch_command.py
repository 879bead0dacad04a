"""`forecast.py --objects`: a job of S3 Batch Operations."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from local.common.cli import UsageError, print_progress
from local.loadtest.rate_options import is_given
from local.simulation.aws_figures import IDLE
from local.simulation.batch import MANIFESTS, BatchForecast, BatchPlan, forecast_batch
from local.simulation.batch_report import batch_report, batch_table
from local.simulation.month import HOURS
from local.simulation.pricing import FunctionConfig
from local.simulation.service_figures import S3_LATENCY
from local.simulation.services import Services
from local.simulation.sizes import Sized

CONCURRENCY: Final = 100

_NOT_HERE: Final[Mapping[str, object]] = {
    "provisioned": [0],
    "reserved": None,
    "target": None,
    "compare": None,
    "plot": None,
    "http_api": None,
    "stored": 0.0,
    "unbilled_ms": 0.0,
    "idle_minutes": IDLE.value,
    "hours_per_day": HOURS,
}
"""Options of other plans, with their defaults"""

_ONLY_HERE: Final[Mapping[str, object]] = {
    "concurrency": None,
    "retry_rate": 0.0,
    "results": False,
    "manifest": MANIFESTS[0],
    "same_region": True,
    "s3_ms": S3_LATENCY.value,
}
"""Options of jobs, with their defaults"""

_MANY: Final = 200_000
"""Invocations that may take a second or more."""


def check_batch(options: argparse.Namespace) -> None:
    """Raises `UsageError` for options that exclude --objects, and for options that need it."""
    if options.objects is None:
        for name, default in _ONLY_HERE.items():
            if getattr(options, name) != default:
                raise UsageError(f"--{name.replace('_', '-')} needs --objects (see --help)")
        return
    if is_given(options) or any(getattr(options, name) is not None for name in "NTR"):
        raise UsageError("Use --objects, or waves or a rate: a job of S3 has no due times.")
    for name, default in _NOT_HERE.items():
        if getattr(options, name) != default:
            raise UsageError(
                f"--{name.replace('_', '-')} cannot be combined with --objects (see --help)"
            )
    if (options.concurrency or 0) > options.concurrency_limit:
        raise UsageError(
            f"--concurrency {options.concurrency} must be at most {options.concurrency_limit}, the "
            "account's --concurrency-limit (see --help)"
        )


def forecast_objects(
    options: argparse.Namespace,
    cases: Sequence[Sized],
    services: Services,
    notes: Sequence[str],
) -> tuple[str, dict[str, Any]]:
    """The report, or a table of several cases, and the figures."""
    concurrency = options.concurrency or min(CONCURRENCY, options.concurrency_limit)
    plan = BatchPlan(
        options.objects,
        concurrency,
        options.retry_rate,
        options.results,
        options.manifest,
        options.same_region,
        options.s3_ms,
    )
    if plan.invocations > _MANY:
        print_progress(f"{plan.invocations:,} invocations")
    rows = [_forecast(options, plan, sized, services) for sized in cases]
    if options.sizes:
        return batch_table(rows), {"rows": [row.as_json() for row in rows]}
    return batch_report(rows[0], notes), rows[0].as_json()


def _forecast(
    options: argparse.Namespace, plan: BatchPlan, sized: Sized, services: Services
) -> BatchForecast:
    assert sized.cold is not None
    assert sized.warm is not None
    function = FunctionConfig(
        sized.memory_mb, sized.architecture, options.ephemeral, services=services
    )
    return forecast_batch(plan, function, sized.cold, sized.warm, options.seed)
