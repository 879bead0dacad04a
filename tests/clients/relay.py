"""A TCP relay that records how clients use their connections to a server."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Final
from urllib.parse import urlsplit

from tests.support.threads import serving_in_thread

HEAD_END: Final = b"\r\n\r\n"
_CHUNK_BYTES: Final = 65536


@dataclass
class Relay:
    """`url` has no trailing slash. `heads` has an element for each connection, in order: bytes
    that begin with the head of its first request."""

    url: str
    heads: list[bytearray] = field(default_factory=list)


@contextlib.contextmanager
def relaying(url: str) -> Iterator[Relay]:
    """Forward connections to the server at `url`, unchanged."""
    target = urlsplit(url)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            head = bytearray()
            relay.heads.append(head)  # at once: a client may end before its connection
            with socket.create_connection((target.hostname, target.port)) as server:
                back = threading.Thread(target=_copy, args=(server, self.request))
                back.start()
                _copy(self.request, server, head)
                back.join()

    listener = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = False  # leaving waits for the connections
    relay = Relay(f"http://127.0.0.1:{listener.server_address[1]}")
    with serving_in_thread(listener):
        yield relay


def _copy(source: socket.socket, target: socket.socket, head: bytearray | None = None) -> None:
    """Copy until the end or a reset; `head` receives what arrives until a head is complete."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            if head is not None and HEAD_END not in head:
                head += chunk
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
