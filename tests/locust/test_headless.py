"""The scenarios in real Locust processes: alone, with --processes, as master and workers."""

from pathlib import Path

import pytest

from tests.support.locust import PARALLEL, WAVES, Table, failures, locust, table
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.scripts import finish, measured, start
from tests.support.stub import Stub
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
    assert finish(process).returncode == 0, output.read_text()
    result = table(prefix)
    assert len(stub.received) == result.requests == 30
    assert result.failures == 0
    assert "WaveUser" in (tmp_path / "run.html").read_text()


def test_users_in_parallel_wait_for_their_responses(stub: Stub, tmp_path: Path) -> None:
    # given: a server that responds when the requests of all four users are in flight
    prefix = tmp_path / "run"
    done = locust("-f", PARALLEL, "--headless", "--N", 4, "--T", 0.1, "--R", 3,
                  "-H", f"{stub.url}/together/4", "--csv", prefix)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert table(prefix)[:2] == (12, 0)
    # then: the second and third request of each come after the response to the one before, and T
    came = [request.at for request in stub.received]
    assert len(came) == 12
    for round_ in (4, 8):
        assert min(came[round_ : round_ + 4]) >= max(came[round_ - 4 : round_]) + 0.1


def test_responses_without_predictions_are_failures(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    stub.follow('json/{"predictions":[]}', "status/500", "status/302", "reset", "delay/0")
    stub.alias = ""
    done = locust("-f", WAVES, "--headless", "--N", 5, "--T", 0.1, "--R", 2, "-H", stub.url,
                  "--csv", prefix)  # fmt: skip
    assert done.returncode == 1
    result = table(prefix)
    assert (result.requests, result.failures) == (10, 8)
    kinds = failures(prefix)
    assert kinds.pop("CatchResponseError('no predictions')") == 2
    assert kinds.pop("CatchResponseError('status 500')") == 2
    assert kinds.pop("CatchResponseError('status 302')") == 2
    ((closed, count),) = kinds.items()
    assert "onnection" in closed
    assert count == 2


def test_no_response_is_a_timeout(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    done = locust("-f", WAVES, "--headless", "--N", 2, "--T", 0, "--R", 1,
                  "-H", f"{stub.url}/hang", "--request-timeout", 0.3, "--csv", prefix)  # fmt: skip
    assert done.returncode == 1
    assert table(prefix)[:2] == (2, 2)
    ((kind, count),) = failures(prefix).items()
    assert "timed out" in kind
    assert count == 2


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

    done = locust("-f", WAVES, "--headless", "--processes", 2, "--N", plan[0], "--T", plan[1],
                  "--R", plan[2], "-H", url, "--csv", prefix)  # fmt: skip

    assert done.returncode == 0, done.stderr
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
    assert classic["throughput_rps"] == pytest.approx(21 / classic["wall_s"], rel=1e-3)
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
    assert done.returncode == 0, done.stderr
    assert len(stub.received) == 30
    assert table(prefix)[:2] == (30, 0)


def test_missing_image_ends_the_run(stub: Stub) -> None:
    done = locust("-f", WAVES, "--headless", "-H", stub.url, "--image", "no/such.jpg")
    assert done.returncode == 2
    assert "'no/such.jpg' does not exist." in done.stderr
    assert "Traceback" not in done.stderr
    assert stub.received == []
