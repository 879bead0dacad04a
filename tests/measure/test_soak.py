"""The command that measures growth: `make soak`."""

import pytest

from tests.measure import soak
from tests.support.scripts import finish, interrupt, script, start

COMMAND = ("-m", "tests.measure.soak")


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        soak.main(["--help"])
    assert exit_info.value.code == 0
    assert "python -m tests.measure.soak --" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "value"), [("--requests", "many"), ("--repeat", "-1")])
def test_invalid_option_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        soak.main([option, value])
    assert exit_info.value.code == 2
    output = capsys.readouterr()
    assert f"argument {option}: '{value}' is not a whole number of 1 or more\n" in output.err
    assert output.out == ""


def test_ctrl_c_stops_a_measurement() -> None:
    """No server or process outlives it."""
    process = start(*COMMAND)
    assert process.stdout
    assert "cores of" in process.stdout.readline()  # the machine comes first
    interrupt(process)
    done = finish(process)
    assert done.returncode == 130
    assert done.stderr == "stopped\n"


@pytest.mark.slow
def test_measurement_prints_each_figure_beside_its_target() -> None:
    """Whether a target is met depends on the machine and is not checked."""
    done = script(*COMMAND, "--requests", "100", "--warm-up", "50", "--repeat", "1")
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    for target in soak.TARGETS:
        (line,) = [line for line in lines if line.startswith(target.name)]
        assert line.endswith(("met", "missed"))
