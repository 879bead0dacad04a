"""Each command of local/ tells how it is used, and what is wrong in one line."""

import runpy
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.scripts import script

# A module may be imported already, for another test of this process.
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")

COMMANDS = [
    "local/test_script.py",
    "local/run_multiple_tests.py",
    "local/capacity.py",
    "local/forecast.py",
    "local/audit/known.py",
    "-m local.benchmark",
    "-m local.measure_lambda",
    "-m local.models.build",
    "-m local.models.evaluate",
    "-m local.models.float_model",
    "-m local.readme",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_words_for_every_option(command: str) -> None:
    done = script(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "examples:" in done.stdout
    assert "\x1b" not in done.stdout
    assert command.removeprefix("-m ").split("/")[-1] in done.stdout or "make audit" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_one_line_that_leads_on(
    command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process: a new interpreter for each takes its time, and the test above starts one."""
    monkeypatch.setattr(sys, "argv", [command, "--nonsense"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    module = command.startswith("-m ")
    run = runpy.run_module if module else runpy.run_path
    with pytest.raises(SystemExit) as ended:
        run(command.removeprefix("-m ") if module else str(ROOT / command), run_name="__main__")
    out, err = capfd.readouterr()
    assert (ended.value.code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("(see --help)")
