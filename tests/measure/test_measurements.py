"""The commands that measure overload and growth: `make overload` and `make soak`."""

from types import ModuleType

import pytest

from local.loadtest.result import ANSWERED, RequestResult
from tests.measure import overload, soak
from tests.measure.overload import REFUSED, Measured
from tests.measure.probes import Probes
from tests.support.scripts import finish, interrupt, script, start

COMMANDS = [overload, soak]

SHORT = {
    overload: ["--seconds", "1", "--repeat", "1"],
    soak: ["--requests", "100", "--warm-up", "50", "--repeat", "1"],
}

each_command = pytest.mark.parametrize("command", COMMANDS, ids=["overload", "soak"])


@each_command
def test_help_shows_an_example(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command.main(["--help"])
    assert exit_info.value.code == 0
    assert f"python -m {command.__name__} --" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        (overload, "--seconds", "0"),
        (overload, "--repeat", "0"),
        (soak, "--requests", "many"),
        (soak, "--repeat", "-1"),
    ],
)
def test_invalid_option_is_refused(
    command: ModuleType, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command.main([option, value])
    assert exit_info.value.code == 2
    output = capsys.readouterr()
    assert f"argument {option}: '{value}' is not a whole number of 1 or more\n" in output.err
    assert output.out == ""


@each_command
def test_ctrl_c_stops_a_measurement(command: ModuleType) -> None:
    """No server or process outlives it."""
    process = start("-m", command.__name__)
    assert process.stdout
    assert "cores of" in process.stdout.readline()  # the machine comes first
    interrupt(process)
    done = finish(process)
    assert done.returncode == 130
    assert done.stderr == "stopped\n"


@pytest.mark.slow
@each_command
def test_measurement_prints_each_figure_beside_its_target(command: ModuleType) -> None:
    """Whether a target is met depends on the machine and is not checked."""
    done = script("-m", command.__name__, *SHORT[command])
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    for target in command.TARGETS:
        (line,) = [line for line in lines if line.startswith(target.name)]
        assert line.endswith(("met", "missed"))


def outcome(start: float, end: float, failure: str) -> RequestResult:
    return RequestResult(0, 0, start, start, end, failure)


def test_overload_figures_count_accepted_refused_and_lost() -> None:
    """Given 10 s in which 10 of 40 requests are accepted and 28 refused."""
    measured = Measured(
        before=[0.8, 1.2],
        outcomes=[
            *(outcome(100 + second, 101 + second, ANSWERED) for second in range(9)),
            outcome(100, 110, ANSWERED),
            *(outcome(100, 100.25, REFUSED) for _ in range(28)),
            outcome(100, 100.5, "status 500"),
            outcome(100, 100.5, "reset"),
        ],
        start=100,
        work=[0.9] * 10,
        probes=Probes(
            seconds={"/healthz": [0.1, 0.5], "/metrics": [0.25, 0.1]},
            failures=["/metrics: status 500"],
            memory=[2**20, 3 * 2**20, 2**20, 5 * 2**20],
        ),
        after=[2.0],
    )
    assert measured.losses() == {"status 500": 1, "reset": 1, "/metrics: status 500": 1}
    assert measured.figures() == pytest.approx(
        {
            overload.LOST: 3,
            overload.OFFERED: 4,
            overload.WORK: 0.9,
            overload.ACCEPTED: 10 / 9,
            overload.REFUSALS: 0.25,
            overload.HEALTH: 0.5,
            overload.METRICS: 0.25,
            overload.MEMORY: 2,
            overload.RECOVERY: 2,
        }
    )


def test_overload_without_responses_misses_its_targets() -> None:
    probes = Probes(memory=[1])
    measured = Measured([1.0], [outcome(0, 1, "reset")], 0, [], probes, [1.0])
    figures = measured.figures()
    missed = {target.name for target in overload.TARGETS if not target.is_met(figures[target.name])}
    assert missed >= {overload.LOST, overload.OFFERED, overload.WORK, overload.REFUSALS}


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (200, {}, b'{"predictions": []}', ANSWERED),
        (503, {"retry-after": "1"}, b"", REFUSED),
        (503, {}, b"", "status 503"),
        (200, {}, b"", "status 200"),
        (500, {}, b"", "status 500"),
    ],
)
def test_refusal_counts_only_with_retry_after(
    status: int, headers: dict[str, str], body: bytes, expected: str
) -> None:
    assert overload.classify_response(status, headers, body) == expected
