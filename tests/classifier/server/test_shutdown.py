"""Asked to end while it works, the service ends its work first."""

import re
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.classifier.server.clients import Clients, image, request
from tests.support import raw
from tests.support.held import HeldServer, serving_held
from tests.support.metrics import Scrape
from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS, wait_until

CLIENTS = 12

with_both_signals = pytest.mark.parametrize(
    "ask", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"]
)


@with_both_signals
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_no_accepted_request_is_lost(
    tmp_path: Path, sample: bytes, ask: signal.Signals, options: tuple[str, ...]
) -> None:
    """Given clients that send one request after the other, each on a connection of its own: all
    that were sent are answered, those after it are not accepted, and the status is 0."""
    statuses: list[int] = []

    def send(url: str) -> None:
        with httpx.Client(timeout=HANG_SECONDS) as client:
            while True:
                try:
                    headers = {"connection": "close"}
                    response = client.post(url, files={"file": sample}, headers=headers)
                except httpx.TransportError:
                    return
                statuses.append(response.status_code)

    limits = {"HEAD_SECONDS": "3600", "BODY_SECONDS": "3600"}  # however slow the clients are
    with (
        ThreadPoolExecutor(CLIENTS) as clients,
        serving(tmp_path / "log", *options, **limits) as server,
    ):
        for _ in range(CLIENTS):
            clients.submit(send, server.url)
        wait_until(lambda: len(statuses) > 2 * CLIENTS, "answers to some requests")
        server.process.send_signal(ask)
        assert server.process.wait(timeout=HANG_SECONDS) == 0
    assert set(statuses) == {200}
    with pytest.raises(httpx.ConnectError):
        server.client.get("/healthz")
    # What the system had taken and the server had not is no accepted request: it is not logged.
    answered = len(re.findall(r'"method":"POST".*"status":200', server.log.read_text()))
    assert answered == len(statuses)


@with_both_signals
def test_what_waits_is_done_too(tmp_path: Path, ask: signal.Signals) -> None:
    """Given nine requests that wait behind one of three images, and a connection that was accepted
    and has not sent its request: no other connection is accepted before they are done."""
    with (
        serving_held(tmp_path / "log", THREADS="1", QUEUE="100") as server,
        Clients(server.url) as clients,
    ):
        waiting = [clients.post(image(0), image(1), image(2))]
        server.gate.next()
        waiting += [clients.post(image(number)) for number in range(3, 12)]
        wait_until(lambda: Scrape(server.client).in_flight == 10, "ten accepted requests")
        new = clients.connect()
        wait_until(lambda: has_accepted(server, new), "an accepted connection")

        server.process.send_signal(ask)
        wait_until(lambda: refuses_connections(server), "a closed listener")
        new.sendall(request(image(12)))
        assert not any(map(raw.is_readable, waiting))
        assert server.process.poll() is None

        server.gate.open()
        assert [raw.status(raw.answer(each)) for each in [*waiting, new]] == [200] * 11
        assert server.process.wait(timeout=HANG_SECONDS) == 0


@with_both_signals
def test_each_worker_ends_its_work_first(tmp_path: Path, ask: signal.Signals) -> None:
    """Given two processes, each of which classifies an image."""
    shared = tmp_path / "metrics"
    shared.mkdir()
    with (
        serving_held(
            *(tmp_path / "log", "--workers", "2"),
            THREADS="1",
            PROMETHEUS_MULTIPROC_DIR=str(shared),
        ) as server,
        Clients(server.url) as clients,
    ):
        waiting = hold_in_two_processes(server, lambda: clients.post(image(0)))
        wait_until(lambda: Scrape(server.client).in_flight == len(waiting), "accepted requests")

        server.process.send_signal(ask)
        wait_until(
            lambda: server.log.read_text().count("Waiting for connections to close") == 2,
            "two workers that wait for their requests",
        )
        assert not any(map(raw.is_readable, waiting))
        assert server.process.poll() is None

        server.gate.open()
        assert {raw.status(raw.answer(each)) for each in waiting} == {200}
        assert server.process.wait(timeout=HANG_SECONDS) == 0


def test_clients_that_dawdle_do_not_keep_it(tmp_path: Path) -> None:
    """Given half a head, half a body and an idle connection: it waits for the body's time, and not
    for the head's."""
    with (
        serving(tmp_path / "log", BODY_SECONDS="2", HEAD_SECONDS="3600") as server,
        Clients(server.url) as clients,
    ):
        idle, head, body = (clients.connect() for _ in range(3))
        idle.sendall(raw.get("/healthz"))
        assert raw.status(raw.one_answer(idle)) == 200
        head.sendall(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: has_accepted(server, head), "an accepted connection")
        body.sendall(raw.post("image/png", "Content-Length: 1000") + b"x")

        def has_accepted_body() -> bool:
            scrape = Scrape(server.client)
            return scrape.in_flight + scrape.answered(408) == 1

        wait_until(has_accepted_body, "an accepted head")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=HANG_SECONDS) == 0
        assert raw.answer(idle) == b""
        assert raw.status(raw.answer(head)) == 408
        assert raw.status(raw.answer(body)) == 408


def has_accepted(server: Server, connection: socket.socket) -> bool:
    """Whether the process has taken the connection from the system's queue."""
    ours = connection.getsockname()
    connections = psutil.Process(server.process.pid).net_connections()
    return any(each.raddr == ours for each in connections)


def refuses_connections(server: Server) -> bool:
    address = httpx.URL(server.url)
    try:
        with socket.create_connection((address.host, address.port or 80), timeout=HANG_SECONDS):
            return False
    except ConnectionRefusedError:
        return True


def hold_in_two_processes(
    server: HeldServer, post: Callable[[], socket.socket]
) -> list[socket.socket]:
    """The connections of as many requests as it takes until two processes hold an image: the
    system decides which of them accepts a connection."""
    posted = [post()]
    processes = {server.gate.next().process}
    while len(processes) < 2:
        posted.append(post())
        if server.gate.is_reached_within(0.2):
            processes.add(server.gate.next().process)
    return posted
