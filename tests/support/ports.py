"""TCP ports for servers that have to be told theirs."""

import itertools
import os
import socket
from typing import Final

_FIRST: Final = 20_000
_PER_PROCESS: Final = 500

# Below the ports that Linux gives to clients (32768), and another range for each of
# pytest-xdist's processes: nothing takes a port between this answer and the server's start.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = itertools.cycle(
    range(_FIRST + _worker * _PER_PROCESS, _FIRST + (_worker + 1) * _PER_PROCESS)
)


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    for port in itertools.islice(_numbers, _PER_PROCESS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
