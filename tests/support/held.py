"""A real service in which each image waits, in its thread, until the test releases it.

Server, protocol, queue and threads are real; only the time that an image takes is the test's:

    with serving_held(tmp_path / "log", THREADS="1", QUEUE="2") as server:
        ...  # send a request
        held = server.gate.next()  # a thread has begun with an image, held.data
        ...  # the thread stays busy: fill the queue, disconnect clients, send signals
        held.release()  # or server.gate.open(): this image and all that follow
"""

import select
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS

GATE: Final = "HELD_GATE"
"""The environment variable that tells the service which Unix socket its images wait at."""


@dataclass(frozen=True)
class HeldImage:
    """An image that a thread has begun with; `process` is the id of the thread's process."""

    data: bytes
    process: int
    connection: socket.socket

    def release(self) -> None:
        """Let the thread go on: it decodes and classifies the image."""
        self.connection.close()


class Gate:
    """Where the images wait. Each thread of the service waits with one image at most."""

    def __init__(self, path: str) -> None:
        self._held: list[HeldImage] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1024)
        self._listener.settimeout(HANG_SECONDS)

    def next(self) -> HeldImage:
        """The next image that a thread begins with. Raises `TimeoutError` after `HANG_SECONDS`."""
        connection, _ = self._listener.accept()
        connection.settimeout(HANG_SECONDS)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        process, _, data = received.partition(b"\n")
        self._held.append(HeldImage(data, int(process), connection))
        return self._held[-1]

    def is_reached_within(self, seconds: float) -> bool:
        """Whether a thread begins with an image in this time; `next` then returns at once."""
        return bool(select.select([self._listener], [], [], seconds)[0])

    def open(self) -> None:
        """Release all images, those that come later too."""
        self._listener.close()
        for held in self._held:
            held.release()


@dataclass
class HeldServer(Server):
    """A running uvicorn, and the gate that its images wait at."""

    gate: Gate


@contextmanager
def serving_held(log: Path, *options: str, **environment: str) -> Iterator[HeldServer]:
    """As `serving`, with the gate closed, and without time limits for heads and bodies. Images that
    are still held at the end are released."""
    # A short path: the address of a Unix socket has room for about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="gate") as folder:
        path = f"{folder}/socket"
        gate = Gate(path)
        app = "tests.support.held_app:app"
        patient = {GATE: path, "HEAD_SECONDS": "3600", "BODY_SECONDS": "3600"}
        with serving(log, *options, app=app, **{**patient, **environment}) as server:
            try:
                yield HeldServer(server.url, server.process, server.log, gate)
            finally:
                gate.open()
