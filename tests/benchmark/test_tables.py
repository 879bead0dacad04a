"""Markdown tables of figures."""

import pytest

from local.benchmark.tables import report
from local.common.markdown import aligned_table
from tests.benchmark.figures import figures


def rows(text: str, first_cell: str) -> dict[str, str]:
    """The cells by column title of the row that begins with `first_cell`, from the first table that
    has one."""
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif cells[0] == first_cell:
            return dict(zip(header, cells, strict=True))
    raise AssertionError(f"no row {first_cell!r} in\n{text}")


def test_aligned_table_pads_short_rows() -> None:
    assert aligned_table(("server", "ms"), [("a", "1.5"), ("longer name",)]) == (
        "| server      |  ms |\n"
        "| ----------- | --: |\n"
        "| a           | 1.5 |\n"
        "| longer name |     |"
    )  # fmt: skip


def test_load_is_compared_with_baseline_and_tutorial_app() -> None:
    row = rows(report(figures()), "this service")

    assert row["requests/s"] == "160.0"
    assert row["÷ tutorial"] == "3.20"
    assert (row["CPU ms"], row["÷ baseline"]) == ("12.50", "1.25")
    assert (row["p50 / p99 ms at 2"], row["p99 ÷ p50"]) == ("12.5 / 18.8", "1.50")
    assert row["p50 / p99 ms at 8"] == "50.0 / 100.0"
    assert (row["peak MB"], row["failed"]) == ("125", "0")
    assert row["images of 100 kB"] == "this service"


def test_baseline_has_a_row() -> None:
    row = rows(report(figures()), "baseline, 2 processes")
    assert (row["requests/s"], row["÷ tutorial"], row["÷ baseline"]) == ("200.0", "4.00", "1.00")
    assert (row["p50 / p99 ms at 2"], row["p99 ÷ p50"]) == ("10.0 / 14.0", "1.40")
    assert rows(report(figures()), "baseline, one process")["÷ baseline"] == "0.91"


def test_large_image_and_start_tables() -> None:
    given = figures()
    del given["servers"]["service"]["at_8"], given["servers"]["service"]["at_2"]
    large = rows(report(given), "this service")
    assert (large["CPU ms"], large["÷ baseline"], large["÷ tutorial"]) == ("37.5", "1.25", "0.31")

    start = rows(report(given), "handler")
    assert (start["ms"], start["÷ baseline"], start["÷ tutorial"]) == ("600", "1.20", "0.60")
    assert (start["imports"], start["response"]) == ("100", "100")


def test_ratios_without_the_tutorial_app_are_empty() -> None:
    given = figures()
    del given["servers"]["naive"], given["start"]["naive"]
    assert rows(report(given), "this service")["÷ tutorial"] == ""
    assert rows(report(given), "handler")["÷ tutorial"] == ""


def test_failed_measurement_is_reported() -> None:
    given = figures()
    given["servers"]["naive"] = {"title": "tutorial app", "why": "it ended with 3: no memory"}
    given["start"] = {"why": "no answer"}
    text = report(given)
    assert "\n\ntutorial app was not measured: it ended with 3: no memory\n" in text
    assert text.endswith("\n\ncold starts were not measured: no answer\n")


@pytest.mark.parametrize("part", ["baseline", "start"])
def test_unmeasured_parts_have_no_table(part: str) -> None:
    given = figures()
    for key in ("servers", "baseline") if part == "baseline" else ("start",):
        del given[key]
    text = report(given)
    assert ("cold start" in text) == (part == "baseline")
    assert ("CPU ms | ÷ baseline" in text) == (part == "start")


def test_report_starts_with_machine_and_date() -> None:
    first = report(figures()).splitlines()[0]
    assert first == (
        "2026-01-31, 2 cores of Testium (AVX2), Linux x86_64; python 3.11.1; client wrk 4; "
        "medians of 15 loads of 3 s in 5 rounds"
    )
