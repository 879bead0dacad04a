"""Send requests at a rate: constant, rising or falling, from a profile, or as in an access log. An
open loop: a request is sent at its time even if earlier ones are in flight, and latency counts from
that time."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import local.common.interrupts  # noqa: F401
from local.common.cli import UsageError, main, whole_number
from local.loadtest import cli, reporting
from local.loadtest.rate_options import add_rate_options, schedule_of
from local.loadtest.target_options import add_target_options

EXAMPLES = """\
  python run_rate_test.py                               10 requests/s for 10 s
  python run_rate_test.py --rate 100 --for 60           100 requests/s for a minute
  python run_rate_test.py --rate 100 --for 60 --arrivals poisson
                                                        the same, at random times
  python run_rate_test.py --ramp 10:200 --for 120       from 10 to 200 requests/s
  python run_rate_test.py --profile day.csv             rows of seconds,rate
  python run_rate_test.py --replay access.log --speed 2 the requests of a log, in half the time"""


def rate() -> int:
    parser = cli.LoadTestParser(__doc__ or "", EXAMPLES)
    add_rate_options(parser)
    parser.add_argument("--seed", type=whole_number(0), help="of --arrivals poisson (default: 0)")
    parser.add_argument("-V", action="store_true", help="print each request as it ends")
    add_target_options(parser)
    reporting.add_report_options(parser)
    options = parser.parse_args()
    if options.seed is not None and options.arrivals != "poisson":
        raise UsageError("--seed needs --arrivals poisson.")
    return cli.run_load_test(options, schedule_of(options), verbose=options.V)


if __name__ == "__main__":
    main(rate)
