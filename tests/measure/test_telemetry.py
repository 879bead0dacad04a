"""The command that measures log, metrics and traces."""

from tests.measure.telemetry import TARGETS, measure
from tests.support.scripts import script


def test_help_lists_the_options() -> None:
    done = script("-m", "tests.measure.telemetry", "--help")
    assert done.returncode == 0
    for option in ("--quick", "--repeat", "--gross"):
        assert option in done.stdout


def test_each_target_has_a_figure() -> None:
    figures = measure(20)
    assert figures.keys() == {target.name for target in TARGETS}
    assert min(figures.values()) > 0
