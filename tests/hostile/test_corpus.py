"""Malformed and malicious image files get a response that says what is wrong, and the server goes
on. What reading them costs is measured by tests/measure/images.py."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Final

import httpx
import pytest

from tests.hostile import corpus
from tests.support.pictures import SAMPLE_LABEL
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS

STATUSES: Final = {200, 413, 415, 422}
PNG: Final = {"content-type": "image/png"}

# Pillow remarks on what the corpus is made of.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

every_maker = pytest.mark.parametrize("make", corpus.MAKERS, ids=lambda make: make.__name__)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that closes no connection while the next file is made, however long that takes."""
    log = tmp_path_factory.mktemp("hostile") / "log"
    guard = str(HANG_SECONDS)
    with serving(
        log, "--timeout-keep-alive", guard, HEAD_SECONDS=guard, BODY_SECONDS=guard
    ) as server:
        yield server


def problem_with(response: httpx.Response) -> str:
    """What is wrong with a response to an image file; empty if nothing is."""
    if response.status_code not in STATUSES:
        return f"status {response.status_code}"
    told = response.json()
    if response.status_code == 200:
        return "" if told["predictions"] else "no predictions"
    if told["status"] != response.status_code or not told["title"] or not told["detail"]:
        return f"no reason: {told}"
    return ""


def assert_reasons(server: Server, files: corpus.Files, connections: int) -> None:
    """Sends `files`, of which no more are in memory than there are connections."""
    sent: list[tuple[str, str]] = []
    taking = Lock()

    def send() -> None:
        with httpx.Client(base_url=server.url, timeout=HANG_SECONDS) as client:
            while True:
                with taking:
                    file = next(files, None)
                if file is None:
                    return
                name, data = file
                sent.append((name, problem_with(client.post("/", content=data, headers=PNG))))

    with ThreadPoolExecutor(connections) as pool:
        for sending in [pool.submit(send) for _ in range(connections)]:
            sending.result()
    assert sent
    assert not [(name, problem) for name, problem in sent if problem]


@every_maker
def test_a_malformed_file_gets_a_response_that_says_why(
    lasting: Server, make: corpus.Maker
) -> None:
    assert_reasons(lasting, corpus.selection(make), connections=1)


@pytest.mark.slow
@every_maker
def test_every_malformed_file_gets_a_response_that_says_why(
    lasting: Server, make: corpus.Maker
) -> None:
    assert_reasons(lasting, make(), connections=3)


def test_the_server_classifies_after_all_that(lasting: Server, sample: bytes) -> None:
    response = httpx.post(lasting.url, content=sample, headers=PNG, timeout=HANG_SECONDS)
    assert response.status_code == 200
    assert response.json()["predictions"][0]["label"] == SAMPLE_LABEL
