"""Fixtures of all tests, and a summary of skipped tests."""

import asyncio
import gc
import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest

from tests.support.paths import SAMPLE
from tests.support.s3 import s3_server
from tests.support.server import Server, serving
from tests.support.stub import Stub, serving_stub

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Processes that a shell starts in the background ignore SIGINT, and their children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Clients ask the servers of tests themselves, also where the environment names a proxy.
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, (os.environ.get(_name), "127.0.0.1", "localhost")))

# The tests have an AWS of their own, whatever profile, keys and endpoints the environment names.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each reason for skipped tests: the missing tool and the command that installs it."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")


@pytest.fixture(scope="module", autouse=True)
def leaks_are_found_in_their_file() -> Iterator[None]:
    """What a file's tests leave open fails there, not in a file that runs later and collects it."""
    yield
    asyncio.set_event_loop(None)
    gc.collect()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> httpx.Client:
    return server.client


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server with known delays and failures."""
    with serving_stub() as running:
        yield running


@pytest.fixture(scope="session")
def s3_environment() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture
def s3(s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> "S3Client":
    """A client of an S3 server over real HTTP; the environment points the service to it, too."""
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3")


@pytest.fixture
def bucket(s3: "S3Client") -> Iterator[str]:
    """The name of an empty bucket."""
    s3.create_bucket(
        Bucket="images", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    yield "images"
    for found in s3.list_objects_v2(Bucket="images").get("Contents", []):
        s3.delete_object(Bucket="images", Key=found["Key"])
    s3.delete_bucket(Bucket="images")


@pytest.fixture(scope="session")
def sample() -> bytes:
    return SAMPLE.read_bytes()
