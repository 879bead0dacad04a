"""Every command of local/ has help, and reports invalid options in one line."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

COMMANDS = [
    "local/test_script.py",
    "local/run_multiple_tests.py",
    "local/capacity.py",
    "local/forecast.py",
    "-m local.benchmark",
    "-m local.benchmark.lambda_image",
    "-m local.models.build",
    "-m local.models.evaluate",
    "-m local.models.float_model",
    "-m local.docs",
]


def run(command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command.split(), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "examples:" in done.stdout
    assert "\x1b" not in done.stdout
    assert command.removeprefix("-m ").split("/")[-1] in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option_is_one_line_with_a_hint(command: str) -> None:
    done = run(command, "--nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("(see --help)")
