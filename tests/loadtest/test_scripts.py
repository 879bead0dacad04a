"""test_script.py and run_multiple_tests.py, run as commands."""

import contextlib
import csv
import json
import math
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.paths import ROOT, SAMPLE
from tests.support.ports import free_port
from tests.support.scripts import assert_consistent, measured, refused, script
from tests.support.server import Server
from tests.support.stub import Received, Stub
from tests.support.wait import HANG_SECONDS

ONE = "local/test_script.py"
WAVES = "local/run_multiple_tests.py"

ROUNDING_S = 2e-6
"""Times in reports have six decimals."""

Row = Mapping[str, str]


def numbered_images(folder: Path, count: int) -> Path:
    """A folder of images whose names identify the requests of a run."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.png").write_bytes(b"png")
    return folder


def by_image(received: Sequence[Received]) -> list[Received]:
    """In plan order: by wave, then by index in the wave."""
    return sorted(received, key=lambda request: request.body.split(b'filename="')[1][:3])


def read_rows(table: Path) -> list[Row]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def percentile(rows: Sequence[Row], column: str, percent: float) -> float:
    """The nearest rank."""
    ordered = sorted(float(row[column]) for row in rows)
    return ordered[math.ceil(percent / 100 * len(ordered)) - 1]


def test_one_request_by_default(stub: Stub) -> None:
    done = script(ONE, "--url", stub.url)
    assert done.returncode == 0
    assert len(stub.received) == 1
    assert re.search(r"^wave   1  request    1 .* ms  ok$", done.stdout, re.MULTILINE)
    # Progress, if it takes more than five seconds.
    assert re.fullmatch(r"([01]/1  .*\n)*", done.stderr)


def test_works_from_its_own_folder(stub: Stub) -> None:
    done = script("test_script.py", 3, "--url", stub.url, cwd=ROOT / "local")
    assert done.returncode == 0
    assert done.stdout.count(" ms  ok\n") == len(stub.received) == 3
    done = script("run_multiple_tests.py", "-N", 2, "-T", 0, "-R", 3, "-V", "--url", stub.url,
                  cwd=ROOT / "local")  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.count(" ms  ok\n") == 6


def test_default_image_is_the_sample(stub: Stub) -> None:
    script(ONE, "--url", f"{stub.url}/delay/0?top_k=3")
    (received,) = stub.received
    assert SAMPLE.read_bytes() in received.body
    assert received.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert received.headers["host"] == stub.url.removeprefix("http://")


def test_service_answers_with_predictions(server: Server, tmp_path: Path) -> None:
    done, report = measured(ONE, 4, "--url", server.url, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert (report["answered"], report["failures"]) == (4, 0)


def test_images_of_a_folder_are_sent_in_turn(stub: Stub, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(name.encode() * 10)
    done = script(WAVES, "-N", 2, "-T", 0, "-R", 3, "--image", tmp_path, "--url", stub.url)
    assert done.returncode == 0
    for content in (b"a.png" * 10, b"b.png" * 10, b"c.png" * 10):
        assert sum(content in request.body for request in stub.received) == 2


def test_each_wave_starts_when_due_and_waits_for_no_response(stub: Stub, tmp_path: Path) -> None:
    # given: a server that does not respond before the requests of all waves are in flight
    table = tmp_path / "report.csv"
    images = numbered_images(tmp_path / "images", 20)

    done, report = measured(WAVES, "-N", 4, "-T", 0.1, "-R", 5, "--image", images, "--csv", table,
                            "--url", f"{stub.url}/together/20", folder=tmp_path)  # fmt: skip

    # then: all of them were in flight together
    assert done.returncode == 0
    assert (report["answered"], report["peak_concurrency"]) == (20, 20)
    assert report["offered_rps"] == pytest.approx(40)
    assert [wave["due_s"] for wave in report["waves"]] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    # and: no request was sent before its wave was due
    rows = read_rows(table)
    for row in rows:
        assert float(row["due_s"]) == pytest.approx(int(row["wave"]) * 0.1)
        assert float(row["started_s"]) >= float(row["due_s"]) - ROUNDING_S
    # and: consistent with the server's clock, for some start of the run
    received = [request.at for request in by_image(stub.received)]
    starts = [at - float(row["started_s"]) for at, row in zip(received, rows, strict=True)]
    ends = [max(received) - float(row["ended_s"]) for row in rows]
    assert max(ends) <= min(starts) + ROUNDING_S


@pytest.mark.parametrize("way", ["chunked", "until-close"])
def test_other_transfer_codings(stub: Stub, way: str) -> None:
    assert script(ONE, 3, "--url", f"{stub.url}/{way}").returncode == 0


def test_without_a_period_all_waves_start_at_once(stub: Stub, tmp_path: Path) -> None:
    done, report = measured(WAVES, "-N", 5, "-T", 0, "-R", 20, "--url", f"{stub.url}/together/100",
                            folder=tmp_path)  # fmt: skip
    assert done.returncode == 0
    assert len(stub.received) == report["answered"] == report["peak_concurrency"] == 100
    assert {wave["due_s"] for wave in report["waves"]} == {0}
    assert report["offered_rps"] is None


@pytest.fixture
def many_files() -> Iterator[None]:
    """Raise the limit of open files: some systems allow a process 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_thousand_parallel_requests(stub: Stub, tmp_path: Path) -> None:
    done, report = measured(WAVES, "-N", 1000, "-R", 1, "--url", f"{stub.url}/together/1000",
                            folder=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert len(stub.received) == report["answered"] == 1000
    assert report["peak_concurrency"] == 1000


def test_reports_agree_with_each_other_and_with_the_server(stub: Stub, tmp_path: Path) -> None:
    # given: identifiable requests, and four kinds of responses
    images = numbered_images(tmp_path / "images", 12)
    url = stub.follow("delay/0.1", "status/500", "delay/0", "delay/0.2")
    table, page = tmp_path / "report.csv", tmp_path / "report.html"

    done, report = measured(WAVES, "-N", 4, "-T", 0.05, "-R", 3, "--image", images, "--csv", table,
                            "--html", page, "--url", url, folder=tmp_path)  # fmt: skip

    assert done.returncode == 1
    assert report["failures_by_kind"] == {"status 500": 3}
    rows = read_rows(table)
    assert [(int(row["wave"]), int(row["request"])) for row in rows] == [
        (wave, number) for wave in range(3) for number in range(4)
    ]
    # then: each request has the server's result, and takes at least the server's delay
    for row, received in zip(rows, by_image(stub.received), strict=True):
        behaviour, _, argument = received.path.partition("/")
        assert row["result"] == ("ok" if behaviour == "delay" else "status 500")
        if behaviour == "delay":
            assert float(row["service_ms"]) >= float(argument) * 1000
    # and: the times of each request agree with each other
    for row in rows:
        due, started, ended = (float(row[name]) for name in ("due_s", "started_s", "ended_s"))
        assert (started - due) * 1000 == pytest.approx(float(row["lateness_ms"]), abs=0.01)
        assert (ended - started) * 1000 == pytest.approx(float(row["service_ms"]), abs=0.01)
        assert (ended - due) * 1000 == pytest.approx(float(row["latency_ms"]), abs=0.01)
    # and: percentiles of latency and service cover answered requests
    answered = [row for row in rows if row["result"] == "ok"]
    assert len(answered) == report["answered"] == 9
    for name, chosen in (("latency_ms", answered), ("service_ms", answered), ("lateness_ms", rows)):
        for key, percent in (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("max", 100)):
            expected = percentile(chosen, name, percent)
            assert report[name][key] == pytest.approx(expected, abs=0.002)
    assert report["wall_s"] == pytest.approx(max(float(row["ended_s"]) for row in rows))
    # and: throughput counts over the three waves
    in_time = sum(float(row["ended_s"]) <= 0.15 for row in answered)
    assert report["throughput_rps"] == pytest.approx(in_time / 0.15, rel=1e-3)

    html = page.read_text()
    assert html.count("<svg") == 6
    assert "status 500" in html
    assert f"{report['latency_ms']['p99']:.1f}" in html
    assert not re.search(r"<(script|link|img)|(src|href)=\"(?!#)", html)

    assert "12: 9 answered, 3 failed" in done.stdout
    assert re.search(r"status 500 +3\n", done.stdout)


def read_terminal(descriptor: int) -> str:
    """What was written to a terminal that all programs have closed."""
    shown = b""
    with contextlib.suppress(OSError):  # the end, on Linux
        while part := os.read(descriptor, 65536):
            shown += part
    return shown.decode()


def test_progress_bar_only_on_a_terminal(stub: Stub) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, ONE, "3", "--url", stub.url],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    out, _ = process.communicate(timeout=HANG_SECONDS)
    shown = read_terminal(ours)
    os.close(ours)
    assert "] 0/3" in shown
    assert "] 3/3" in shown
    assert shown.endswith("\r\x1b[K")
    assert "\x1b" not in out


def test_closed_stdout_is_not_an_error(stub: Stub) -> None:
    process = subprocess.run(
        f"{sys.executable} {ONE} 50 --url {stub.url} | head -1",
        shell=True, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    assert process.stdout.count("\n") == 1
    assert "Traceback" not in process.stderr


def test_reports_are_written_if_nobody_reads_the_output(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    subprocess.run(
        f"{sys.executable} {WAVES} -N 2 -R 1 --url {stub.url} --json {path} | true",
        shell=True, cwd=ROOT, capture_output=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    assert json.loads(path.read_text())["answered"] == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_may_be_closed_from_the_start(stub: Stub, closed: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    process = subprocess.run(
        f"{sys.executable} {ONE} 2 --late-ok --url {stub.url} --json {path} {closed}",
        shell=True, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    assert (process.returncode, "Traceback" in process.stderr) == (0, False)
    assert json.loads(path.read_text())["answered"] == 2


IMPORTING = """
import os, runpy, signal, sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == "numpy":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("name", [ONE, WAVES, "local/run_rate_test.py", "local/compare.py",
                                  "local/capacity.py", "local/forecast.py"])  # fmt: skip
def test_ctrl_c_during_imports_is_no_traceback(name: str) -> None:
    done = script("-c", IMPORTING, name)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
@pytest.mark.parametrize(
    ("output", "message"),
    [
        (">/dev/full", "error: The output cannot be written: No space left on device.\n"),
        ("--json /dev/full", "error: A report cannot be written: No space left on device.\n"),
    ],
)
def test_full_disk_is_one_line(stub: Stub, output: str, message: str) -> None:
    process = subprocess.run(
        f"{sys.executable} {ONE} 2 --url {stub.url} {output}",
        shell=True, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert process.stderr.endswith(message)
    assert "Traceback" not in process.stderr


def test_file_names_need_not_be_utf8(stub: Stub, tmp_path: Path) -> None:
    image = tmp_path / os.fsdecode(b"\xe9.jpg")
    image.write_bytes(b"jpg")
    page = tmp_path / os.fsdecode(b"\xe9.html")
    done = script(ONE, "--image", image, "--html", page, "--url", stub.url)
    assert done.returncode == 0, done.stderr
    assert b'filename="?.jpg"' in stub.received[0].body
    assert page.stat().st_size


def test_credentials_in_the_url_are_sent_and_not_shown(stub: Stub, tmp_path: Path) -> None:
    url = stub.url.replace("//", "//me:s%3Acret@")
    page, verdict = tmp_path / "report.html", tmp_path / "report.xml"
    done, report = measured(ONE, "--url", url, "--html", page, "--junit", verdict, folder=tmp_path)
    assert stub.received[0].headers["authorization"] == "Basic bWU6czpjcmV0"
    assert report["target"] == stub.url.replace("//", "//...@")
    for text in (done.stdout, json.dumps(report), page.read_text(), verdict.read_text()):
        assert "s%3Acret" not in text


UNUSABLE = [
    ([ONE, "0"], "N must be 1 or more; it is 0."),
    ([ONE, "-3"], "N must be 1 or more; it is -3."),
    ([ONE, "two"], "argument N: invalid int value: 'two'"),
    ([ONE, "1.5"], "argument N: invalid int value: '1.5'"),
    ([WAVES, "-N", "0"], "N must be 1 or more; it is 0."),
    ([WAVES, "-T", "-1"], "T must be 0 seconds or more; it is -1."),
    ([WAVES, "-T", "nan"], "T must be 0 seconds or more; it is nan."),
    ([WAVES, "-T", "1e-320"], "T must be 0, or a microsecond or more; it is"),
    ([WAVES, "-T", "1e308"], "A run takes at most a year"),
    ([WAVES, "-R", "0"], "R must be 1 or more; it is 0."),
    ([WAVES, "-N", "9" * 400], "this one has far more. Use a smaller N or R."),
    ([WAVES, "--what"], "unrecognized arguments: --what"),
    ([ONE, "1", "--image", "no/such.jpg"], "'no/such.jpg' does not exist. Name an image"),
    ([ONE, "1", "--image", ""], "The path of --image is empty. Name an image or a folder"),
    ([ONE, "1", "--image", "tests/docs"], "The folder 'tests/docs' has no images."),
    ([ONE, "1", "--timeout", "0"], "--timeout must be more than 0 seconds; it is 0."),
    ([ONE, "1", "--url", "localhost:8000"], "'localhost:8000' is not a URL. Use one such as"),
    ([ONE, "1", "--url", "http://no-such-host.invalid/"], "cannot be reached: "),
    ([ONE, "1", "--json", "no/such/folder.json"], "'no/such/folder.json' cannot be written."),
    ([ONE, "1", "--endpoint-url", "http://x/"], "--endpoint-url needs --lambda"),
]


@pytest.mark.parametrize(("arguments", "message"), UNUSABLE)
def test_invalid_arguments_exit_2(stub: Stub, arguments: list[str], message: str) -> None:
    url = [] if "--url" in arguments or "--endpoint-url" in arguments else ["--url", stub.url]
    assert message in refused(*arguments, *url)
    assert stub.received == []


def test_connection_refused_exits_2() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    done = script(ONE, "--url", url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {url} cannot be reached: Connection refused. Check the address, and start the "
        "service (make run).\n"
    )


@pytest.mark.parametrize("name", [ONE, WAVES])
def test_help_lists_options_and_exit_status(name: str) -> None:
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


def test_optional_libraries_are_not_imported(stub: Stub) -> None:
    done = script(ONE, "--url", stub.url, environment={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "local.loadtest.engine.engine" in imported
    assert imported.isdisjoint({"matplotlib", "boto3", "locust", "gevent"})


def test_assert_consistent_detects_a_lost_request() -> None:
    """The check that other tests here use can fail."""
    with pytest.raises(AssertionError):
        assert_consistent(
            {"requests": 2, "answered": 1, "failures": 0, "in_flight": 0, "failures_by_kind": {}}
        )
