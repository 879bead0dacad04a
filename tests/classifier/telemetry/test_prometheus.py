"""`/metrics`, read with Prometheus's parser."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from classifier.telemetry import prometheus
from tests.support import raw
from tests.support.metrics import Scrape
from tests.support.server import Server, serving, start_refused
from tests.support.wait import HANG_SECONDS, wait_until

NO_PROCESS = 2**22
"""Process ids of Linux are smaller (proc_sys_kernel(5), pid_max). The id of a process that has
ended may be that of a new one."""


def post(server: Server, **files: bytes) -> int:
    """POST a form on a new connection. Returns the status."""
    return server.client.post("/", files=files).status_code


def test_requests_errors_and_durations_are_counted(server: Server, sample: bytes) -> None:
    wait_until(lambda: Scrape(server.client).in_flight == 0, "an idle server")
    before = Scrape(server.client)
    statuses = [post(server, file=sample) for _ in range(3)]
    statuses += [post(server, file=b"none"), post(server, file=b"")]
    after = Scrape(server.client)
    assert statuses == [200, 200, 200, 415, 422]

    def increase(metric: str, **labels: str) -> float:
        return after.total(metric, **labels) - before.total(metric, **labels)

    duration = "request_duration_seconds"
    posts = {"method": "POST", "route": "/"}
    assert increase(f"{duration}_count", **posts, status="2xx") == 3
    assert increase(f"{duration}_count", **posts, status="4xx") == 2
    assert increase(f"{duration}_count", method="GET", route="/metrics", status="2xx") == 1

    assert increase("requests_total", status="200") == 3 + 1  # and the first scrape
    assert increase("requests_total", status="415") == 1
    assert increase("requests_total", status="422") == 1
    assert increase("errors_total", kind="UnsupportedFormat") == 1
    assert increase("errors_total", kind="Upload422") == 1
    assert increase("rejected_total") == 0
    assert (
        increase("decode_duration_seconds_count") == increase("infer_duration_seconds_count") == 3
    )
    assert 0 < increase("decode_duration_seconds_sum") < increase(f"{duration}_sum", **posts)
    assert increase("queue_duration_seconds_count") == 4
    assert increase("images_total", format="jpeg") == 3
    assert after.in_flight == 0
    (model,) = after.samples("classifier_model_info")
    assert model.labels.keys() == {"name", "sha256"}
    assert model.value == 1
    (memory,) = after.samples("process_resident_memory_bytes")
    assert memory.value > 2**20


def test_client_disconnect_is_counted_as_499(server: Server) -> None:
    def counted() -> int:
        return Scrape(server.client).finished(499)

    # An earlier test's may be in flight.
    wait_until(lambda: Scrape(server.client).in_flight == 0, "an idle server")
    before = counted()
    with raw.connection(server.url) as client:
        client.sendall(raw.post("image/png", "Content-Length: 1000") + b"x")
    wait_until(lambda: counted() > before, "a request without a response")
    assert counted() == before + 1


def workers_of(server: Server) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(server.process.pid).children()
        if "spawn_main" in _command_line(child)
    ]


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_metrics_of_all_workers_survive_a_killed_worker(tmp_path: Path, sample: bytes) -> None:
    """Given two workers, one of which is killed: the other keeps serving, a new one starts, and
    no count is lost."""
    shared = tmp_path / "metrics"
    shared.mkdir()
    # Long, so that uvicorn does not kill a worker that is merely slow. If a worker is killed
    # during a health check, uvicorn notices only after this time.
    options = ("--workers", "2", "--timeout-worker-healthcheck", str(HANG_SECONDS // 2))

    def started() -> int:
        return server.log.read_text().count("Application startup complete")

    def sums() -> tuple[int, int, int]:
        scrape = Scrape(server.client)
        models = scrape.samples("classifier_model_info")
        return scrape.decoded, scrape.in_flight, len(models)

    with serving(tmp_path / "log", *options, PROMETHEUS_MULTIPROC_DIR=str(shared)) as server:
        wait_until(lambda: started() == 2, "two workers")
        # Each request may go to either worker.
        assert {post(server, file=sample) for _ in range(10)} == {200}
        first, second = workers_of(server)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=HANG_SECONDS)
        assert {post(server, file=sample) for _ in range(10)} == {200}
        wait_until(lambda: started() == 3, "another worker")
        (_,) = set(workers_of(server)) - {first, second}
        assert second in workers_of(server)
        # A worker may count a request after the client has its response.
        wait_until(lambda: sums() == (20, 0, 1), "the sums of both workers")
    assert server.process.returncode == 0


def test_gauges_of_running_workers_are_kept_without_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given gauges of a running process and of one that has ended, and no /proc, as on macOS."""
    running = tmp_path / f"gauge_livesum_{os.getpid()}.db"
    dead = tmp_path / f"gauge_livesum_{NO_PROCESS}.db"
    running.touch()
    dead.touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(Path, "exists", lambda path: False)
    prometheus._remove_dead_gauges(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [running.name]


def test_missing_metrics_directory_refuses_to_start(tmp_path: Path) -> None:
    line = start_refused(PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "none"))
    assert "PROMETHEUS_MULTIPROC_DIR must be a directory" in line
