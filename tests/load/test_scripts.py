"""The classic scripts, as people start them."""

import csv
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT, SAMPLE
from tests.support.ports import free_port
from tests.support.scripts import assert_consistent, measured, script
from tests.support.server import Server
from tests.support.stub import Stub

ONE = "local/test_script.py"
WAVES = "local/run_multiple_tests.py"


def test_one_request_by_default(stub: Stub) -> None:
    done = script(ONE, "--url", stub.url)
    assert done.returncode == 0
    assert len(stub.received) == 1
    assert re.search(r"^wave   1  request    1 .* ms  ok$", done.stdout, re.MULTILINE)
    assert done.stderr == ""


def test_in_its_own_folder(stub: Stub) -> None:
    done = script("test_script.py", 3, "--url", stub.url, cwd=ROOT / "local")
    assert done.returncode == 0
    assert done.stdout.count(" ms  ok\n") == len(stub.received) == 3
    done = script("run_multiple_tests.py", "-N", 2, "-T", 0, "-R", 3, "-V", "--url", stub.url,
                  cwd=ROOT / "local")  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.count(" ms  ok\n") == 6


def test_what_is_sent_is_the_sample(stub: Stub) -> None:
    script(ONE, "--url", f"{stub.url}/delay/0?top_k=3")
    (received,) = stub.received
    assert SAMPLE.read_bytes() in received.body
    assert received.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert received.headers["host"] == stub.url.removeprefix("http://")


def test_the_service_itself_is_satisfied(server: Server, tmp_path: Path) -> None:
    done, report = measured(ONE, 4, "--url", server.url, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert (report["answered"], report["failures"]) == (4, 0)


def test_the_images_of_a_folder_take_turns(stub: Stub, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(name.encode() * 10)
    done = script(WAVES, "-N", 2, "-T", 0, "-R", 3, "--image", tmp_path, "--url", stub.url)
    assert done.returncode == 0
    for name in (b"a.png", b"b.png", b"c.png"):
        assert sum(name * 10 in each.body for each in stub.received) == 2


def test_waves_that_wait_for_nothing(stub: Stub, tmp_path: Path) -> None:
    """Answers take four and a half periods; waves start every period all the same."""
    done, report = measured(WAVES, "-N", 4, "-T", 0.2, "-R", 8, "--url", f"{stub.url}/delay/0.9",
                            folder=tmp_path)  # fmt: skip
    assert done.returncode == 0
    first = min(each.at for each in stub.received)
    due = sorted(0.2 * wave for wave in range(8) for _ in range(4))
    came = sorted(each.at - first for each in stub.received)
    assert came == pytest.approx(due, abs=0.1)
    assert report["peak_concurrency"] == 20
    assert [wave["due_s"] for wave in report["waves"]] == pytest.approx([0.2 * w for w in range(8)])
    assert 900 <= report["latency_ms"]["p50"] <= 1000
    assert 900 <= report["service_ms"]["p50"] <= report["latency_ms"]["p50"]
    assert report["wall_s"] == pytest.approx(1.4 + 0.9, abs=0.1)
    assert report["throughput_rps"] == pytest.approx(32 / report["wall_s"], rel=1e-3)
    assert report["offered_rps"] == pytest.approx(20)


def test_times_are_the_server_s_times(stub: Stub, tmp_path: Path) -> None:
    """Of ten requests, nine take 0.1 s and one takes 0.5 s."""
    url = stub.follow(*["delay/0.1"] * 9, "delay/0.5")
    _, report = measured(WAVES, "-N", 10, "-T", 0.7, "-R", 3, "--url", url, folder=tmp_path)
    for name in ("latency_ms", "service_ms"):
        assert report[name]["p50"] == pytest.approx(100, abs=40)
        assert report[name]["p90"] == pytest.approx(100, abs=40)
        assert report[name]["p95"] == pytest.approx(500, abs=40)
        assert report[name]["p99"] == pytest.approx(500, abs=40)
        assert report[name]["max"] == pytest.approx(500, abs=40)
    assert report["lateness_ms"]["max"] < 40
    assert {"p50", "p90", "p95", "p99", "max"} == set(report["lateness_ms"])


def test_a_body_that_comes_slowly_is_timed_to_its_end(stub: Stub, tmp_path: Path) -> None:
    _, report = measured(ONE, 5, "--url", f"{stub.url}/slow/0.5", folder=tmp_path)
    assert report["answered"] == 5
    assert report["service_ms"]["p50"] == pytest.approx(500, abs=50)


@pytest.mark.parametrize("way", ["chunked", "until-close"])
def test_answers_in_other_forms(stub: Stub, way: str) -> None:
    assert script(ONE, 3, "--url", f"{stub.url}/{way}").returncode == 0


def test_without_a_period_all_waves_start_at_once(stub: Stub, tmp_path: Path) -> None:
    done, report = measured(WAVES, "-N", 5, "-T", 0, "-R", 20, "--url", f"{stub.url}/delay/0.3",
                            folder=tmp_path)  # fmt: skip
    assert done.returncode == 0
    assert len(stub.received) == report["answered"] == 100
    assert report["wall_s"] < 0.6
    assert report["offered_rps"] is None


def test_a_thousand_in_parallel(stub: Stub, tmp_path: Path) -> None:
    done, report = measured(WAVES, "-N", 1000, "-R", 1, "--url", f"{stub.url}/delay/1",
                            folder=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert len(stub.received) == report["answered"] == 1000
    assert report["peak_concurrency"] == 1000


def test_reports_agree_with_each_other(stub: Stub, tmp_path: Path) -> None:
    url = stub.follow("delay/0.05", "status/500", "delay/0.01")
    table, page = tmp_path / "report.csv", tmp_path / "report.html"
    done, report = measured(WAVES, "-N", 3, "-T", 0.1, "-R", 4, "--csv", table, "--html", page,
                            "--url", url, folder=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert report["failures_by_kind"] == {"status 500": 4}

    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["wave"]), int(row["request"])) for row in rows] == [
        (wave, number) for wave in range(4) for number in range(3)
    ]
    assert sum(row["result"] == "ok" for row in rows) == report["answered"] == 8
    latencies = sorted(float(row["latency_ms"]) for row in rows if row["result"] == "ok")
    assert latencies[-1] == pytest.approx(report["latency_ms"]["max"], abs=0.01)
    for row in rows:
        late = float(row["started_s"]) - float(row["due_s"])
        assert late * 1000 == pytest.approx(float(row["lateness_ms"]), abs=0.01)

    html = page.read_text()
    assert html.count("<svg") == 3
    assert "status 500" in html
    assert f"{report['latency_ms']['p99']:.1f}" in html
    assert not re.search(r"<(script|link|img)|(src|href)=\"(?!#)", html)

    assert "12: 8 answered, 4 failed" in done.stdout
    assert re.search(r"status 500 +4\n", done.stdout)


def test_a_bar_on_a_terminal_only(stub: Stub) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, ONE, "3", "--url", stub.url],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    out, _ = process.communicate(timeout=30)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "] 0/3" in shown
    assert "] 3/3" in shown
    assert shown.endswith("\r\x1b[K")
    assert "\x1b" not in out


def test_a_reader_that_had_enough(stub: Stub) -> None:
    process = subprocess.run(
        f"{sys.executable} {ONE} 50 --url {stub.url} | head -1",
        shell=True, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert process.stdout.count("\n") == 1
    assert "Traceback" not in process.stderr


UNUSABLE = [
    ([ONE, "0"], "N must be 1 or more; it is 0."),
    ([ONE, "-3"], "N must be 1 or more; it is -3."),
    ([ONE, "two"], "argument N: invalid int value: 'two'"),
    ([ONE, "1.5"], "argument N: invalid int value: '1.5'"),
    ([WAVES, "-N", "0"], "N must be 1 or more; it is 0."),
    ([WAVES, "-T", "-1"], "T must be 0 seconds or more; it is -1."),
    ([WAVES, "-T", "nan"], "T must be 0 seconds or more; it is nan."),
    ([WAVES, "-R", "0"], "R must be 1 or more; it is 0."),
    ([WAVES, "--what"], "unrecognized arguments: --what"),
    ([ONE, "1", "--image", "no/such.jpg"], "There is no image 'no/such.jpg'. Name one"),
    ([ONE, "1", "--image", "tests/load"], "There are no images in the folder 'tests/load'."),
    ([ONE, "1", "--timeout", "0"], "--timeout must be more than 0 seconds; it is 0."),
    ([ONE, "1", "--url", "localhost:8000"], "'localhost:8000' is not a URL such as"),
    ([ONE, "1", "--url", "http://no-such-host.invalid/"], "cannot be reached: "),
    ([ONE, "1", "--json", "no/such/folder.json"], "'no/such/folder.json' cannot be written."),
    ([ONE, "1", "--endpoint-url", "http://x/"], "--endpoint-url is of use only with --lambda"),
    ([WAVES, "-N", "100000000"], "N must be "),
]


@pytest.mark.parametrize(("arguments", "message"), UNUSABLE)
def test_what_cannot_be_done(stub: Stub, arguments: list[str], message: str) -> None:
    url = [] if "--url" in arguments or "--endpoint-url" in arguments else ["--url", stub.url]
    done = script(*arguments, *url)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert stub.received == []


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    done = script(ONE, "--url", url)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {url} cannot be reached: Connection refused. Is it the right address, and does "
        "the service run? (make run)\n"
    )


@pytest.mark.parametrize("name", [ONE, WAVES])
def test_help_tells_how(name: str) -> None:
    done = script(name, "--help")
    assert done.returncode == 0
    for word in (
        "examples:",
        "--url",
        "--lambda",
        "exit status:",
        "default: http://localhost:8000/",
    ):
        assert word in done.stdout


def test_only_what_is_asked_for_is_imported(stub: Stub) -> None:
    done = script(ONE, "--url", stub.url, environment={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "local.load.run" in imported
    assert imported.isdisjoint({"matplotlib", "numpy", "boto3", "locust", "gevent"})


def test_a_report_that_loses_a_request_is_noticed() -> None:
    """The check that all tests here lean on can fail."""
    with pytest.raises(AssertionError):
        assert_consistent(
            {"requests": 2, "answered": 1, "failures": 0, "in_flight": 0, "failures_by_kind": {}}
        )
