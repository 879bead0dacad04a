"""Draining: after SIGTERM, the service is not ready, but serves until DRAIN_SECONDS are over."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from uvicorn.config import Config
from uvicorn.server import Server as Uvicorn

from classifier.images import UNLIMITED
from classifier.server.admission import Admission
from classifier.server.draining import SAME_SIGNAL_SECONDS, drain_on_sigterm
from classifier.server.readiness import Readiness
from tests.classifier.api.problem import assert_problem
from tests.classifier.server.clients import Clients, image, request
from tests.support import raw
from tests.support.gate import serving_gated
from tests.support.server import Server, serving, serving_by_command
from tests.support.wait import HANG_SECONDS, wait_until

LONG = str(2 * HANG_SECONDS)
"""Draining that only a second signal ends"""

MANY = 40
"""Connections: so many that, by chance, each of two workers gets some"""

Serve = Callable[..., AbstractContextManager[Server]]


def two_workers(log: Path, **environment: str) -> AbstractContextManager[Server]:
    return serving_by_command(log, WEB_CONCURRENCY="2", **environment)


def with_h11(log: Path, **environment: str) -> AbstractContextManager[Server]:
    return serving(log, "--http", "h11", **environment)


every_command = pytest.mark.parametrize(
    "serve",
    [serving, with_h11, serving_by_command, two_workers],
    ids=["uvicorn main:app", "with h11", "the command", "two workers"],
)


def readiness(server: Server) -> set[int]:
    """The statuses of /readyz over new connections."""
    return {server.client.get("/readyz").status_code for _ in range(MANY)}


def end(server: Server) -> None:
    """Send the second signal, so late that it is not taken for the first. The service drains."""
    time.sleep(SAME_SIGNAL_SECONDS)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=HANG_SECONDS) == 0


@every_command
def test_service_that_drains_is_not_ready_and_serves(
    tmp_path: Path, sample: bytes, serve: Serve
) -> None:
    with (
        serve(tmp_path / "log", DRAIN_SECONDS=LONG, KEEP_ALIVE_SECONDS=LONG) as server,
        httpx.Client(base_url=server.url, timeout=HANG_SECONDS) as early,
    ):
        assert early.get("/livez").headers.get("connection") is None
        assert readiness(server) == {200}
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: readiness(server) == {503}, "a service that is not ready")
        refused = server.client.get("/readyz")
        assert_problem(refused, 503, "is shutting down")
        assert refused.headers["retry-after"] == "1"
        for client in (early, server.client):
            response = client.post("/", files={"file": sample})
            assert response.status_code == 200
            assert response.headers["connection"] == "close"
        for path in ("/livez", "/healthz"):
            assert server.client.get(path).status_code == 200
        end(server)


def test_draining_ends_by_itself_and_accepted_requests_finish(tmp_path: Path) -> None:
    """Given a request that arrives while the service drains, and finishes afterwards. Its
    connection is older: a slow client could open one too late."""
    seconds = 1
    with (
        serving_gated(tmp_path / "log", THREADS="1", DRAIN_SECONDS=str(seconds)) as server,
        Clients(server.url) as clients,
    ):
        accepted = clients.connect()
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        accepted.sendall(request(image(0)))
        server.gate.next()
        wait_until(lambda: not listens(server), "a closed listener")
        assert time.monotonic() - start >= seconds
        assert server.process.poll() is None
        server.gate.open()
        assert raw.status(raw.response(accepted)) == 200
        assert server.process.wait(timeout=HANG_SECONDS) == 0


@pytest.mark.parametrize("serve", [serving, two_workers], ids=["one process", "two workers"])
def test_sigint_ends_without_draining(tmp_path: Path, serve: Serve) -> None:
    with serve(tmp_path / "log", DRAIN_SECONDS=LONG) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=HANG_SECONDS) == 0


@contextmanager
def running_uvicorn() -> Iterator[Uvicorn]:
    """A server that has set its handlers of signals, in a loop that runs."""
    server = Uvicorn(Config("main:app"))
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        for each in handlers:
            signal.signal(each, server.handle_exit)
        yield server
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


def test_signal_right_after_the_first_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd signals all processes, and the supervisor then signals its workers again."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    ready = Readiness(Admission(lambda: 0, UNLIMITED, limit=1))

    async def scenario(server: Uvicorn) -> None:
        nonlocal now
        drain_on_sigterm(ready, 3600)
        for later in (0.0, SAME_SIGNAL_SECONDS / 2):
            now = 100.0 + later
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0)
            assert ready.draining
            assert not server.should_exit
        now = 100.0 + SAME_SIGNAL_SECONDS
        signal.raise_signal(signal.SIGTERM)
        assert server.should_exit

    with running_uvicorn() as server:
        asyncio.run(scenario(server))


def test_without_the_setting_the_handler_is_uvicorns() -> None:
    async def scenario() -> None:
        drain_on_sigterm(Readiness(Admission(lambda: 0, UNLIMITED, limit=1)), 0)

    with running_uvicorn() as server:
        asyncio.run(scenario())
        assert signal.getsignal(signal.SIGTERM) == server.handle_exit


def listens(server: Server) -> bool:
    try:
        server.client.get("/livez")
    except httpx.TransportError:
        return False
    return True
