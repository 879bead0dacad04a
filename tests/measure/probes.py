"""Probes a server from another process, as a monitoring system does."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

import httpx
import psutil

from local.loadtest.client import signals
from tests.support.server import Server
from tests.support.wait import HANG_SECONDS

_PROBE_SECONDS: Final = 0.2
_fork = multiprocessing.get_context("fork")


@dataclass
class Probes:
    """Monitoring during the overload: seconds of its requests, by path, its failed requests, and
    the resident bytes of the service."""

    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {"/healthz": [], "/metrics": []}
    )
    failures: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


@contextmanager
def probing(server: Server) -> Iterator[Probes]:
    """Probe the server from another process; the result is complete after the context."""
    probes = Probes()
    channel, remote = multiprocessing.Pipe()
    prober = _fork.Process(
        target=probe, args=(server.url, server.process.pid, remote, os.getpid()), daemon=True
    )
    with signals.blocked():
        prober.start()
    remote.close()
    try:
        yield probes
        channel.send(None)
        seen = channel.recv()
        probes.seconds, probes.failures, probes.memory = seen.seconds, seen.failures, seen.memory
    finally:
        prober.kill()
        prober.join()
        channel.close()


def probe(url: str, server: int, channel: Connection, parent: int) -> None:
    """Probe five times per second until `channel` has a message; then send the `Probes`."""
    signals.reset_in_child()
    probes = Probes()
    process = psutil.Process(server)
    with httpx.Client(base_url=url, timeout=HANG_SECONDS, verify=False) as client:
        while os.getppid() == parent:
            for path, seconds in probes.seconds.items():
                start = time.monotonic()
                try:
                    status = f"status {client.get(path).status_code}"
                except httpx.TransportError as error:
                    status = repr(error)
                seconds.append(time.monotonic() - start)
                if status != "status 200":
                    probes.failures.append(f"{path}: {status}")
            probes.memory.append(process.memory_info().rss)
            if channel.poll(_PROBE_SECONDS):
                channel.send(probes)
                return
