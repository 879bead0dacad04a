"""Each command of local/ has examples, and reports an error in one line."""

import runpy
import sys
from pathlib import Path

import pytest

from tests.support.make import make
from tests.support.paths import ROOT
from tests.support.scripts import script

# Another test of this process may have imported the module.
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")

COMMANDS = [
    "local/test_script.py",
    "local/run_multiple_tests.py",
    "local/run_rate_test.py",
    "local/capacity.py",
    "local/forecast.py",
    "local/compare.py",
    "local/batch_report.py",
    "-m local.benchmark",
    "-m local.benchmark.lambda_image",
    "-m local.benchmark.lambda_start",
    "-m local.benchmark.models",
    "-m local.benchmark.photos",
    "-m local.benchmark.crowd",
    "-m local.benchmark.overload",
    "-m local.benchmark.cores",
    "-m local.models.build",
    "-m local.models.evaluate",
    "-m local.models.float_model",
    "-m local.models.temperature",
    "-m local.docs",
    "-m local.base_digest",
    "-m local.aws_check",
    "-m local.sbom",
    "-m tests.clients",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    done = script(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "examples:" in done.stdout
    assert "\x1b" not in done.stdout
    assert command.removeprefix("-m ").split("/")[-1] in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option_gets_one_line_that_names_help(
    command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process, which is faster than a new interpreter."""
    monkeypatch.setattr(sys, "argv", [command, "--nonsense"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    module = command.startswith("-m ")
    run = runpy.run_module if module else runpy.run_path
    with pytest.raises(SystemExit) as exit_info:
        run(command.removeprefix("-m ") if module else str(ROOT / command), run_name="__main__")
    out, err = capfd.readouterr()
    assert (exit_info.value.code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("(see --help)")


@pytest.mark.parametrize("target", ["model", "models", "evaluate", "bench-colour", "bench-explain"])
def test_targets_that_need_photos_ask_for_them_before_they_install(
    target: str, tmp_path: Path
) -> None:
    new = (f"VENV={tmp_path}/venv", "PYTHON=false")  # nothing is installed, and nothing can be
    for photos, said in (("", "Say where the photos are:"), ("no-földer", "no folder no-földer:")):
        done = make(target, f"PHOTOS={photos}", *new)
        assert (done.returncode, done.stdout) == (2, "")
        first, *_ = done.stderr.splitlines()
        assert first.endswith(f"{said} make {target} PHOTOS=folder")
