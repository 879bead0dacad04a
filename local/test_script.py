"""Send N parallel requests, each with an image, and wait for the responses."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import local.common.interrupts  # noqa: F401
from local.common.cli import main
from local.loadtest import cli, reporting
from local.loadtest.schedule import WavePlan
from local.loadtest.target_options import add_target_options

EXAMPLES = """\
  python test_script.py                one request
  python test_script.py 20             20 in parallel: the time of each, then a summary
  python test_script.py 20 --image photos/ --html report.html
  python test_script.py 20 --lambda classifier"""


def test_script() -> int:
    parser = cli.LoadTestParser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "parallel",
        nargs="?",
        type=int,
        default=1,
        metavar="N",
        help="parallel requests (default: 1)",
    )
    add_target_options(parser)
    reporting.add_report_options(parser)
    options = parser.parse_args()
    plan = WavePlan(options.parallel, period=0, repeat=1)
    return cli.run_load_test(options, plan.schedule(), verbose=True)


if __name__ == "__main__":
    main(test_script)
