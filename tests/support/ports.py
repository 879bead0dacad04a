"""TCP ports for servers that need a fixed one."""

import itertools
import os
import socket
from typing import Final

_FIRST: Final = 20_000
_PER_PROCESS: Final = 500

# Below Linux's ephemeral ports (32768), and a separate range for each process of pytest-xdist:
# nothing takes a port before the server starts.
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
