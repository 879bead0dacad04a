"""`/metrics`, read with Prometheus's own parser."""

import signal
from collections.abc import Mapping
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.support import raw
from tests.support.server import Server, serving, start_refused
from tests.support.wait import HANG_SECONDS, wait_until

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(server: Server) -> Samples:
    text = server.client.get("/metrics").raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, metric: str, **labels: str) -> float:
    return samples.get((f"classifier_{metric}", frozenset(labels.items())), 0)


def post(server: Server, **files: bytes) -> int:
    """A POST of a form, on a connection of its own; its status."""
    return server.client.post("/", files=files).status_code


def test_what_is_counted(server: Server, sample: bytes) -> None:
    scrape_itself = 1
    wait_until(lambda: value(scrape(server), "in_flight") == scrape_itself, "an idle server")
    before = scrape(server)
    statuses = [post(server, file=sample) for _ in range(3)]
    statuses += [post(server, file=b"none"), post(server, other=b"none")]
    after = scrape(server)
    assert statuses == [200, 200, 200, 415, 422]

    def grown(metric: str, **labels: str) -> float:
        return value(after, metric, **labels) - value(before, metric, **labels)

    assert grown("requests_total", status="200") == 3 + 1  # and the first scrape
    assert grown("requests_total", status="415") == 1
    assert grown("requests_total", status="422") == 1
    assert grown("errors_total", kind="UnsupportedFormat") == 1
    assert grown("errors_total", kind="Upload422") == 1
    assert grown("rejected_total") == 0
    assert grown("decode_seconds_count") == grown("infer_seconds_count") == 3
    assert 0 < grown("decode_seconds_sum") < grown("request_seconds_sum")
    assert grown("queue_seconds_count") == 4
    assert grown("request_seconds_count") == 6
    assert value(after, "in_flight") == scrape_itself
    (model,) = [labels for name, labels in after if name == "classifier_model_info"]
    assert dict(model).keys() == {"name", "sha256"}
    assert value(after, "model_info", **dict(model)) == 1
    assert after["process_resident_memory_bytes", frozenset()] > 2**20


def test_a_client_that_goes_away_is_counted(server: Server) -> None:
    def counted() -> float:
        return value(scrape(server), "requests_total", status="499")

    before = counted()
    with raw.connection(server.url) as leaving:
        leaving.sendall(raw.post("image/png", "Content-Length: 1000") + b"x")
    wait_until(lambda: counted() > before, "a request without an answer")
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


def test_workers_count_together_and_one_that_is_killed_is_replaced(
    tmp_path: Path, sample: bytes
) -> None:
    """Given two workers, of which one is killed: the other goes on, another one comes, and
    nothing that was counted is lost."""
    shared = tmp_path / "metrics"
    shared.mkdir()
    # A worker that a busy machine keeps waiting is not to be taken for a dead one. But where it
    # is killed during a check, uvicorn notices when the check's time is over.
    options = ("--workers", "2", "--timeout-worker-healthcheck", str(HANG_SECONDS // 2))

    def started() -> int:
        return server.log.read_text().count("Application startup complete")

    def sums() -> tuple[float, float, int]:
        samples = scrape(server)
        models = [name for name, _ in samples if name == "classifier_model_info"]
        counted = value(samples, "decode_seconds_count")
        return counted, value(samples, "in_flight"), len(models)

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
        # A worker may still be busy with the end of a request whose answer has come.
        wait_until(lambda: sums() == (20, 1, 1), "the sums of both workers")
    assert server.process.returncode == 0


def test_a_directory_for_shared_metrics_that_is_missing(tmp_path: Path) -> None:
    line = start_refused(PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "none"))
    assert "PROMETHEUS_MULTIPROC_DIR must be a directory" in line
