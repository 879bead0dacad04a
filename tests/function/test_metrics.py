"""`/metrics`, read with Prometheus's own parser."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.function.test_start import assert_refused, start
from tests.support import raw
from tests.support.server import Server, serving

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(server: Server) -> Samples:
    text = httpx.get(f"{server.url}/metrics").raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, metric: str, **labels: str) -> float:
    return samples.get((f"classifier_{metric}", frozenset(labels.items())), 0)


def test_what_is_counted(tmp_path: Path, sample: bytes) -> None:
    with serving(tmp_path / "log") as server:
        before = scrape(server)
        for _ in range(3):
            assert httpx.post(server.url, files={"file": sample}).status_code == 200
        httpx.post(server.url, files={"file": b"none"})
        httpx.post(server.url, files={"other": b"none"})
        after = scrape(server)

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
    assert value(after, "in_flight") == 1  # the scrape itself
    (model,) = [labels for name, labels in after if name == "classifier_model_info"]
    assert dict(model).keys() == {"name", "sha256"}
    assert value(after, "model_info", **dict(model)) == 1
    assert after["process_resident_memory_bytes", frozenset()] > 2**20


def test_a_client_that_goes_away_is_counted(tmp_path: Path) -> None:
    with serving(tmp_path / "log") as server:
        with raw.connection(server.url) as leaving:
            leaving.sendall(raw.post("image/png", "Content-Length: 1000") + b"x")
        deadline = time.monotonic() + 5
        while not value(scrape(server), "requests_total", status="499"):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def workers_of(server: Server) -> list[psutil.Process]:
    return [
        each
        for each in psutil.Process(server.process.pid).children()
        if "spawn_main" in " ".join(each.cmdline())
    ]


def test_workers_count_together_and_one_that_is_killed_is_replaced(
    tmp_path: Path, sample: bytes
) -> None:
    """Given two workers, of which one is killed: the other goes on, another one comes, and
    nothing that was counted is lost."""
    shared = tmp_path / "metrics"
    shared.mkdir()
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(shared)}
    with serving(tmp_path / "log", "--workers", "2", **environment) as server:
        deadline = time.monotonic() + 60
        while server.log.read_text().count("Application startup complete") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for _ in range(10):  # each on a connection of its own, for whichever worker takes it
            assert httpx.post(server.url, files={"file": sample}).status_code == 200
        first, second = workers_of(server)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=5)
        for _ in range(10):
            assert httpx.post(server.url, files={"file": sample}, timeout=10).status_code == 200
        while len(set(workers_of(server)) - {first, second}) < 1 or (
            server.log.read_text().count("Application startup complete") < 3
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert second in workers_of(server)
        samples = scrape(server)
        assert value(samples, "decode_seconds_count") == 20
        assert value(samples, "in_flight") == 1
        assert len([name for name, _ in samples if name == "classifier_model_info"]) == 1
    assert server.process.returncode == 0


def test_a_directory_for_shared_metrics_that_is_missing(tmp_path: Path) -> None:
    refused = start(PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "none"))
    assert_refused(refused, "PROMETHEUS_MULTIPROC_DIR must be a directory")
