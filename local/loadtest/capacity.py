"""Find the knee of a running service: increase the wave size, one wave every T seconds, until the
99th percentile of latency exceeds a limit; then bisect to the largest size within the limit."""

import json
import signal
from argparse import Namespace
from pathlib import Path

from local.common.cli import UsageError, check_outputs
from local.loadtest import cli
from local.loadtest.engine.engine import run
from local.loadtest.knee import TABLE_HEADER, Curve, Search, Step, find_knee
from local.loadtest.reporting import require_matplotlib
from local.loadtest.schedule import WavePlan
from local.loadtest.stats import summarize
from local.loadtest.target_options import add_target_options, create_target

EXAMPLES = """\
  python capacity.py                            p99 of at most 1 s, waves every second
  python capacity.py --limit 250 --plot capacity.svg
  python capacity.py -T 0.5 --limit 500 -R 10 --json capacity.json"""
FORMATS = (".svg", ".png", ".pdf")


def capacity() -> int:
    options = parse()
    search = Search(options.limit, options.T, options.R, options.most)
    check_outputs(options.json, options.plot)
    if options.plot:
        require_matplotlib()
        if options.plot.suffix not in FORMATS:
            raise UsageError(f"--plot must end in {', '.join(FORMATS)}: {str(options.plot)!r}.")
    target = create_target(options)
    curve = Curve(target.name, search, [])
    stopped_by: int | None = None

    def measure(parallel: int) -> Step:
        plan = WavePlan(parallel, search.period, search.repeat)
        done = run(target, plan.schedule(), options.timeout)
        if done.stopped_by is not None:
            raise cli.Interrupted(done.stopped_by)
        step = Step.from_summary(summarize(done), search)
        print(step.row(), flush=True)
        curve.steps.append(step)
        return step

    print(f"{target.name}: waves every {search.period:g} s, {search.repeat} of each size")
    print(TABLE_HEADER)
    try:
        find_knee(search, measure)
    except cli.Interrupted as stopped:
        stopped_by = stopped.number
    except KeyboardInterrupt:  # between two runs
        stopped_by = signal.SIGINT
    if curve.steps:
        print(curve.verdict())
    write(options, curve)
    if stopped_by is not None:
        return 128 + stopped_by
    return 0 if curve.knee else 1


def parse() -> Namespace:
    parser = cli.LoadTestParser(__doc__ or "", EXAMPLES)
    search = parser.add_argument_group("search")
    search.add_argument(
        "--limit",
        type=float,
        default=1000,
        metavar="MS",
        help="maximum p99 latency in ms, at most T (default: %(default)g)",
    )
    search.add_argument(
        "-T", type=float, default=1, help="seconds from wave to wave (default: %(default)s)"
    )
    search.add_argument("-R", type=int, default=5, help="waves of each size (default: %(default)s)")
    search.add_argument(
        "--most", type=int, default=4096, metavar="N", help="largest wave (default: %(default)s)"
    )
    add_target_options(parser)
    reports = parser.add_argument_group("reports")
    reports.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    reports.add_argument(
        "--plot", type=Path, metavar="FILE", help=f"draw the curve: {', '.join(FORMATS)}"
    )
    return parser.parse_args()


def write(options: Namespace, curve: Curve) -> None:
    if options.json:
        text = json.dumps(curve.as_dict(), indent=2)
        options.json.write_text(f"{text}\n", encoding="utf-8")
    if options.plot:
        from local.loadtest.report.plots import save_capacity_plot

        save_capacity_plot(curve, options.plot)
