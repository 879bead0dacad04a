"""A real server for the tests to talk to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest

from local.emulator import free_port
from tests.s3 import s3_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "local" / "sample.jpg"
START_SECONDS = 60

# What a shell starts in the background ignores Ctrl-C, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Server:
    """A running uvicorn: `url` ends without a slash, `log` holds its output."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def serving(
    log: Path, *options: str, app: str = "main:app", **environment: str
) -> Iterator[Server]:
    """uvicorn with `options` on a free loopback port, with `environment` beside this process's
    own."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", "function", app, *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until_healthy(server)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_healthy(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended: {server.log.read_text()}")
        try:
            httpx.get(f"{server.url}/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no answer in {START_SECONDS} s: {server.log.read_text()}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as session:
        yield session


@pytest.fixture(scope="session")
def s3_environment() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture
def s3(s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> "S3Client":
    """A client of an S3 server over real HTTP; the environment leads the service to it, too."""
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3")


@pytest.fixture
def bucket(s3: "S3Client", s3_environment: dict[str, str]) -> Iterator[str]:
    """The name of an empty bucket."""
    location = {"LocationConstraint": s3_environment["AWS_DEFAULT_REGION"]}
    s3.create_bucket(Bucket="images", CreateBucketConfiguration=location)
    yield "images"
    for found in s3.list_objects_v2(Bucket="images").get("Contents", []):
        s3.delete_object(Bucket="images", Key=found["Key"])
    s3.delete_bucket(Bucket="images")


@pytest.fixture(scope="session")
def sample() -> bytes:
    return SAMPLE.read_bytes()
