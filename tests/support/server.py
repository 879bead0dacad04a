"""The one way to start the service: a real uvicorn."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.wait import HANG_SECONDS, wait_until


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
        wait_until(lambda: is_healthy(server), "a healthy server")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=HANG_SECONDS)


def is_healthy(server: Server) -> bool:
    """Raises `AssertionError` if it has ended."""
    assert server.process.poll() is None, f"the server ended: {server.log.read_text()}"
    try:
        httpx.get(f"{server.url}/healthz", timeout=HANG_SECONDS).raise_for_status()
    except httpx.TransportError:
        return False
    return True


def start_refused(**environment: str) -> str:
    """Start the service with settings that it refuses; the one line that it says of them."""
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "--app-dir", "function", "main:app", "--port", "0"],
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
