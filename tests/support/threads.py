"""Servers of the standard library that serve in a thread of the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from threading import Thread
from typing import Final

_POLL_SECONDS: Final = 0.05
"""The end of the context takes at most so long."""


@contextmanager
def serving_in_thread(server: BaseServer) -> Iterator[None]:
    """Serve until the end of the context, also after an exception; then close `server`."""
    with server:
        thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
