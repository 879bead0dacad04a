"""Verdicts of runs: test cases, JUnit XML, and the scripts' --require and --junit."""

import json
import re
import signal
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from local.loadtest.blocks import Blocks
from local.loadtest.environment import Environment
from local.loadtest.junit import Case, write_junit
from local.loadtest.requirements import Requirement, parse
from local.loadtest.run import IN_FLIGHT, Run
from local.loadtest.stats import summarize
from local.loadtest.verdict import cases, figures_of, measured_of, write_verdict
from tests.support.runs import make_run, waves
from tests.support.scripts import measured, refused, script
from tests.support.stub import Stub

ONE = "local/test_script.py"
WAVES = "local/run_multiple_tests.py"

# On a busy machine the client may be late, which would be status 4.
ANY_LATENESS = "--late-ok"


def names(run: Run, rules: Sequence[str] = (), *, late_ok: bool = False) -> dict[str, str]:
    """passed, failed or skipped by the name of the case."""
    measured = measured_of(summarize(run))
    found = cases(measured, [parse(rule) for rule in rules], late_ok=late_ok)
    return {
        case.name: "failed" if case.failed else "skipped" if case.skipped else "passed"
        for case in found
    }


def written(run: Run, rules: Sequence[Requirement], folder: Path) -> ET.Element:
    path = folder / "junit.xml"
    write_verdict(path, measured_of(summarize(run, Environment("command", {}))), rules)
    return ET.parse(path).getroot()


def test_good_run_passes_every_case() -> None:
    run = make_run(waves(2, 1, 2), [0.1, 0.2, 0.1, 0.2])
    assert names(run, ["p99<250", "rate>0"]) == {
        "the run is complete": "passed",
        "the client is not the limit": "passed",
        "all requests are answered": "passed",
        "p99<250": "passed",
        "rate>0": "passed",
    }


def test_broken_requirement_fails_its_case_only() -> None:
    found = names(make_run(waves(2, 0, 1), [0.1, 0.2]), ["p99<150", "p50<150"])
    assert found["p99<150"] == "failed"
    assert [name for name, result in found.items() if result == "failed"] == ["p99<150"]


def test_failed_request_fails_a_case_unless_a_requirement_decides() -> None:
    run = make_run(waves(2, 0, 1), [0.1, 0.2], failure=["", "timeout"])
    assert names(run, ["p50<150"])["all requests are answered"] == "failed"
    allowed = names(run, ["failures<=1"])
    assert "all requests are answered" not in allowed
    assert allowed["failures<=1"] == "passed"


def test_late_client_fails_a_case_unless_it_may_be_late() -> None:
    run = make_run(waves(2, 0, 1), [0.1, 0.1], lateness=0.05)
    assert names(run)["the client is not the limit"] == "failed"
    assert names(run, late_ok=True)["the client is not the limit"] == "skipped"


def test_stopped_run_fails_a_case() -> None:
    stopped = make_run(
        waves(2, 1, 2), [0.1, 0.2], failure=["", IN_FLIGHT], stopped_by=signal.SIGINT
    )
    assert names(stopped)["the run is complete"] == "failed"


def test_figures_have_the_names_of_requirements() -> None:
    figures = figures_of(summarize(make_run(waves(2, 1, 2), [0.1, 0.2, 0.3, 0.4], lateness=0.1)))
    assert figures["p50"] == pytest.approx(300)
    assert figures["service_mean"] == pytest.approx(250)
    assert figures["lateness_p99.9"] == pytest.approx(100)
    assert figures["rate"] == pytest.approx(2)
    assert (figures["failed"], figures["failures"]) == (0, 0)


def test_junit_has_the_elements_and_attributes_that_readers_know(tmp_path: Path) -> None:
    run = make_run(waves(2, 1, 2), [0.1, 0.2, 0.3, 0.4])
    root = written(run, [parse("p99<250"), parse("p50<250")], tmp_path)
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    assert suite.attrib == {
        "name": "http://localhost:8000/: 2 waves of 2, one every 1 s",
        "tests": "5",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
        "time": "1.400",
        "timestamp": "2027-01-15T08:00:00",
    }
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 5]
    properties = {found.get("name"): found.get("value") for found in suite[0]}
    assert properties["p99"] == "400"
    assert properties["command"] == "command"
    for case in suite[1:]:
        assert sorted(case.attrib) == ["classname", "name", "time"]
    failed = suite.findall("testcase[failure]")
    assert [case.get("name") for case in failed] == ["p99<250"]
    assert failed[0][0].attrib == {"message": "p99<250: it was 400.0 ms", "type": "requirement"}
    assert failed[0][0].text == "p99<250: it was 400.0 ms"


def test_junit_stays_well_formed_whatever_the_text(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    text = '<a href="b">&\x00\ud800\U0001f600\''
    case = Case(text, failed=text)
    write_junit(path, text, [case], properties={text: text}, seconds=1, start="")
    shown = ET.parse(path).getroot()[0].get("name")
    assert shown == '<a href="b">&\ufffd\ufffd\U0001f600\''


def test_script_ends_with_3_and_a_line_for_each_broken_requirement(
    stub: Stub, tmp_path: Path
) -> None:
    path, page = tmp_path / "junit.xml", tmp_path / "load.html"
    url = stub.follow("delay/0.05", "delay/0.05")
    done = script(
        *(WAVES, "-N", 2, "-T", 0, "-R", 2, "--url", url, ANY_LATENESS, "--junit", path),
        *("--html", page, "--require", "min<40", "--require", "p99<60000", "--require", "rate>1e6"),
    )
    assert done.returncode == 3
    lines = [line for line in done.stdout.splitlines() if line.startswith("not met")]
    assert [line.split(":")[0].split()[-1] for line in lines] == ["min<40", "rate>1e6"]
    failed = ET.parse(path).getroot().findall("testsuite/testcase[failure]")
    assert [case.get("name") for case in failed] == ["min<40", "rate>1e6"]
    shown = re.findall("<strong>(.*?)</strong> <span>(.*?): it was", page.read_text("utf-8"))
    assert shown == [("not met", "min&lt;40"), ("met", "p99&lt;60000"), ("not met", "rate&gt;1e6")]


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([], 1),
        (["p99<60000"], 1),
        (["failures<=1"], 0),
        (["failures<=50%", "p99<60000"], 0),
        (["failures<1"], 3),
        (["failures<=1", "min<0"], 3),
    ],
)
def test_requirement_about_failures_decides_instead_of_the_first_failure(
    stub: Stub, rules: list[str], status: int
) -> None:
    url = stub.follow("delay/0", "status/500")
    required = [argument for rule in rules for argument in ("--require", rule)]
    done = script(ONE, 2, "--url", url, ANY_LATENESS, *required)
    assert done.returncode == status
    assert ("requirement is met" in done.stdout) == (bool(rules) and status != 3)


def test_json_report_has_the_requirements(stub: Stub, tmp_path: Path) -> None:
    done, report = measured(
        *(ONE, 2, "--url", stub.url, ANY_LATENESS, "--require", "failures<1"),
        *("--require", "failures<1%", "--require", "rate<0"),
        folder=tmp_path,
    )
    assert done.returncode == 3
    assert report["requirements"] == [
        {"requirement": "failures<1", "measured": 0, "met": True},
        {"requirement": "failures<1%", "measured": 0.0, "met": True},
        {"requirement": "rate<0", "measured": report["throughput_rps"], "met": False},
    ]


def test_json_report_has_the_blocks_of_the_run(stub: Stub, tmp_path: Path) -> None:
    done, report = measured(
        *(WAVES, "-N", 3, "-T", 0.5, "-R", 4, "--url", stub.url, ANY_LATENESS), folder=tmp_path
    )
    assert done.returncode == 0
    assert Blocks.from_dict(report["blocks"]).answered.tolist() == [6, 6]
    assert json.dumps(report["blocks"])


def test_invalid_requirement_is_refused_before_the_run() -> None:
    line = refused(ONE, "--require", "p98<250")
    assert line.startswith("error: 'p98<250' is not a requirement. Write a name")


def test_junit_that_cannot_be_written_is_refused_before_the_run() -> None:
    assert "cannot be written" in refused(ONE, "--junit", "/nowhere/junit.xml")
