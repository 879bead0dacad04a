"""A real service that blocks before each image until the test releases it.

Server, protocol, queue and threads are real; the test controls how long an image takes:

    with serving_gated(tmp_path / "log", THREADS="1", QUEUE="2") as server:
        ...  # send a request
        blocked = server.gate.next()  # a thread has started with an image, blocked.data
        ...  # while the thread is blocked: fill the queue, disconnect clients, send signals
        blocked.release()  # or server.gate.open(): this image and all later ones
"""

import select
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.server import Server, serving
from tests.support.wait import HANG_SECONDS

GATE: Final = "TEST_GATE"
"""The environment variable with the path of the gate's Unix socket."""

PATIENCE: Final = "TEST_PATIENCE"
"""The environment variable with the seconds for which a request waits for room, if not a second."""


@dataclass(frozen=True)
class BlockedImage:
    """An image whose thread is blocked; `process` is the process id of the thread."""

    data: bytes
    process: int
    connection: socket.socket

    def release(self) -> None:
        """Unblock the thread: it decodes and classifies the image."""
        self.connection.close()


class Gate:
    """Blocks the threads of the service, each with one image at most."""

    def __init__(self, path: str) -> None:
        self._blocked: list[BlockedImage] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1024)
        self._listener.settimeout(HANG_SECONDS)

    def next(self) -> BlockedImage:
        """The next image that a thread starts with. Raises `TimeoutError` after `HANG_SECONDS`."""
        connection, _ = self._listener.accept()
        connection.settimeout(HANG_SECONDS)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        process, _, data = received.partition(b"\n")
        self._blocked.append(BlockedImage(data, int(process), connection))
        return self._blocked[-1]

    def is_reached_within(self, seconds: float) -> bool:
        """Whether a thread starts with an image in this time; then `next` returns at once."""
        return bool(select.select([self._listener], [], [], seconds)[0])

    def open(self) -> None:
        """Release all images, later ones too."""
        self._listener.close()
        for blocked in self._blocked:
            blocked.release()


@dataclass
class GatedServer(Server):
    """A running uvicorn and its gate."""

    gate: Gate


@contextmanager
def serving_gated(log: Path, *options: str, **environment: str) -> Iterator[GatedServer]:
    """Like `serving`, with a closed gate and long timeouts for heads and bodies. Images that are
    blocked at the end are released."""
    # A short path: the address of a Unix socket has at most about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="gate") as folder, ExitStack() as stack:
        path = f"{folder}/socket"
        gate = Gate(path)
        stack.callback(gate.open)  # if the server does not start
        app = "tests.support.gated_app:app"
        defaults = {GATE: path, "HEAD_SECONDS": "3600", "BODY_SECONDS": "3600"}
        server = stack.enter_context(serving(log, *options, app=app, **{**defaults, **environment}))
        stack.callback(gate.open)
        yield GatedServer(server.url, server.process, server.log, gate)
