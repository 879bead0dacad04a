"""The command that measures the reports of a large load test."""

from pathlib import Path

from tests.measure.load_reports import TARGETS, make, report
from tests.support.scripts import script


def test_help_lists_the_options() -> None:
    done = script("-m", "tests.measure.load_reports", "--help")
    assert done.returncode == 0
    for option in ("--quick", "--repeat", "--gross"):
        assert option in done.stdout
    assert "--step" not in done.stdout


def test_a_report_has_a_figure_for_each_target(tmp_path: Path) -> None:
    make(100, tmp_path)
    figures = report(100, tmp_path)
    assert figures.keys() == {target.name for target in TARGETS}
    assert (tmp_path / "report.csv").read_text().count("\n") == 1001
