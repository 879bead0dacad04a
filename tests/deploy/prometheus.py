"""A real Prometheus with the project's rules, which reads a real service."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.deploy.manifests import DEPLOY, read
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.wait import HANG_SECONDS, wait_until


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus; `url` has no trailing slash."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query. Raises `AssertionError` with Prometheus's message if it
        cannot be evaluated."""
        response = httpx.get(
            f"{self.url}/api/v1/query", params={"query": expression}, timeout=HANG_SECONDS
        )
        body = response.json()
        assert body["status"] == "success", body["error"]
        series: list[dict[str, Any]] = body["data"]["result"]
        return series

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, as soon as there are any. Groups of rules are evaluated
        at different times, and a reading that takes longer than its interval ends all series until
        the next one."""
        found: list[dict[str, Any]] = []

        def has_series() -> bool:
            found[:] = self.query(expression)
            return bool(found)

        wait_until(has_series, f"series of {expression}")
        return found


@contextmanager
def watching(folder: Path, *services: Server) -> Iterator[Prometheus]:
    """The configuration in deploy/prometheus, but for the targets and for the intervals, which are
    short: two readings are enough for a rate."""
    configuration = read(DEPLOY / "prometheus" / "prometheus.yml")
    configuration["global"] = {"scrape_interval": "250ms", "evaluation_interval": "500ms"}
    configuration["rule_files"] = [str(DEPLOY / "prometheus" / "rules" / "*.yml")]
    (job,) = configuration["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [
        {"targets": [service.url.removeprefix("http://") for service in services]}
    ]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    prometheus = Prometheus(f"http://127.0.0.1:{port}")

    def is_ready() -> bool:
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        try:
            ready = httpx.get(f"{prometheus.url}/-/ready", timeout=HANG_SECONDS)
            return ready.status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(is_ready, "a ready Prometheus")
        yield prometheus
    finally:
        process.terminate()
        process.wait(timeout=HANG_SECONDS)
