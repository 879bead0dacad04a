"""Malformed and malicious image files get a response with a reason, and the server keeps serving.
tests/measure/images.py measures the time and memory that they take."""

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

# Pillow warns while it makes the corpus.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

every_maker = pytest.mark.parametrize("make", corpus.MAKERS, ids=lambda make: make.__name__)


@pytest.fixture(scope="module")
def lenient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps connections open while the next file is made."""
    log = tmp_path_factory.mktemp("hostile") / "log"
    timeout = str(HANG_SECONDS)
    with serving(
        log, "--timeout-keep-alive", timeout, HEAD_SECONDS=timeout, BODY_SECONDS=timeout
    ) as server:
        yield server


def problem_with(response: httpx.Response) -> str:
    """The defect of a response to an image file; empty if there is none."""
    if response.status_code not in STATUSES:
        return f"status {response.status_code}"
    result = response.json()
    if response.status_code == 200:
        return "" if result["predictions"] else "no predictions"
    if result["status"] != response.status_code or not result["title"] or not result["detail"]:
        return f"no reason: {result}"
    return ""


def assert_reasons(server: Server, files: corpus.Files, connections: int) -> None:
    """Send `files`, with at most one file per connection in memory."""
    sent: list[tuple[str, str]] = []
    next_file = Lock()

    def send() -> None:
        with httpx.Client(base_url=server.url, timeout=HANG_SECONDS) as client:
            while True:
                with next_file:
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
def test_selected_malformed_files_get_a_reason(lenient_server: Server, make: corpus.Maker) -> None:
    assert_reasons(lenient_server, corpus.selection(make), connections=1)


@pytest.mark.slow
@every_maker
def test_every_malformed_file_gets_a_reason(lenient_server: Server, make: corpus.Maker) -> None:
    assert_reasons(lenient_server, make(), connections=3)


def test_server_classifies_after_malformed_files(lenient_server: Server, sample: bytes) -> None:
    response = httpx.post(lenient_server.url, content=sample, headers=PNG, timeout=HANG_SECONDS)
    assert response.status_code == 200
    assert response.json()["predictions"][0]["label"] == SAMPLE_LABEL
