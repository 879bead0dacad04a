"""The scenarios in real Locust processes: alone, with --processes, as master and workers."""

from pathlib import Path

import pytest

from tests.support.locust import PARALLEL, WAVES, failures, locust, table
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.scripts import finish, measured, start
from tests.support.stub import Stub

PLAN = ("--N", 6, "--T", 0.4, "--R", 5)


def assert_waves(stub: Stub, parallel: int, period: float, repeat: int) -> None:
    """Exactly N requests came with each wave, at its time."""
    first = min(each.at for each in stub.received)
    came = sorted(each.at - first for each in stub.received)
    assert came == pytest.approx(
        [wave * period for wave in range(repeat) for _ in range(parallel)], abs=0.15
    )


def test_waves_wait_for_nothing_and_nothing_is_cut_off(stub: Stub, tmp_path: Path) -> None:
    """Each answer takes three periods and longer than what follows the last wave."""
    prefix = tmp_path / "run"
    done = locust("-f", WAVES, "--headless", *PLAN, "-H", f"{stub.url}/delay/1.2",
                  "--csv", prefix, "--html", tmp_path / "run.html")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_waves(stub, 6, 0.4, 5)
    result = table(prefix)
    assert (result.requests, result.failures) == (30, 0)
    assert result.p50 == pytest.approx(1200, abs=100)
    assert result.rps == pytest.approx(30 / (4 * 0.4 + 1.2), rel=0.1)
    assert "WaveUser" in (tmp_path / "run.html").read_text()


def test_users_in_parallel_wait_for_their_answers(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    done = locust("-f", PARALLEL, "--headless", "--N", 4, "--T", 0.1, "--R", 3,
                  "-H", f"{stub.url}/delay/0.3", "--csv", prefix)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_waves(stub, 4, 0.4, 3)
    result = table(prefix)
    assert (result.requests, result.failures) == (12, 0)
    assert result.p50 == pytest.approx(300, abs=50)


def test_answers_without_predictions_are_failures(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    stub.follow('json/{"predictions":[]}', "status/500", "status/302", "reset", "hang", "delay/0")
    stub.alias = ""
    done = locust("-f", WAVES, "--headless", "--N", 6, "--T", 0.1, "--R", 2, "-H", stub.url,
                  "--request-timeout", 1, "--csv", prefix)  # fmt: skip
    assert done.returncode == 1
    result = table(prefix)
    assert (result.requests, result.failures) == (12, 10)
    kinds = failures(prefix)
    assert kinds.pop("CatchResponseError('no predictions')") == 2
    assert kinds.pop("CatchResponseError('status 500')") == 2
    assert kinds.pop("CatchResponseError('status 302')") == 2
    closed, timed_out = sorted(kinds, key=lambda kind: "timed out" in kind)
    assert "timed out" in timed_out
    assert "onnection" in closed
    assert (kinds[closed], kinds[timed_out]) == (2, 2)


def test_from_another_folder(stub: Stub, tmp_path: Path) -> None:
    done = locust("-f", ROOT / WAVES, "--headless", "--N", 2, "--T", 0, "--R", 2, "-H",
                  f"{stub.url}/", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [each.path for each in stub.received] == [""] * 4


def test_processes_share_the_load(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    done = locust("-f", WAVES, "--headless", "--processes", 2, "--N", 7, "--T", 0.4, "--R", 3,
                  "-H", f"{stub.url}/delay/0.2", "--csv", prefix)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_waves(stub, 7, 0.4, 3)
    assert table(prefix)[:2] == (21, 0)


def test_master_and_workers_share_the_load(stub: Stub, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    port = free_port()
    worker = ("-m", "locust", "-f", WAVES, "--worker", "--master-port", port)
    workers = [start(*worker), start(*worker)]
    master = start("-m", "locust", "-f", WAVES, "--master", "--master-bind-port", port,
                   "--expect-workers", 2, "--headless", *PLAN, "-H", f"{stub.url}/delay/0.2",
                   "--csv", prefix)  # fmt: skip
    done = finish(master)
    assert [finish(each).returncode for each in workers] == [0, 0]
    assert done.returncode == 0, done.stderr
    assert_waves(stub, 6, 0.4, 5)
    result = table(prefix)
    assert (result.requests, result.failures) == (30, 0)
    assert result.p50 == pytest.approx(200, abs=50)


def test_it_agrees_with_the_classic_script(stub: Stub, tmp_path: Path) -> None:
    """The same waves against the same delays, which half of the answers have twice as long."""
    prefix = tmp_path / "run"
    url = stub.follow("delay/0.3", "delay/0.3", "delay/0.6")
    plan = (9, 0.5, 4)
    _, classic = measured("local/run_multiple_tests.py", "-N", plan[0], "-T", plan[1], "-R",
                          plan[2], "--url", url, folder=tmp_path)  # fmt: skip
    done = locust("-f", WAVES, "--headless", "--N", plan[0], "--T", plan[1], "--R", plan[2],
                  "-H", url, "--csv", prefix)  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = table(prefix)
    assert result.requests == classic["requests"] == 36
    assert result.rps == pytest.approx(classic["throughput_rps"], rel=0.1)
    assert result.p50 == pytest.approx(classic["latency_ms"]["p50"], rel=0.1)
    assert result.p99 == pytest.approx(classic["latency_ms"]["p99"], rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--N", 0), "argument --N: must be 1 or more; it is 0"),
        (("--N", "many"), "argument --N: invalid"),
        (("--T", -1), "argument --T: must be 0 or more; it is -1"),
        (("--R", 0), "argument --R: must be 1 or more; it is 0"),
        (("--image", "no/such.jpg"), "There is no image 'no/such.jpg'."),
    ],
)
def test_what_cannot_be_done(stub: Stub, arguments: tuple[object, ...], message: str) -> None:
    done = locust("-f", WAVES, "--headless", "-H", stub.url, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert stub.received == []
