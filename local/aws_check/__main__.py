"""Compare the parameters of template.yaml with an AWS account, before a deployment.

Reads the account's quotas, changes nothing, and reports what will not fit, why, and what to do.
Values are those of the arguments, or without any those of samconfig.toml, as for `sam deploy`; all
others are those of the deployed stack, or the template's defaults. The exit status is 0 if all
fits, 1 if something does not, and 2 if the account cannot be queried.

examples:
  make aws-check                                            the parameters of samconfig.toml
  make aws-check ARGS="ReservedConcurrency=50 MemorySize=4096"
  python -m local.aws_check --profile work --region eu-central-1 --stack photos
"""

import argparse
from collections.abc import Sequence
from typing import Final

from local.aws_check.account import ask
from local.aws_check.checks import check
from local.aws_check.parameters import all_values, given_values, read_samconfig, read_template
from local.aws_check.report import report
from local.common.cli import OneLineParser, main

_DEFAULT_STACK: Final = "image-classifier"


def aws_check(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status. Raises `UsageError`."""
    options = _parser().parse_args(arguments)
    template, config = read_template(), read_samconfig(options.config_env)
    given = given_values(template, config.overrides, options.values)
    account = ask(
        profile=options.profile or config.profile,
        region=options.region or config.region,
        stack=options.stack or config.stack or _DEFAULT_STACK,
    )
    findings = check(template, all_values(template, account.deployed, given), account)
    print(report(account, findings), end="")
    return int(any(finding.fits is False for finding in findings))


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = OneLineParser(
        prog="python -m local.aws_check",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("values", nargs="*", metavar="Name=Value", help="parameters")
    parser.add_argument("--region", help="default: that of samconfig.toml, or boto3's")
    parser.add_argument("--profile", help="profile of ~/.aws/config; default: as for --region")
    parser.add_argument("--stack", help="name of the stack; default: as for --region")
    parser.add_argument(
        "--config-env", default="default", help="section of samconfig.toml (default: default)"
    )
    return parser


if __name__ == "__main__":
    main(aws_check)
