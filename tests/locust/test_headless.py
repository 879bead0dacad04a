"""The scenarios in real Locust processes: alone, with --processes, as master and workers."""

import signal
import ssl
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from local.loadtest.engine.connection import UNTRUSTED
from local.loadtest.schedule import RateProfile
from tests.support.locust import (
    ANSWERED,
    FAILED,
    PARALLEL,
    STEADY,
    WAVES,
    Table,
    failures,
    lateness,
    locust,
    processes,
    table,
)
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.scripts import finish, measured, session_of, start
from tests.support.stub import Stub, serving_stub
from tests.support.tls import self_signed
from tests.support.tools import OPENSSL, needs
from tests.support.wait import wait_until

CLOCKS_S = 0.01
"""Locust's rates are of the time of day, whose clock may be adjusted during a run."""


def assert_not_before_due(stub: Stub, result: Table, plan: tuple[int, float, int]) -> None:
    """No request came before its wave was due, as far as the server can tell."""
    parallel, period, repeat = plan
    came = sorted(request.at for request in stub.received)
    # Locust counts from when a request was due: the first wave was due at most this long before
    # its first request came.
    earliest_start = came[0] - result.largest / 1000
    due = [wave * period for wave in range(repeat) for _ in range(parallel)]
    for at, after in zip(came, due, strict=True):
        assert at >= earliest_start + after


def test_waves_wait_for_nothing_and_nothing_is_cut_off(stub: Stub, tmp_path: Path) -> None:
    # given: a run from another folder, at a server that holds all responses
    prefix, output = tmp_path / "run", tmp_path / "output"
    process = start("-m", "locust", "-f", ROOT / WAVES, "--headless", "--N", 6, "--T", 0.05,
                    "--R", 5, "-H", f"{stub.url}/held/all/", "--csv", prefix, "--html", "run.html",
                    cwd=tmp_path, output=output)  # fmt: skip

    def reports() -> int:
        assert process.poll() is None, output.read_text()
        return output.read_text().count("Aggregated")

    # when: all waves are in flight, and Locust has had the time to end the run
    wait_until(lambda: reports() and len(stub.received) == 30, "all waves")
    before = reports()
    wait_until(lambda: reports() >= before + 2, "two more of Locust's reports, one every 2 s")
    stub.release("all")

    # then: it ends with all responses
    assert finish(process).returncode in ANSWERED, output.read_text()
    result = table(prefix)
    assert len(stub.received) == result.requests == 30
    assert result.failures == 0
    assert "WaveUser" in (tmp_path / "run.html").read_text()


def test_users_in_parallel_wait_for_their_responses(stub: Stub, tmp_path: Path) -> None:
    # given: a server that responds when the requests of all four users are in flight
    prefix = tmp_path / "run"
    done = locust("-f", PARALLEL, "--headless", "--N", 4, "--T", 0.1, "--R", 3,
                  "-H", f"{stub.url}/together/4", "--csv", prefix)  # fmt: skip
    assert done.returncode in ANSWERED, done.stderr
    assert table(prefix)[:2] == (12, 0)
    # then: the second and third request of each come after the response to the one before, and T
    came = [request.at for request in stub.received]
    assert len(came) == 12
    for round_ in (4, 8):
        assert min(came[round_ : round_ + 4]) >= max(came[round_ - 4 : round_]) + 0.1


def test_failures_are_counted_by_kind(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    stub.follow('json/{"predictions":[]}', "status/500", "status/302", "reset", "close", "cut",
                "garbage", "delay/0", "chunked", "coded/gzip")  # fmt: skip
    stub.alias = ""
    done = locust("-f", WAVES, "--headless", "--N", 10, "--T", 0.1, "--R", 2, "-H", stub.url,
                  "--csv", prefix)  # fmt: skip
    assert done.returncode in FAILED, done.stderr
    assert table(prefix)[:2] == (20, 14)
    kinds = ("no predictions", "status 500", "status 302", "reset", "closed without a response",
             "truncated response", "not an HTTP response")  # fmt: skip
    assert failures(prefix) == {f"CatchResponseError('{kind}')": 2 for kind in kinds}


def test_no_response_is_a_timeout_and_has_no_time(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    done = locust("-f", WAVES, "--headless", "--N", 2, "--T", 0, "--R", 1,
                  "-H", f"{stub.url}/hang", "--request-timeout", 0.3, "--csv", prefix)  # fmt: skip
    assert done.returncode in FAILED
    result = table(prefix)
    assert (result.requests, result.failures, result.largest, result.p99) == (2, 2, 0, 0)
    assert failures(prefix) == {"CatchResponseError('timeout')": 2}


def test_a_steady_rate_is_sent_with_the_key_and_the_headers(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    done = locust("-f", STEADY, "--headless", "--rate", 40, "--for", 0.5, "-H", stub.url,
                  "--csv", prefix, "--api-key", "secret", "--header", "X-Own: 1",
                  "--traceparent")  # fmt: skip
    assert done.returncode in ANSWERED, done.stderr
    result = table(prefix)
    assert (result.requests, result.failures) == (20, 0)
    assert_not_before_due(stub, result, (1, 1 / 40, 20))
    late = lateness(prefix)
    assert (late.requests, late.failures) == (20, 0)
    assert late.largest <= result.largest
    for request in stub.received:
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["x-own"] == "1"
        assert request.headers["accept-encoding"] == "identity"
    assert len({request.headers["traceparent"] for request in stub.received}) == 20


def test_a_run_ends_at_run_time_and_its_requirements_decide(stub: Stub, tmp_path: Path) -> None:
    junit = tmp_path / "load.xml"
    for seconds in (1, 10, 100):  # the first suffices unless the machine is busy
        done = locust("-f", WAVES, "--headless", "--N", 2, "--T", 0.1, "--R", 1_000_000,
                      "-H", stub.url, "--run-time", seconds, "--require", "p50<0.001",
                      "--junit", junit)  # fmt: skip
        if len(stub.received) >= 2:
            break
    assert done.returncode in (3, 4), done.stderr
    assert 2 <= len(stub.received) < 2_000_000
    if done.returncode == 3:
        assert "Required p50<0.001: it was" in done.stderr
    (suite,) = ET.parse(junit).getroot()
    assert suite.get("name") == f"{stub.url.rstrip('/')}/: waves"
    results = {case.get("name"): case.find("failure") is None for case in suite.iter("testcase")}
    assert results.pop("the client is not the limit") == (done.returncode == 3)
    assert results == {
        "the run is complete": True,
        "all requests are answered": True,
        "p50<0.001": False,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tags", "x"), "--tags and --exclude-tags leave no task."),
        (("--N", 100_000, "--R", 100_000), "A run has at most"),
        (("--html", "tests"), "'tests' cannot be written."),
        (("--json-file", "README.md/run"), "'README.md' cannot be written."),
        (("--csv", "README.md/run"), "argument --csv: 'README.md' cannot be written."),
        (("--image", ""), "argument --image: The path of --image is empty."),
        (("--traceparent", "--header", "Traceparent: x"), "--traceparent sets traceparent;"),
    ],
)
def test_options_that_make_no_run_are_refused_before_it(
    stub: Stub, arguments: tuple[object, ...], said: str
) -> None:
    done = locust("-f", WAVES, "--headless", "-H", stub.url, *arguments)
    assert done.returncode == 2
    assert f"error: {said}" in done.stderr
    assert "Traceback" not in done.stderr
    assert stub.received == []


def test_two_scenarios_are_refused(stub: Stub) -> None:
    done = locust("-f", f"{STEADY},{WAVES}", "--headless", "-H", stub.url)
    assert done.returncode == 2
    assert "error: Locust runs one scenario at a time." in done.stderr
    assert stub.received == []


@pytest.mark.parametrize("mode", [("--headless",), ("--web-port", "0")], ids=["headless", "page"])
def test_folder_is_refused(stub: Stub, mode: tuple[str, ...]) -> None:
    done = locust("-f", "locustfiles", *mode, "-H", stub.url)
    assert done.returncode == 2
    assert "error: Locust runs one scenario at a time. Name one file with -f" in done.stderr
    assert "Traceback" not in done.stderr


def test_csv_file_that_is_a_folder_is_refused(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "run_failures.csv").mkdir()
    done = locust("-f", WAVES, "--headless", "-H", stub.url, "--csv", tmp_path / "run")
    assert done.returncode == 2
    assert "run_failures.csv' cannot be written. Choose another prefix." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_password_of_the_host_is_sent_but_is_in_no_report(stub: Stub, tmp_path: Path) -> None:
    reports = ("--csv", tmp_path / "run", "--html", tmp_path / "run.html", "--json-file",
               tmp_path / "run", "--junit", tmp_path / "run.xml")  # fmt: skip
    host = stub.url.replace("//", "//user:secret@")
    done = locust("-f", PARALLEL, "--headless", "--N", 2, "--R", 1, "-H", host, *reports)
    assert done.returncode in ANSWERED, done.stderr
    assert [request.headers["authorization"] for request in stub.received] == [
        "Basic dXNlcjpzZWNyZXQ="
    ] * 2
    assert stub.url in (tmp_path / "run.html").read_text()
    for path in tmp_path.iterdir():
        assert "user:secret" not in path.read_text(), path


def test_processes_share_the_load_and_agree_with_the_classic_script(
    stub: Stub, tmp_path: Path
) -> None:
    """The same waves against the same delays, which a third of the responses have twice as
    long."""
    prefix = tmp_path / "run"
    url = stub.follow("delay/0.05", "delay/0.05", "delay/0.1")
    plan = (7, 0.3, 3)
    _, classic = measured("local/run_multiple_tests.py", "-N", plan[0], "-T", plan[1], "-R",
                          plan[2], "--url", url, folder=tmp_path)  # fmt: skip
    stub.received.clear()

    done = locust("-f", WAVES, "--headless", *processes(2), "--N", plan[0], "--T", plan[1],
                  "--R", plan[2], "-H", url, "--csv", prefix)  # fmt: skip

    assert done.returncode in ANSWERED, done.stderr
    result = table(prefix)
    assert len(stub.received) == result.requests == classic["requests"] == 21
    assert (result.failures, classic["failures"]) == (0, 0)
    assert_not_before_due(stub, result, plan)
    # then: neither reports less than the server's delay
    assert result.smallest >= 50
    assert min(result.p50, classic["latency_ms"]["p50"]) >= 50
    assert min(result.p99, classic["latency_ms"]["p99"]) >= 100
    # and: the rates are those of the time that the server saw at least
    delays = [float(request.path.partition("/")[2]) for request in stub.received]
    ends = [request.at + delay for request, delay in zip(stub.received, delays, strict=True)]
    seconds = max(ends) - min(request.at for request in stub.received)
    assert 21 / result.rps >= seconds - CLOCKS_S
    assert classic["throughput_rps"] <= 21 / (3 * 0.3) + 0.001
    assert classic["wall_s"] >= 2 * 0.3 + 0.05


@pytest.mark.slow
def test_master_and_workers_share_the_load(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    port = free_port()
    worker = ("-m", "locust", "-f", WAVES, "--worker", "--master-port", port)
    workers = [start(*worker), start(*worker)]
    master = start("-m", "locust", "-f", WAVES, "--master", "--master-bind-port", port,
                   "--expect-workers", 2, "--headless", "--N", 6, "--T", 0.05, "--R", 5,
                   "-H", f"{stub.url}/together/30", "--csv", prefix)  # fmt: skip
    done = finish(master)
    assert [finish(worker).returncode for worker in workers] == [0, 0]
    assert done.returncode in ANSWERED, done.stderr
    assert len(stub.received) == 30
    assert table(prefix)[:2] == (30, 0)


@pytest.mark.slow
def test_the_start_waits_for_the_slowest_worker(stub: Stub, tmp_path: Path) -> None:
    # given: users that need longer than the second for which Locust waits
    scenario = tmp_path / "slow.py"
    scenario.write_text(
        f"import sys; sys.path.insert(0, {str((ROOT / WAVES).parent)!r})\n"
        "import gevent, waves\n"
        "from waves import Waves\n"
        "class SlowUser(waves.WaveUser):\n"
        "    def __init__(self, environment):\n"
        "        gevent.sleep(2)\n"
        "        super().__init__(environment)\n"
    )
    prefix = tmp_path / "run"
    done = locust("-f", scenario, "--headless", *processes(2), "--N", 2, "--T", 0.1, "--R", 3,
                  "-H", stub.url, "--csv", prefix)  # fmt: skip
    assert done.returncode in ANSWERED, done.stderr
    assert len(stub.received) == table(prefix).requests == 6


@pytest.mark.slow
def test_processes_share_a_steady_rate(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    done = locust("-f", STEADY, "--headless", *processes(2), "--ramp", "10:30", "--for", 1,
                  "--arrivals", "poisson", "--seed", 3, "-H", stub.url,
                  "--csv", prefix)  # fmt: skip
    assert done.returncode in ANSWERED, done.stderr
    due = RateProfile.ramp(10, 30, 1).due("poisson", 3)
    assert table(prefix)[:2] == (len(due), 0)
    assert lateness(prefix).requests == len(stub.received) == len(due)


@pytest.mark.slow
def test_options_that_make_no_run_end_all_processes(stub: Stub) -> None:
    done = locust("-f", WAVES, "--headless", *processes(2), "-H", stub.url, "--tags", "x")
    assert done.returncode == 2
    assert "leave no task" in done.stderr
    assert stub.received == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lost_worker_ends_the_run(stub: Stub, number: signal.Signals) -> None:
    run = start("-m", "locust", "-f", WAVES, "--headless", *processes(2), "--N", 2, "--T", 0.1,
                "--R", 1_000_000, "-H", stub.url)  # fmt: skip
    wait_until(lambda: len(stub.received) > 4, "the first waves")
    session_of(run)[0].send_signal(number)
    done = finish(run)
    assert done.returncode == 4, done.stderr
    assert "The load differed from the plan: workers lost: 1 of 2." in done.stderr


@pytest.mark.slow
def test_a_master_without_workers_ends(stub: Stub) -> None:
    port = free_port()
    worker = start("-m", "locust", "-f", WAVES, "--worker", "--master-port", port)
    master = start("-m", "locust", "-f", WAVES, "--master", "--master-bind-port", port,
                   "--headless", "--N", 2, "--T", 0.1, "--R", 1_000_000,
                   "-H", stub.url)  # fmt: skip
    wait_until(lambda: len(stub.received) > 4, "the first waves")
    worker.kill()
    done = finish(master)
    assert done.returncode == 4, done.stderr
    assert "workers lost: 1 of 1." in done.stderr
    finish(worker)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("count", [1, 2])
def test_a_signal_ends_all_processes(
    stub: Stub, tmp_path: Path, number: signal.Signals, count: int
) -> None:
    several = processes(count) if count > 1 else ()
    junit = tmp_path / "load.xml"
    run = start("-m", "locust", "-f", WAVES, "--headless", *several, "--N", 2, "--T", 0.1,
                "--R", 1_000_000, "-H", stub.url, "--junit", junit)  # fmt: skip
    wait_until(lambda: len(stub.received) > 4, "the first waves")
    run.send_signal(number)
    assert finish(run).returncode == 128 + number
    failed = ET.parse(junit).getroot().findall("testsuite/testcase[failure]")
    assert "the run is complete" in [case.get("name") for case in failed]


@pytest.mark.slow
@needs(OPENSSL)
def test_a_certificate_is_verified_unless_insecure(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    prefix = tmp_path / "run"
    with serving_stub(context) as stub:
        run = ("-f", WAVES, "--headless", "--N", 2, "--T", 0, "--R", 2, "-H", stub.url)
        assert locust(*run, "--csv", prefix).returncode in FAILED
        assert failures(prefix) == {f"CatchResponseError('{UNTRUSTED}')": 4}
        done = locust(*run, "--csv", prefix, "--insecure")
        assert done.returncode in ANSWERED, done.stderr
        assert table(prefix)[:2] == (4, 0)
