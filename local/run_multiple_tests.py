"""Send waves of N parallel requests every T seconds, R times. An open loop: a wave starts at its
time even if earlier waves are in flight, and latency counts from that time."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import local.common.interrupts  # noqa: F401
from local.common.cli import main
from local.loadtest import cli, reporting
from local.loadtest.schedule import WavePlan
from local.loadtest.target_options import add_target_options

EXAMPLES = """\
  python run_multiple_tests.py                       10 requests every second, 10 times
  python run_multiple_tests.py -N 50 -T 2 -R 30      50 every 2 seconds for a minute
  python run_multiple_tests.py -N 20 -R 3 -V         print each request
  python run_multiple_tests.py -N 100 -T 0.5 -R 20 --html report.html --json report.json
  python run_multiple_tests.py -N 50 --lambda classifier
  python run_multiple_tests.py -N 1 --lambda function --endpoint-url http://localhost:9000
                                                     (the emulator handles one request at a time)"""


def waves() -> int:
    parser = cli.LoadTestParser(__doc__ or "", EXAMPLES)
    group = parser.add_argument_group("waves")
    group.add_argument(
        "-N", type=int, default=10, help="parallel requests in a wave (default: %(default)s)"
    )
    group.add_argument(
        "-T", type=float, default=1, help="seconds from wave to wave (default: %(default)s)"
    )
    group.add_argument("-R", type=int, default=10, help="waves (default: %(default)s)")
    parser.add_argument("-V", action="store_true", help="print each request as it ends")
    add_target_options(parser)
    reporting.add_report_options(parser)
    options = parser.parse_args()
    plan = WavePlan(options.N, options.T, options.R)
    return cli.run_load_test(options, plan.schedule(), verbose=options.V)


if __name__ == "__main__":
    main(waves)
