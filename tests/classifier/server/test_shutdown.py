"""Shutdown: the service finishes accepted requests first."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.classifier.server.clients import Clients, image, request
from tests.support import raw
from tests.support.gate import GatedServer, serving_gated
from tests.support.metrics import Scrape
from tests.support.paths import ROOT
from tests.support.server import (
    SERVER_COMMAND,
    Server,
    server_environment,
    serving,
    serving_by_command,
)
from tests.support.wait import HANG_SECONDS, wait_until

CLIENTS = 12

with_both_signals = pytest.mark.parametrize(
    "stop_signal", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"]
)


@with_both_signals
@pytest.mark.parametrize(
    "serve",
    [
        serving,
        lambda log, **environment: serving(log, "--workers", "2", **environment),
        lambda log, **environment: serving_by_command(log, WEB_CONCURRENCY="2", **environment),
    ],
    ids=["one process", "two workers", "two workers with a socket each"],
)
def test_no_accepted_request_is_lost(
    tmp_path: Path,
    sample: bytes,
    stop_signal: signal.Signals,
    serve: Callable[..., AbstractContextManager[Server]],
) -> None:
    """Given clients that send request after request, each on a new connection: every accepted one
    gets its response, later connections are refused, and the exit status is 0."""
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

    limits = {"HEAD_SECONDS": "3600", "BODY_SECONDS": "3600"}  # the clients may be slow
    with (
        ThreadPoolExecutor(CLIENTS) as clients,
        serve(tmp_path / "log", **limits) as server,
    ):
        for _ in range(CLIENTS):
            clients.submit(send, server.url)
        wait_until(lambda: len(statuses) > 2 * CLIENTS, "responses to some requests")
        server.process.send_signal(stop_signal)
        assert server.process.wait(timeout=HANG_SECONDS) == 0
    assert set(statuses) == {200}
    with pytest.raises(httpx.ConnectError):
        server.client.get("/healthz")
    # Connections that were in the system's queue only were not accepted, and are not logged.
    logged = len(re.findall(r'"method":"POST".*"status":200', server.log.read_text()))
    assert logged == len(statuses)


@with_both_signals
def test_queued_requests_finish_before_shutdown(
    tmp_path: Path, stop_signal: signal.Signals
) -> None:
    """Given a blocked request of three images, nine queued requests, and an accepted connection
    that has not sent its request: all get responses, and no other connection is accepted."""
    with (
        serving_gated(tmp_path / "log", THREADS="1", QUEUE="100") as server,
        Clients(server.url) as clients,
    ):
        waiting = [clients.post(image(0), image(1), image(2))]
        server.gate.next()
        waiting += [clients.post(image(number)) for number in range(3, 12)]
        wait_until(lambda: Scrape(server.client).in_flight == 10, "ten accepted requests")
        new = clients.connect()
        wait_until(lambda: has_accepted(server, new), "an accepted connection")

        server.process.send_signal(stop_signal)
        wait_until(lambda: refuses_connections(server), "a closed listener")
        new.sendall(request(image(12)))
        assert not any(map(raw.is_readable, waiting))
        assert server.process.poll() is None

        server.gate.open()
        assert [raw.status(raw.response(client)) for client in [*waiting, new]] == [200] * 11
        assert server.process.wait(timeout=HANG_SECONDS) == 0


@with_both_signals
def test_each_worker_finishes_its_requests_before_shutdown(
    tmp_path: Path, stop_signal: signal.Signals
) -> None:
    """Given two processes, each of which classifies an image."""
    shared = tmp_path / "metrics"
    shared.mkdir()
    with (
        serving_gated(
            *(tmp_path / "log", "--workers", "2"),
            THREADS="1",
            PROMETHEUS_MULTIPROC_DIR=str(shared),
        ) as server,
        Clients(server.url) as clients,
    ):
        wait_until(
            lambda: server.log.read_text().count("Application startup complete") == 2,
            "two workers that serve",
        )
        waiting = block_two_processes(server, lambda: clients.post(image(0)))
        wait_until(lambda: Scrape(server.client).in_flight == len(waiting), "accepted requests")

        server.process.send_signal(stop_signal)
        wait_until(
            lambda: server.log.read_text().count("Waiting for connections to close") == 2,
            "two workers that wait for their requests",
        )
        assert not any(map(raw.is_readable, waiting))
        assert server.process.poll() is None

        server.gate.open()
        assert {raw.status(raw.response(client)) for client in waiting} == {200}
        assert server.process.wait(timeout=HANG_SECONDS) == 0


def test_slow_clients_do_not_delay_shutdown(tmp_path: Path) -> None:
    """Given half a head, half a body and an idle connection, the service waits for BODY_SECONDS,
    not for HEAD_SECONDS."""
    with (
        serving(tmp_path / "log", BODY_SECONDS="2", HEAD_SECONDS="3600") as server,
        Clients(server.url) as clients,
    ):
        idle, head, body = (clients.connect() for _ in range(3))
        idle.sendall(raw.get("/healthz"))
        assert raw.status(raw.one_response(idle)) == 200
        head.sendall(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: has_accepted(server, head), "an accepted connection")
        body.sendall(raw.post("image/png", "Content-Length: 1000") + b"x")

        def has_accepted_body() -> bool:
            scrape = Scrape(server.client)
            return scrape.in_flight + scrape.finished(408) == 1

        wait_until(has_accepted_body, "an accepted head")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=HANG_SECONDS) == 0
        assert raw.response(idle) == b""
        assert raw.status(raw.response(head)) == 408
        assert raw.status(raw.response(body)) == 408


@with_both_signals
def test_signal_during_the_start_ends_the_service(
    tmp_path: Path, stop_signal: signal.Signals
) -> None:
    """Given a model card that does not arrive. The status says that a handler was there: as the
    first process of a container, one without it would ignore the signal."""
    card = tmp_path / "model.json"
    os.mkfifo(card)
    environment = {"MODEL_DIR": str(tmp_path), "WEB_CONCURRENCY": "1"}
    write_ends: list[int] = []

    def is_read() -> bool:
        try:
            write_ends.append(os.open(card, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # no process reads
            return False
        return True

    with subprocess.Popen(
        [*SERVER_COMMAND, "--port", "0"],
        cwd=ROOT / "function",
        env=server_environment(**environment),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(is_read, "a service that opens its model card")
            # A signal between the opening and the reading would not interrupt the reading.
            reading = psutil.Process(process.pid)
            wait_until(lambda: reading.status() == psutil.STATUS_SLEEPING, "one that reads it")
            process.send_signal(stop_signal)
            _, stderr = process.communicate(timeout=HANG_SECONDS)
        finally:
            process.kill()
    for each in write_ends:
        os.close(each)
    assert process.returncode == 0
    assert "Traceback" not in stderr


def test_second_sigint_ends_requests_without_a_traceback(tmp_path: Path) -> None:
    """Given half a body."""
    with (
        serving(tmp_path / "log", BODY_SECONDS="3600") as server,
        Clients(server.url) as clients,
    ):
        body = clients.connect()
        body.sendall(raw.post("image/png", "Content-Length: 1000") + b"x")
        wait_until(lambda: Scrape(server.client).in_flight == 1, "an accepted head")
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: refuses_connections(server), "a closed listener")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=HANG_SECONDS) == 0
    log = server.log.read_text()
    assert "A request was cancelled" in log
    assert "Traceback" not in log


def has_accepted(server: Server, connection: socket.socket) -> bool:
    """Whether the process has accepted the connection."""
    address = connection.getsockname()
    connections = psutil.Process(server.process.pid).net_connections()
    return any(accepted.raddr == address for accepted in connections)


def refuses_connections(server: Server) -> bool:
    address = httpx.URL(server.url)
    try:
        with socket.create_connection((address.host, address.port or 80), timeout=HANG_SECONDS):
            return False
    except ConnectionRefusedError:
        return True


def block_two_processes(
    server: GatedServer, post: Callable[[], socket.socket]
) -> list[socket.socket]:
    """Send requests until each of two processes classifies an image: the system chooses the process
    that accepts a connection. Returns the connections."""
    posted = [post()]
    processes = {server.gate.next().process}
    while len(processes) < 2:
        posted.append(post())
        if server.gate.is_reached_within(0.2):
            processes.add(server.gate.next().process)
    return posted
