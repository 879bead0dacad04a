"""Asked to end while it works, the service ends its work first."""

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support import raw
from tests.support.server import serving

CLIENTS = 12


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_no_accepted_request_is_lost(
    tmp_path: Path, sample: bytes, ask: signal.Signals, options: tuple[str, ...]
) -> None:
    """Given clients that send one request after the other, each on a connection of its own: all
    that were sent are answered, those after it are not accepted, and the status is 0."""
    statuses: list[int] = []
    latest = time.monotonic() + 60

    def send() -> None:
        while time.monotonic() < latest:
            with httpx.Client(timeout=30) as client:
                try:
                    answer = client.post(server.url, files={"file": sample})
                    statuses.append(answer.status_code)
                except httpx.TransportError:
                    return

    with serving(tmp_path / "log", *options) as server, ThreadPoolExecutor(CLIENTS) as clients:
        for _ in range(CLIENTS):
            clients.submit(send)
        time.sleep(1)
        before = len(statuses)
        start = time.monotonic()
        server.process.send_signal(ask)
        assert server.process.wait(timeout=20) == 0
        took = time.monotonic() - start
    assert before > 0
    assert len(statuses) > before
    assert set(statuses) == {200}
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)
    assert took < 10
    # What the system had taken and the server had not is no accepted request: it is not logged.
    answered = len(re.findall(r'"method":"POST".*"status":200', server.log.read_text()))
    assert answered == len(statuses)


def test_what_waits_is_done_too(tmp_path: Path, slow_image: bytes) -> None:
    """Given nine requests that wait behind one of twenty images."""

    def post(images: int) -> int:
        return client.post(server.url, files=[("file", slow_image)] * images).status_code

    def wait_for(requests: int) -> None:
        scrape = 1
        expected = f"classifier_in_flight {requests + scrape}.0"
        while expected not in client.get(f"{server.url}/metrics").text:
            assert not posts[0].done()

    with (
        serving(tmp_path / "log", THREADS="1", QUEUE="100") as server,
        httpx.Client(timeout=60) as client,
        ThreadPoolExecutor(10) as threads,
    ):
        posts = [threads.submit(post, 20)]
        wait_for(1)
        posts += [threads.submit(post, 1) for _ in range(9)]
        wait_for(10)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url)
        assert not posts[0].done()
        assert [each.result() for each in posts] == [200] * 10
        assert server.process.wait(timeout=20) == 0


def test_clients_that_dawdle_do_not_keep_it(tmp_path: Path) -> None:
    """Given half a head, half a body and an idle connection: it waits for the body's time."""
    with (
        serving(tmp_path / "log", BODY_SECONDS="2") as server,
        raw.connection(server.url) as idle,
        raw.connection(server.url) as head,
        raw.connection(server.url) as body,
    ):
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: service\r\n\r\n")
        assert raw.status(idle.recv(65536)) == 200
        head.sendall(b"GET / HTTP/1.1\r\n")
        body.sendall(raw.post("image/png", "Content-Length: 1000") + b"x")
        time.sleep(0.2)
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=20) == 0
        assert time.monotonic() - start < 5
        assert raw.status(raw.answer(body)) == 408
