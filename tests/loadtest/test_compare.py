"""compare.py, on reports of synthetic runs."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local.loadtest.blocks import blocks_of
from local.loadtest.compare import compare
from local.loadtest.report.data import write_json
from local.loadtest.stats import summarize
from tests.support.runs import make_run, steady
from tests.support.scripts import refused, script
from tests.support.synthetic import lognormal

SCRIPT = "local/compare.py"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(
    name: str,
    seed: int,
    *,
    slower_ms: float = 0,
    failing: float = 0,
    seconds: int = 30,
    **changes: Any,
) -> Path:
    """The report of a run around 30 ms, with `changes` to its JSON."""
    random = np.random.default_rng(seed)
    schedule = steady(50, seconds)
    latencies = lognormal(random, schedule) + slower_ms / 1000
    failure = np.where(random.random(schedule.requests) < failing, "timeout", "").tolist()
    run = make_run(schedule, latencies, failure=failure)
    path = Path(name).absolute()
    write_json(summarize(run), path, blocks=blocks_of(run).as_dict())
    if changes:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def compared(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", [SCRIPT, *map(str, arguments)])
    return compare()


@pytest.mark.parametrize(
    ("changes", "status", "start"),
    [
        ({}, 0, "No difference beyond 2 %: p50 "),
        ({"slower_ms": 20}, 3, "b is slower than a: p50 +"),
        ({"slower_ms": -8}, 0, "b is faster than a: p50 -"),
        ({"failing": 0.05}, 3, "b fails more often than a: failures +"),
    ],
)
def test_last_line_is_the_verdict(
    changes: dict[str, Any],
    status: int,
    start: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a, b = write("a.json", 1), write("b.json", 2, **changes)
    assert compared(monkeypatch, a, b) == status
    assert capsys.readouterr().out.splitlines()[-1].startswith(start)


def test_better_figures_are_named_after_the_worse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write("a.json", 1, slower_ms=20), write("b.json", 2, failing=0.05)
    assert compared(monkeypatch, a, b) == 3
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r"b fails more often than a: failures \+.* points\); but better: p50 -.*", last
    )


def test_table_has_a_line_for_each_figure_and_the_rule(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compared(monkeypatch, write("a.json", 1), write("b.json", 2, slower_ms=20))
    out = capsys.readouterr().out
    assert re.search(
        r"^p50, ms +[0-9.]+ +[0-9.]+ +\+[0-9.]+ %  \+[0-9.]+ to \+[0-9.]+ % +worse$", out, re.M
    )
    for name in ("p90, ms", "p95, ms", "p99, ms", "mean, ms", "failures, %", "responses/s"):
        assert f"\n{name} " in out
    assert "\nJudged: p50, p99, failures; tolerance 2 %, of failures none." in out
    assert "98.3 % interval" in out
    assert "-0.0" not in out


def test_chosen_metrics_and_the_failures_are_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write("a.json", 1), write("b.json", 2, slower_ms=8)
    assert compared(monkeypatch, a, b, "--metric", "p50") == 3
    assert "Judged: p50, failures;" in capsys.readouterr().out
    assert compared(monkeypatch, a, b, "--metric", "rate") == 0
    assert "Judged: failures, rate;" in capsys.readouterr().out


def test_tolerance_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = write("a.json", 1), write("b.json", 2, slower_ms=8)
    assert compared(monkeypatch, a, b) == 3
    assert compared(monkeypatch, a, b, "--tolerance", "50%") == 0


def test_runs_in_which_the_client_was_the_limit_end_with_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write("a.json", 1)
    b = write("b.json", 2, slower_ms=20, client_limit="The client was the limit: late.")
    assert compared(monkeypatch, a, b) == 4
    out = capsys.readouterr().out
    assert out.startswith("warning: b: The client was the limit: late.\n")
    assert "b is slower than a" in out
    assert compared(monkeypatch, a, b, "--late-ok") == 3


def test_short_runs_end_with_2_and_say_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write("a.json", 1), write("b.json", 2, seconds=9)
    assert compared(monkeypatch, a, b) == 2
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Nothing can be said: a has 30 blocks and b has 9 blocks of a second or a wave; "
        "10 are needed. Use longer runs."
    )


def test_differing_plans_and_targets_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write("a.json", 1)
    b = write(
        "b.json", 2, seconds=40, target="http://other/", connections="keep-alive", stopped=True
    )
    compared(monkeypatch, a, b)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "warning: b was stopped early: requests that take long are missing.",
        "warning: The targets differ: http://localhost:8000/, and http://other/.",
        "warning: The plans differ: 50 requests/s for 30 s, and 50 requests/s for 40 s.",
        "warning: The connections differ: new, and keep-alive.",
    ]
    compared(monkeypatch, a, write("c.json", 3))
    assert "warning" not in capsys.readouterr().out


def test_runs_in_turn_are_pooled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given: the machine is slower during the second pair
    runs = [
        write("a1.json", 1, seconds=9),
        write("b1.json", 2, seconds=9),
        write("a2.json", 3, seconds=9, slower_ms=30),
        write("b2.json", 4, seconds=9, slower_ms=30, client_limit="Late.", target="http://b/"),
    ]
    assert compared(monkeypatch, *runs[:2]) == 2
    capsys.readouterr()
    # when
    status = compared(monkeypatch, *runs, "--late-ok", "--json", "c.json")
    # then
    assert status == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "warning: b2: Late."
    assert lines[1] == "warning: The targets differ: http://localhost:8000/, and http://b/."
    assert f"a  {runs[0]}, {runs[2]}: " in lines[2]
    found = json.loads(Path("c.json").read_text())
    assert found["blocks"] == [18, 18]
    assert [Path(run["file"]).name for run in found["b"]] == ["b1.json", "b2.json"]


@pytest.mark.parametrize("count", [1, 3])
def test_odd_number_of_reports_is_refused(count: int) -> None:
    line = refused(SCRIPT, *[write("a.json", 1)] * count)
    assert "Name two reports, or an even number of them, alternately of a and b" in line


def test_json_has_the_verdict_and_the_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = write("a.json", 1), write("b.json", 2, slower_ms=20)
    compared(monkeypatch, a, b, "--json", "c.json")
    found = json.loads(Path("c.json").read_text())
    assert (found["verdict"], found["status"]) == ("slower", 3)
    assert found["sentence"].startswith("b is slower than a: ")
    assert [run["file"] for run in found["a"]] == [str(a)]
    assert [run["file"] for run in found["b"]] == [str(b)]
    assert found["confidence"] == pytest.approx(1 - 0.05 / 3)
    first = found["differences"][0]
    assert (first["metric"], first["judged"], first["verdict"]) == ("p50", True, "worse")
    assert first["low"] < first["change"] < first["high"]


def test_junit_has_a_case_for_each_judged_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = write("a.json", 1), write("b.json", 2, slower_ms=20)
    compared(monkeypatch, a, b, "--junit", "c.xml")
    cases = ET.parse("c.xml").getroot().findall("testsuite/testcase")
    assert {case.get("name"): len(case) for case in cases} == {
        "the client is not the limit of a": 0,
        "the client is not the limit of b": 0,
        "b is not worse: p50": 1,
        "b is not worse: p99": 1,
        "b is not worse: failures": 0,
    }
    failures = ET.parse("c.xml").getroot().findall(".//failure")
    assert [(found.text or "")[:5] for found in failures] == ["p50 +", "p99 +"]


class Page(HTMLParser):
    """Counts elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.append(tag)


def test_page_draws_both_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    a = write("a.json", 1, target="<script>alert(1)</script>")
    compared(monkeypatch, a, write("b.json", 2, slower_ms=20), "--html", "c.html")
    text = Path("c.html").read_text()
    page = Page(text)
    assert page.tags.count("svg") == 6  # three plots for two widths
    assert page.tags.count("tr") == 8
    assert "script" not in page.tags
    assert "b is slower than a: p50 +" in text
    assert '<small class="worse">worse</small>' in text
    assert len(text) < 300_000


@pytest.mark.parametrize("changes", [{"failing": 1}, {"seconds": 5}, {"seconds": 70}])
def test_page_of_any_runs_can_be_drawn(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared(monkeypatch, write("a.json", 1), write("b.json", 2, **changes), "--html", "c.html")
    assert Path("c.html").read_text().count("</section>") >= 3


def test_script_compares_reports_from_its_own_folder() -> None:
    done = script(SCRIPT, write("a.json", 1), write("b.json", 2, slower_ms=20))
    assert (done.returncode, done.stderr) == (3, "")


def bad(name: str, content: str | bytes) -> Path:
    path = Path(name).absolute()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "is not JSON. Name a file that a load test of this version wrote with --json."),
        (b"\xff\xfe", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"client_limit": Infinity}', "is not JSON"),
        ('{"client_limit": 1e999}', "is not JSON"),
        ("[]", "is not the report of a load test"),
        ('{"requests": 5}', "is not the report of a load test"),
        ('{"blocks": {}}', "blocks are invalid: 'bin_ratio' is missing"),
    ],
)
def test_wrong_file_is_refused(content: str | bytes, part: str) -> None:
    good = write("a.json", 1)
    assert part in refused(SCRIPT, good, bad("b.json", content))
    assert part in refused(SCRIPT, bad("b.json", content), good)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--tolerance", "2"], "'2' is not a percentage such as 2%"),
        (["--tolerance", "-2%"], "tolerance"),
        (["--metric", "p98"], "invalid choice: 'p98'"),
        (["--html", "/nowhere/c.html"], "cannot be written"),
        (["--json", "/nowhere/c.json"], "cannot be written"),
        (["--junit", "/nowhere/c.xml"], "cannot be written"),
    ],
)
def test_wrong_option_is_refused(arguments: Sequence[str], part: str) -> None:
    assert part in refused(SCRIPT, write("a.json", 1), write("b.json", 2), *arguments)


def test_missing_file_is_refused() -> None:
    assert "cannot be read: No such file" in refused(SCRIPT, write("a.json", 1), "/nowhere.json")


def test_run_without_answers_has_nothing_to_compare_with() -> None:
    line = refused(SCRIPT, write("a.json", 1, failing=1), write("b.json", 2))
    assert "no request was answered, so nothing can be compared" in line


def test_run_without_answers_and_failures_cannot_be_compared() -> None:
    """Its requests were in flight until it was stopped."""
    path = write("b.json", 2)
    found = json.loads(path.read_text())
    found["blocks"]["latency"] = [""] * len(found["blocks"]["latency"])
    path.write_text(json.dumps(found))
    line = refused(SCRIPT, write("a.json", 1), path)
    assert "b.json': no request was answered, so nothing can be compared" in line
