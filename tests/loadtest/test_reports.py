"""Reports of synthetic runs: text, JSON, CSV and HTML."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from local.loadtest.environment import Environment, environment, without_secrets
from local.loadtest.report import data, plots, text
from local.loadtest.report.html import write_html
from local.loadtest.report.plot_data import Density, plot_data
from local.loadtest.requirements import parse
from local.loadtest.run import IN_FLIGHT, ClientUse, Run, latency
from local.loadtest.service_metrics import ServiceView
from local.loadtest.stats import summarize
from local.loadtest.verdict import figures_of
from tests.support.runs import add_stages, make_run, steady, waves

KINDS = [f"kind {number}" for number in range(8)]


def some_run(requests: int = 1000) -> Run:
    """A steady run in which each tenth request fails, in eight ways."""
    schedule = steady(100, requests / 100)
    failure = [KINDS[n // 10 % 8] if n % 10 == 0 else "" for n in range(requests)]
    return make_run(schedule, np.full(requests, 0.05), failure=failure)


def rows_of(run: Run, folder: Path) -> Sequence[Mapping[str, str]]:
    path = folder / "report.csv"
    data.write_csv(run, path)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page_of(run: Run, folder: Path, *rules: str) -> str:
    path, summary = folder / "report.html", summarize(run)
    write_html(run, summary, path, [parse(rule) for rule in rules], figures_of(summary))
    return path.read_text("utf-8")


def test_text_of_ten_thousand_waves_is_short() -> None:
    run = make_run(waves(2, 0.01, 10_000), [0.05] * 20_000)
    lines = text.format_report(summarize(run)).splitlines()
    assert len(lines) < 80
    assert sum(bool(re.match(r" +\d+ to \d+ ", line)) for line in lines) == 50


def test_text_says_first_that_the_client_was_the_limit_and_last_what_is() -> None:
    late = make_run(steady(10, 1), [0.1] * 10, lateness=0.05)
    assert text.format_report(summarize(late)).startswith("The client was the limit: ")
    run = make_run(steady(10, 1), [0.1] * 10)
    add_stages(run, queue=0.08)
    last = text.format_report(summarize(run)).splitlines()[-1]
    assert last.startswith("The queue of the service is the limit: 80.0 ms of 100.0 ms")


def test_text_names_the_time_over_which_throughput_counts() -> None:
    assert "10.0 responses/s (10.0/s due), over the 2 s in which requests were due" in (
        text.format_report(summarize(make_run(steady(10, 2), [0.01] * 20)))
    )
    assert "20.0 responses/s, over the 0.100 s to the last response" in (
        text.format_report(summarize(make_run(waves(2, 0, 1), [0.1, 0.1])))
    )
    assert "0.0 responses/s, as no request was answered" in (
        text.format_report(
            summarize(make_run(waves(2, 0, 1), [0.1, 0.1], failure=["status 401"] * 2))
        )
    )


def test_text_says_what_the_client_took() -> None:
    run = make_run(steady(10, 1), [0.1] * 10)
    assert "senders" not in text.format_report(summarize(run))
    run.client = ClientUse(2, 1.25, 61.4)
    lines = text.format_report(summarize(run)).splitlines()
    assert "client      2 senders, 1.25 s of CPU, 61 MB" in lines


def test_each_request_is_a_line() -> None:
    run = make_run(waves(2, 1, 2), [0.1, 0.2, 0.1, 0.3], failure=["", "", "", "reset"])
    assert text.format_records(run.schedule, run.records, run.kinds).splitlines() == [
        "wave   1  request    1       100.0 ms  ok",
        "wave   1  request    2       200.0 ms  ok",
        "wave   2  request    1       100.0 ms  ok",
        "wave   2  request    2       300.0 ms  reset",
    ]
    run = make_run(steady(2, 1), [0.1, 0.2])
    first, _ = text.format_records(run.schedule, run.records, run.kinds).splitlines()
    assert first == "request       1       100.0 ms  ok"


def test_csv_has_a_line_for_each_request_in_the_order_of_the_plan(tmp_path: Path) -> None:
    # given: the first request ends last
    run = make_run(
        waves(2, 1, 2), [5, 0.2, 0.1, 0.3], lateness=0.01, failure=["", "", 'a "b", c', IN_FLIGHT]
    )
    add_stages(run, connecting=[0.001, 0.001, np.nan, 0.001], queue=0.02)
    run.records["id"][:] = b"abc-1"
    rows = rows_of(run, tmp_path)
    assert [(row["wave"], row["request"]) for row in rows] == [
        ("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")
    ]  # fmt: skip
    assert [row["result"] for row in rows] == ["ok", "ok", 'a "b", c', "in flight"]
    assert [row["ended_s"] for row in rows] == ["5.010000", "0.210000", "1.110000", "1.310000"]
    assert [row["latency_ms"] for row in rows] == ["5010.000", "210.000", "110.000", "310.000"]
    assert {row["lateness_ms"] for row in rows} == {"10.000"}
    assert [row["connected_s"] for row in rows].count("") == 1
    assert {row["queue_ms"] for row in rows} == {"20.00"}
    assert {row["infer_ms"] for row in rows} == {""}
    assert {row["request_id"] for row in rows} == {"abc-1"}
    assert rows[0]["started_utc"] == "2027-01-15T08:00:00.010000Z"


def test_csv_without_waves_has_no_column_for_them(tmp_path: Path) -> None:
    (first, *_) = rows_of(make_run(steady(2, 1), [0.1, 0.2]), tmp_path)
    assert "wave" not in first
    assert first["request"] == "0"


def test_csv_of_many_requests_is_complete(tmp_path: Path) -> None:
    rows = rows_of(some_run(50_000), tmp_path)
    assert [int(row["request"]) for row in rows] == list(range(50_000))


def test_json_is_standard_and_complete(tmp_path: Path) -> None:
    run = some_run()
    add_stages(run, queue=0.01)
    path = tmp_path / "report.json"
    data.write_json(summarize(run, environment(["test_script.py", "3"])), path)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    report = json.loads(path.read_text(), parse_constant=refuse)
    assert report["failures_by_kind"] == dict.fromkeys(KINDS, 13) | dict.fromkeys(KINDS[4:], 12)
    assert report["command"] == "test_script.py 3"
    assert {"python", "numpy", "image-classifier-function"} <= report["versions"].keys()
    assert report["latency_ms"]["p99_9"] == 50
    assert report["breakdown"]["stages"][1]["name"] == "sending"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["x.py", "--api-key", "s3cret", "-N", "3"], ["x.py", "--api-key", "...", "-N", "3"]),
        (["x.py", "--api-key=s3cret"], ["x.py", "--api-key=..."]),
        (["x.py", "--header", "Cookie: s3cret"], ["x.py", "--header", "Cookie: ..."]),
        (["x.py", "--header=Cookie: s3cret"], ["x.py", "--header=Cookie: ..."]),
        (["x.py", "--url", "http://me:s3cret@host/"], ["x.py", "--url", "http://...@host/"]),
        (["x.py", "--url", "http://me:s3@cret@host/"], ["x.py", "--url", "http://...@host/"]),
        (["x.py", "--url=http://me:s3@cret@host?a@b"], ["x.py", "--url=http://...@host?a@b"]),
        (["x.py", "--url", "http://host/?a=b"], ["x.py", "--url", "http://host/?a=b"]),
        (["x.py", "--url", "http://host?a=b@c"], ["x.py", "--url", "http://host?a=b@c"]),
    ],
)
def test_the_command_has_no_secrets(arguments: list[str], shown: list[str]) -> None:
    assert without_secrets(arguments) == shown


def test_plots_keep_every_request_and_every_failure() -> None:
    run = some_run(40_000)
    shown = plot_data(run)
    assert isinstance(shown.answered, Density)
    assert shown.answered.counts.sum() == 36_000
    assert sum(counts.sum() for _, counts in shown.failures) == 4_000
    assert [label for label, _ in shown.failures] == [
        *(f"{kind} (500)" for kind in KINDS[:3]), "5 other kinds (2,500)"
    ]  # fmt: skip
    assert shown.marks == []


def test_plots_of_few_requests_have_a_mark_for_each() -> None:
    shown = plot_data(some_run(100))
    assert not isinstance(shown.answered, Density)
    assert len(shown.answered[0]) == 90
    assert sum(len(x) for _, (x, _) in shown.marks) == 10
    assert shown.failures == []


def test_timeouts_do_not_hide_the_answered_requests() -> None:
    failure = ["timeout"] * 3 + [""] * 17
    run = make_run(steady(10, 2), [60.0] * 3 + [0.003] * 17, failure=failure)
    shown = plot_data(run)
    assert tuple(shown.scale) == pytest.approx((True, 3))
    assert tuple(shown.answered_scale) == (False, 0)


def test_quick_failures_are_on_the_logarithmic_axis() -> None:
    # given: answers from 0.1 to 30 s, refusals after 5 ms, and one after 1 us
    seconds = [0.1] * 15 + [30.0] + [0.005] * 3 + [0.000001]
    failure = [""] * 16 + ["refused"] * 4
    shown = plot_data(make_run(steady(10, 2), seconds, failure=failure))
    assert tuple(shown.scale) == pytest.approx((True, 1))  # a hundredth of the median
    assert tuple(shown.answered_scale) == pytest.approx((True, 100))
    assert sorted(shown.marks[0][1][1]) == pytest.approx([1, 5, 5, 5])


def test_the_scale_of_a_density_has_plain_numbers() -> None:
    run = make_run(steady(100, 30), np.random.default_rng(1).exponential(0.1, 3000))
    shown = plot_data(run)
    assert isinstance(shown.answered, Density)
    assert 2 < shown.answered.counts.max() < 10
    drawn = plots.latency_plot(shown, [])
    assert ">2</text>" in drawn
    assert "10^" not in drawn
    assert "\N{MULTIPLICATION SIGN}" not in drawn


def test_the_distribution_of_many_requests_is_right_to_a_sixth_of_a_percent() -> None:
    seconds = np.random.default_rng(1).lognormal(-3, 0.3, 10_000)
    seconds[:50] = 30.0
    run = make_run(steady(100, 100), seconds)
    values, shares = plot_data(run).latency
    assert len(values) <= 601
    assert (values[-1], shares[-1]) == (pytest.approx(30_000), 1)
    # given: the share that is drawn, in steps, at the latency of each request
    latencies = np.sort(latency(run.records) * 1000)
    drawn = shares[np.searchsorted(values, latencies, side="right") - 1]
    true = np.searchsorted(latencies, latencies, side="right") / len(latencies)
    assert np.abs(drawn - true).max() <= 1 / 599


def test_a_page_is_complete(tmp_path: Path) -> None:
    run = some_run()
    add_stages(run, queue=0.01, decode=0.004, infer=0.008)
    view = ServiceView(1000, 3, 997, 1.5, 3.1, 8.2, 1.9)
    path = tmp_path / "report.html"
    write_html(run, summarize(run, Environment("a <b>", {"python": "3"}), view), path)
    page = path.read_text("utf-8")
    for kind in KINDS:
        assert f'<td class="text">{kind}</td>' in page
    for part in ("2027-01-15 08:00:00 UTC", "a &lt;b&gt;", "python 3", "1.9 cores busy",
                 "over the 10 s in which requests were due", "waiting in the service"):  # fmt: skip
        assert part in page
    assert 'class="banner"' not in page
    # three plots in two widths, with a description
    assert page.count('<svg role="img" aria-label="') == page.count("<svg") == 6
    assert not re.search(r"<(script|link|img)|(src|href)=\"(?!#|data:)", page)
    assert "$" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


def test_a_page_says_first_that_the_client_was_the_limit(tmp_path: Path) -> None:
    late = page_of(make_run(steady(10, 1), [0.1] * 10, lateness=0.05), tmp_path)
    assert late.index('class="banner"') < late.index('class="lead"')
    assert late.count("The client was the limit") == 1


def test_reports_of_one_request_are_in_the_singular(tmp_path: Path) -> None:
    run = make_run(waves(1, 0, 1), [0.1])
    assert "in flight   1 request at most" in text.format_report(summarize(run))
    assert "1 of 1 requests was answered, within 100.0&nbsp;ms" in page_of(run, tmp_path)


def test_plots_without_answers_have_no_percentiles_and_whole_numbers_of_requests() -> None:
    failed = make_run(steady(2, 2), [0.1] * 4, failure=["refused"] * 4)
    assert "p99 of" not in plots.latency_plot(plot_data(failed), summarize(failed).parts)
    one = make_run(waves(1, 0, 1), [0.1])
    labels = re.findall(r">([\d.]+)</text>", plots.latency_plot(plot_data(one), []))
    assert "1" in labels
    assert "0.8" not in labels


ONE_AT_ONCE = make_run(waves(1, 0, 1), [0.0])
UNANSWERED = make_run(waves(2, 0, 1), [60, 60], failure=["timeout", IN_FLIGHT], stopped_by=2)
NOTHING = make_run(waves(3, 1, 2), [], stopped_by=2)
ALL_FAIL = make_run(steady(1000, 3), [0.0] * 3000, failure=["refused"] * 3000)
LONG_TAIL = make_run(waves(3000, 0, 1), np.linspace(0.01, 90, 3000))


@pytest.mark.parametrize("run", [ONE_AT_ONCE, UNANSWERED, NOTHING, ALL_FAIL, LONG_TAIL])
def test_reports_of_unusual_runs(run: Run, tmp_path: Path) -> None:
    summary = summarize(run)
    assert run.target in text.format_report(summary)
    data.write_json(summary, tmp_path / "report.json")
    data.write_csv(run, tmp_path / "report.csv")
    assert (tmp_path / "report.csv").read_text().count("\n") == len(run.records) + 1
    assert "</html>" in page_of(run, tmp_path)


def test_page_shows_above_the_figures_which_requirements_are_met(tmp_path: Path) -> None:
    run = make_run(waves(2, 1, 2), [0.1, 0.2, 0.3, 0.4])
    page = page_of(run, tmp_path, "p99<250", "failures<0.1%")
    rows = re.findall(r'<li class="(\w+)"><strong>(.*?)</strong> <span>(.*?)</span>', page)
    assert rows == [
        ("broken", "not met", "p99&lt;250: it was 400.0 ms"),
        ("met", "met", "failures&lt;0.1%: it was 0.0 %"),
    ]
    assert page.index("failures&lt;0.1%") < page.index('class="tiles"')
    assert "<li" not in page_of(run, tmp_path)
