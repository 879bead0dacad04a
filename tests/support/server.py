"""Starts the service with a real uvicorn."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import httpx

from tests.support.paths import ROOT
from tests.support.wait import HANG_SECONDS, wait_until

SERVER_COMMAND: Final = (sys.executable, "-m", "classifier.server")

_DEFAULTS: Final = {
    # Tests that read until the server closes the connection wait so long.
    "KEEP_ALIVE_SECONDS": "5",
    # On a busy machine, a client sends a request long after it has connected.
    "HEAD_SECONDS": str(HANG_SECONDS // 2),
    "BODY_SECONDS": str(HANG_SECONDS // 2),
    # uvicorn's supervisor does not replace a worker that is merely slow.
    "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": str(HANG_SECONDS // 2),
}

_ADDRESS: Final = re.compile(r"Uvicorn running on (https?://\S+) \(")


@dataclass
class Server:
    """A running uvicorn: `url` has no trailing slash, `log` contains its output."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @cached_property
    def client(self) -> httpx.Client:
        """A client that opens a connection for each request, so that none is sent over a
        connection that the server is closing."""
        return httpx.Client(
            base_url=self.url,
            timeout=HANG_SECONDS,
            verify=False,  # plain HTTP: loading the certificates takes longer than a request
            limits=httpx.Limits(max_keepalive_connections=0),
        )


@contextmanager
def serving(
    log: Path, *options: str, app: str = "main:app", folder: str = "", **environment: str
) -> Iterator[Server]:
    """uvicorn with `options` on a free loopback port, with `environment` added to the environment
    of this process. It is started in the root, or in the folder "function"."""
    command = [*_command(folder), app, *options, "--port", "0"]
    with _serving(log, command, ROOT / folder, environment) as server:
        yield server


@contextmanager
def serving_by_command(log: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Like `serving`, with `python -m classifier.server` in the folder "function"."""
    command = [*SERVER_COMMAND, *options, "--port", "0"]
    with _serving(log, command, ROOT / "function", environment) as server:
        yield server


@contextmanager
def serving_as_set(log: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Like `serving_by_command`, where `environment` or `options` say on which port."""
    with _serving(log, [*SERVER_COMMAND, *options], ROOT / "function", environment) as server:
        yield server


def server_environment(**own: str) -> dict[str, str]:
    """The environment of this process, the defaults of tests, and `own` variables."""
    return {**os.environ, **_DEFAULTS, **own}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end in the folder "function", with `environment` added to that of this
    process."""
    return subprocess.run(
        command,
        cwd=ROOT / "function",
        env=server_environment(**environment),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


@contextmanager
def _serving(
    log: Path, command: list[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            env=server_environment(**environment),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            server = Server(_url(process, log), process, log)
            wait_until(lambda: is_healthy(server), "a healthy server")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=HANG_SECONDS)
            finally:
                process.kill()  # if it hangs


def is_healthy(server: Server) -> bool:
    """Raises `AssertionError` if the server has ended."""
    _assert_runs(server.process, server.log)
    try:
        server.client.get("/healthz").raise_for_status()
    except httpx.TransportError:
        return False
    return True


def start_refused(**environment: str) -> str:
    """Start the service with invalid settings. Returns its line on stderr."""
    done = subprocess.run(
        [*_command(), "main:app", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def _command(folder: str = "") -> list[str]:
    command = [sys.executable, "-m", "uvicorn"]
    return command if folder == "function" else [*command, "--app-dir", "function"]


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    """The address in uvicorn's log. The system chooses the port, so no other process can take it
    first."""

    def found() -> re.Match[str] | None:
        _assert_runs(process, log)
        return _ADDRESS.search(log.read_text())

    wait_until(found, "uvicorn's address in its log")
    address = found()
    assert address
    return address[1]


def _assert_runs(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.poll() is None, f"the server ended: {log.read_text()}"
