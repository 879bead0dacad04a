"""Requirements: `--require "p99<250"`."""

import argparse
from typing import Any

import pytest

from local.common.cli import UsageError
from local.loadtest.requirements import add_requirement_options, broken, parse, run_figures

LATENCY = {"min": 1.0, "mean": 20.0, "p50": 18.0, "p99": 312.4, "p99_9": 400.0, "max": 500.0}
FIGURES = run_figures(
    LATENCY,
    {"p50": 17.0, "p99": 200.0},
    {"p50": 0.1, "p99": 4.0},
    requests=1000,
    failed=2,
    rate=45.04,
)
NO_ANSWERS = run_figures({"p99": None}, {}, {}, requests=10, failed=10, rate=0.0)


@pytest.mark.parametrize(
    "text",
    [
        *("p99<313", "p99 < 312.5", "p99<=312.4", "p99<312.5ms", "p99<1s", "P99.9<401"),
        *("max>=500", "min>0", "mean<1e2", "service_p99<201", "lateness_p99<5"),
        *(
            "failures<0.21%",
            "failures<=0.2 %",
            "failures<3",
            "failures<=2",
            "rate>=45",
            "rate>45/s",
        ),
    ],
)
def test_run_that_meets_a_requirement_breaks_none(text: str) -> None:
    assert broken([parse(text)], FIGURES) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("p99<250", "p99<250: it was 312.4 ms"),
        ("p99 < 312.4", "p99<312.4: it was 312.4 ms"),
        ("p99<0.25s", "p99<0.25s: it was 312.4 ms"),
        ("p99.9<250", "p99.9<250: it was 400.0 ms"),
        ("lateness_p99<4", "lateness_p99<4: it was 4.0 ms"),
        ("failures<0.1%", "failures<0.1%: it was 0.2 %"),
        ("failures<0.196%", "failures<0.196%: it was 0.200 %"),
        ("failures<1", "failures<1: it was 2"),
        ("rate>=45.05", "rate>=45.05: it was 45.04/s"),
        ("rate>46", "rate>46: it was 45.0/s"),
    ],
)
def test_broken_requirement_is_reported_with_the_measured_value(text: str, line: str) -> None:
    assert broken([parse(text)], FIGURES) == [line]


def test_only_broken_requirements_are_reported_in_their_order() -> None:
    lines = broken([parse("rate>50"), parse("p50<20"), parse("p50<10")], FIGURES)
    assert lines == ["rate>50: it was 45.0/s", "p50<10: it was 18.0 ms"]


@pytest.mark.parametrize("text", ["p99<250", "p99>0", "p95<1"])
def test_figure_that_was_not_measured_meets_no_requirement(text: str) -> None:
    lines = broken([parse(text)], NO_ANSWERS)
    assert lines == [f"{text}: it was not measured, because no request was answered"]


def test_failures_of_a_run_without_answers_are_measured() -> None:
    assert broken([parse("failures<1%")], NO_ANSWERS) == ["failures<1%: it was 100.0 %"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("p98<250", "Names are min, mean, p50, p90, p95, p99, p99.9, max"),
        ("latency<250", "failures (a number, or a share with %) and rate (responses/s)"),
        ("p99", "Write a name, one of < <= > >= and a number"),
        ("p99=250", "Write a name, one of < <= > >= and a number"),
        ("p99<", "Write a name"),
        ("p99<-1", "Write a name"),
        ("p99<nan", "Write a name"),
        ("", "Write a name"),
        ("p99<1.2.3", "1.2.3 is not a number"),
        ("p99<5%", "% is not a unit of p99. Use ms or s, or no unit."),
        ("rate>5ms", "ms is not a unit of rate. Use /s, or no unit."),
        ("p99<1e999", "1e999 is too large"),
        ("p99<1e999999s", "1e999999 is too large"),
        ("p99<1e999999999", "1e999999999 is too large"),
        ("failures<0.001", "For a share write 'failures<0.1%'."),
    ],
)
def test_invalid_requirement_is_refused_with_the_accepted_form(text: str, part: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_share_and_number_of_failures_are_told_apart() -> None:
    share, number = parse("failures<1%"), parse("failures<1")
    assert (share.figure, share.limit) == ("failures", 0.01)
    assert (number.figure, number.limit) == ("failed", 1)
    assert share.is_about_failures
    assert number.is_about_failures
    assert not parse("rate>1").is_about_failures


def test_options_collect_requirements() -> None:
    parser = argparse.ArgumentParser()
    add_requirement_options(parser)
    options: Any = parser.parse_args(["--require", "p99<250", "--require", "rate>=45"])
    assert [str(requirement) for requirement in options.require] == ["p99<250", "rate>=45"]
    assert parser.parse_args([]).require == []
    assert "failures<0.1%" in parser.format_help()


def test_share_on_the_limit_is_compared_exactly() -> None:
    figures = run_figures({}, {}, {}, requests=1000, failed=7, rate=1.0)
    assert broken([parse("failures<=0.7%")], figures) == []
    assert broken([parse("failures<0.7%")], figures) == ["failures<0.7%: it was 0.7 %"]
