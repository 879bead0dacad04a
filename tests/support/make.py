"""`make`, as a person runs it."""

import os
import subprocess

from tests.support.paths import ROOT

# What a `make` hands to the programs that it runs. With it, an inner make prints the folders that
# it enters, and takes the options of the outer one.
_OF_AN_OUTER_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "GNUMAKEFLAGS")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make` with `arguments` in the project's folder, also under `make test`."""
    environment = {k: v for k, v in os.environ.items() if k not in _OF_AN_OUTER_MAKE}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
