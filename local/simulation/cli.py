"""The forecast command."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from local.common.cli import UsageError, check_outputs, print_progress, unwritable
from local.loadtest import requirements
from local.loadtest.schedule import Schedule
from local.simulation import aws_figures
from local.simulation.batch_command import check_batch, forecast_objects
from local.simulation.comparison import compare, doubts
from local.simulation.durations import Times
from local.simulation.measured import (
    ARCHITECTURES,
    Measured,
    MeasuredError,
    read_load_report,
    read_measured,
)
from local.simulation.options import create_parser
from local.simulation.plan_options import read_schedule
from local.simulation.prediction import Prediction, predict
from local.simulation.pricing import FunctionConfig
from local.simulation.report import comparison_table, figures_table, report
from local.simulation.scaling import Limits
from local.simulation.services import Services
from local.simulation.sizes import MEASURED, MEMORY_MB, Sized, durations_for
from local.simulation.tables import Row, cheapest, provisioned_table, sizes_table, verdict

MANY: Final = 1_000_000
"""Requests that take a second or more."""

NOT_MET: Final = 3
"""The exit status if --target is not met."""


def forecast(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status. Raises `UsageError`."""
    parser = create_parser()
    options = parser.parse_args(arguments)
    if options.figures:
        print(figures_table(), end="")
        return 0
    _check(options)
    try:
        known = [one for path in options.measured for one in read_measured(path)]
        load_report = read_load_report(options.compare) if options.compare else None
    except MeasuredError as error:
        parser.error(str(error))
    if options.objects is not None:
        return _objects(options, known)
    schedule = read_schedule(options)
    if options.sizes or len(options.provisioned) > 1:
        return _table(options, schedule, known)
    sized = _sized(options, known, options.memory, options.architecture)
    prediction = _predict(options, schedule, sized, options.provisioned[0])
    print(report(prediction, _notes(sized)), end="")
    if load_report is not None:
        figures = prediction.as_json()
        print()
        for doubt in doubts(figures, load_report):
            print(doubt)
        print(comparison_table(compare(figures, load_report)), end="")
    _write_json(options, prediction.as_json())
    if options.plot:
        _plot(options, prediction)
    return _verdict(options, [Row(prediction, sized.source)])


def _check(options: argparse.Namespace) -> None:
    """Raises `UsageError` for options that do not go together."""
    check_outputs(options.json, options.plot)
    if options.plot:
        _check_plot(options.plot)
    check_batch(options)
    if options.sizes and len(options.provisioned) > 1:
        raise UsageError("--sizes needs one value of --provisioned: a table has one of the two.")
    if options.sizes and options.memory and not (options.warm_ms or options.cold_ms):
        raise UsageError("Use --memory or --sizes, not both.")
    if options.sizes and options.measured and (options.warm_ms or options.cold_ms):
        raise UsageError(
            "--sizes takes durations from --measured, or from --warm-ms and --cold-ms "
            "(with --memory), not from both."
        )
    if options.sizes or len(options.provisioned) > 1:
        for name in ("plot", "compare"):
            if getattr(options, name):
                raise UsageError(f"--{name} needs one memory size and one value of --provisioned.")
    if options.target and options.target.name.startswith(requirements.PREFIXES[1:]):
        raise UsageError(f"--target {options.target}: a forecast has only latencies, such as p99.")


def _objects(options: argparse.Namespace, known: Sequence[Measured]) -> int:
    cases = [sized for sized, _ in _cases(options, known)]
    text, figures = forecast_objects(options, cases, _services(options), _notes(cases[0]))
    print(text, end="")
    _write_json(options, figures)
    return 0


def _services(options: argparse.Namespace) -> Services:
    return Services(
        options.costs,
        options.system_log_level == "INFO",
        options.stored,
        options.object_kb,
        options.alarms,
        options.dashboards,
    )


def _table(options: argparse.Namespace, schedule: Schedule, known: Sequence[Measured]) -> int:
    rows: list[Row] = []
    cases = _cases(options, known)
    for number, (sized, provisioned) in enumerate(cases, start=1):
        print_progress(f"simulation {number} of {len(cases)}")
        rows.append(Row(_predict(options, schedule, sized, provisioned), sized.source))
    table = sizes_table if options.sizes else provisioned_table
    print(table(rows, options.target), end="")
    best = cheapest(rows, options.target) if options.target else None
    _write_json(
        options,
        {
            "rows": [{**row.prediction.as_json(), "source": row.source} for row in rows],
            "target": str(options.target) if options.target else None,
            "cheapest": rows.index(best) if best else None,
        },
    )
    return _verdict(options, rows)


def _cases(options: argparse.Namespace, known: Sequence[Measured]) -> list[tuple[Sized, int]]:
    if not options.sizes:
        sized = _sized(options, known, options.memory, options.architecture)
        return [(sized, provisioned) for provisioned in options.provisioned]
    if not known:
        memory = options.memory or MEMORY_MB
        known = [Measured(options.cold_ms, options.warm_ms, memory, options.architecture)]
    architectures = [options.architecture] if options.architecture else ARCHITECTURES
    return [
        (_sized(options, known, size, architecture, given=False), options.provisioned[0])
        for size in options.sizes
        for architecture in architectures
    ]


def _sized(
    options: argparse.Namespace,
    known: Sequence[Measured],
    memory_mb: int | None,
    architecture: str | None,
    *,
    given: bool = True,
) -> Sized:
    """The durations of one size. given: those of --warm-ms and --cold-ms take precedence."""
    found = durations_for(known, memory_mb, architecture)
    cold = (options.cold_ms if given else None) or found.cold
    warm = (options.warm_ms if given else None) or found.warm
    if warm is None or cold is None:
        missing = "warm" if warm is None else "cold"
        raise UsageError(
            f"set --{missing}-ms, or --measured to a file with {missing}_ms, such as "
            "docs/measured/lambda.json (see --help)"
        )
    source = MEASURED if options.cold_ms and options.warm_ms and given else found.source
    return replace(found, cold=cold, warm=warm, source=source)


def _predict(
    options: argparse.Namespace, schedule: Schedule, sized: Sized, provisioned: int
) -> Prediction:
    assert sized.cold is not None
    assert sized.warm is not None
    if schedule.requests >= MANY:
        print_progress(f"simulating {schedule.requests:,} requests")
    function = FunctionConfig(
        sized.memory_mb,
        sized.architecture,
        options.ephemeral,
        provisioned,
        options.unbilled_ms,
        options.http_api,
        _services(options),
    )
    return predict(
        schedule,
        _limits(options, provisioned),
        function,
        Times(sized.cold, sized.warm),
        options.seed,
        hours_per_day=options.hours_per_day,
    )


def _limits(options: argparse.Namespace, provisioned: int) -> Limits:
    unreserved = int(aws_figures.UNRESERVED.value)
    most = max(options.concurrency_limit - unreserved, 0)
    if options.reserved and options.reserved > most:
        raise UsageError(
            f"--reserved {options.reserved} must be at most {most}: AWS keeps {unreserved} of the "
            f"account's {options.concurrency_limit} unreserved (see --help)"
        )
    concurrency = options.reserved or options.concurrency_limit
    if provisioned > (options.reserved or most):
        limit = "--reserved" if options.reserved else f"--concurrency-limit less {unreserved}"
        raise UsageError(
            f"--provisioned {provisioned} must be at most {options.reserved or most} ({limit}) "
            "(see --help)"
        )
    return Limits(concurrency, provisioned, options.idle_minutes * 60)


def _notes(sized: Sized) -> list[str]:
    if sized.source == MEASURED:
        return []
    scaled = ", scaled by the share of the CPU" if sized.factor != 1 else ""
    return [
        f"No durations were measured with {sized.memory_mb:,} MB on {sized.architecture}: they are "
        f"those of {sized.source}{scaled}."
    ]


def _verdict(options: argparse.Namespace, rows: Sequence[Row]) -> int:
    if options.target is None:
        return 0
    best = cheapest(rows, options.target)
    print("\n" + verdict(rows, options.target, best))
    return NOT_MET if best is None else 0


def _write_json(options: argparse.Namespace, content: dict[str, Any]) -> None:
    if not options.json:
        return
    try:
        options.json.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise unwritable(error) from None


def _check_plot(path: Path) -> None:
    """Check the format before the simulation, which may take long. Raises `UsageError`."""
    try:
        from local.simulation.plot import formats
    except ImportError:  # `_plot` says so, below the report
        return
    if path.suffix.lower() not in formats():
        raise UsageError(f"--plot must end in {', '.join(formats())}: {str(path)!r}.")


def _plot(options: argparse.Namespace, prediction: Prediction) -> None:
    try:
        from local.simulation.plot import plot
    except ImportError as error:
        raise UsageError(
            f"--plot needs matplotlib (pip install -r requirements.txt): {error} (see --help)"
        ) from None
    try:
        plot(prediction, options.plot)
    except OSError as error:
        raise unwritable(error) from None
