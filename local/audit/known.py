"""Tells which pinned packages have known vulnerabilities: what ships, or the files that are named.

Asks PyPI's vulnerability service about each pin, by way of pip-audit; nothing is installed.

examples:
  make audit                                         what the container image installs
  make audit ARGS="requirements.txt tests/requirements.txt"

exit status: 0 none is known, 1 some are, 2 the service could not be asked
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SHIPPED: Final = ROOT / "function" / "requirements.txt"
SERVICE_SECONDS: Final = "20"

_OFFLINE: Final = (
    "error: the vulnerability service cannot be asked from here, so nothing is known: {why}\n"
    "Try again where PyPI itself answers; a mirror that only has its files is not enough."
)


class Unasked(Exception):
    """The service could not be asked about every package; the message says why."""


def vulnerable(report: Any) -> list[str]:
    """A line for each known vulnerability in pip-audit's JSON `report`.

    Raises `Unasked` if a package was passed over: pip-audit itself calls that a success.
    """
    packages = report["dependencies"]
    skipped = [each["skip_reason"] for each in packages if "skip_reason" in each]
    if skipped or not packages:
        count = f"{len(skipped)} of {len(packages)} packages"
        raise Unasked(f"it does not know {count} ({skipped[0]})" if skipped else "no packages")
    return [
        f"{each['name']} {each['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no release yet'}"
        for each in packages
        for found in each["vulns"]
    ]


def ask(requirements: Sequence[Path]) -> Any:
    """pip-audit's report. Raises `Unasked`."""
    files = [part for path in requirements for part in ("-r", str(path))]
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *options, "--timeout", SERVICE_SECONDS, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        words = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        raise Unasked(words[-1][:300]) from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _Parser(
        prog="make audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "requirements",
        nargs="*",
        type=Path,
        default=[SHIPPED],
        metavar="FILE",
        help="requirements with hashes",
    )
    files = parser.parse_args(arguments).requirements
    for path in files:
        if not path.is_file():
            print(f"error: there is no file {str(path)!r}.", file=sys.stderr)
            return 2
    try:
        found = vulnerable(ask(files))
    except Unasked as error:
        print(_OFFLINE.format(why=error), file=sys.stderr)
        return 2
    print("\n".join(found) or "No vulnerabilities are known.")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
