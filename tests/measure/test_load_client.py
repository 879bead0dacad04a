"""The command that measures the load client: its options, and a missing compiler."""

from pathlib import Path

from tests.support.scripts import script
from tests.support.tools import COMPILER

COMMAND = ("-m", "tests.measure.load_client")


def test_help_lists_the_options() -> None:
    done = script(*COMMAND, "--help")
    assert done.returncode == 0
    for option in ("--quick", "--repeat", "--gross"):
        assert option in done.stdout


def test_missing_compiler_is_reported(tmp_path: Path) -> None:
    done = script(*COMMAND, environment={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: a C compiler is missing: {COMPILER.install}\n"
