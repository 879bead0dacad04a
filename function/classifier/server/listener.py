"""The address: whether it can be used, and the listening sockets of worker processes."""

import errno
import socket
import sys
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config

from classifier.settings import MAX_PORT, SettingsError


class PortReservation(socket.socket):
    """Reserves an address without listening. A process that receives it gets its own socket for
    that address (SO_REUSEPORT, socket(7)), and the kernel spreads new connections over all
    processes that listen.

    A single socket, from which all processes accept, serves connections unevenly: the process that
    wakes up first takes all that wait. Of 64 connections that arrived together at 4 processes, the
    busiest process had 1.75 times its share with one socket, and 1.25 times with four (medians; at
    most 3.4 and 1.4 times). When a process ends, so does its socket: no connection waits for a
    process that is gone.
    """

    def __init__(self, family: int, address: Any) -> None:
        """`address` is that of `socket.getsockname`. Raises `OSError`."""
        super().__init__(family)
        _bind(self, address)

    def __reduce__(self) -> tuple[Callable[..., socket.socket], tuple[int, Any]]:
        return _open, (int(self.family), self.getsockname())


def check_address(host: str, port: int) -> None:
    """Raises `SettingsError` if this machine cannot listen there. uvicorn would notice after the
    model is loaded, and its message would not always name the address."""
    try:
        if not 0 <= port <= MAX_PORT:  # getaddrinfo would take it modulo 65536
            raise OSError(errno.EINVAL, f"A port is a number from 0 to {MAX_PORT}")
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        absent = [_is_absent(family, address) for family, _, _, _, address in found]
        if all(absent):
            raise OSError(errno.EADDRNOTAVAIL, "This machine does not have the address")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"The service cannot listen on {host} port {port}: {reason}. Choose another HOST or "
            "PORT."
        ) from None


def _is_absent(family: int, address: Any) -> bool:
    """A name may have addresses of a family that this machine does not have: uvicorn skips them.
    Raises `OSError` if the address cannot be used for another reason."""
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:  # as asyncio does: it has a socket for each family
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return True
        raise
    return False


def reserve_address(config: Config) -> socket.socket:
    """The socket to pass to the workers of `config`: a `PortReservation`, or one socket for all
    where the kernel does not spread connections. As uvicorn does, logs the address, or logs why it
    cannot be used and exits."""
    exclusive = config.bind_socket()  # fails if another service has the port
    if sys.platform != "linux" or exclusive.family not in (socket.AF_INET, socket.AF_INET6):
        return exclusive
    family, address = exclusive.family, exclusive.getsockname()
    exclusive.close()
    return PortReservation(family, address)


def _open(family: int, address: Any) -> socket.socket:
    opened = socket.socket(family)
    _bind(opened, address)
    return opened


def _bind(unbound: socket.socket, address: Any) -> None:
    # The first lets a new service have the port while old connections end, as uvicorn does.
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    unbound.bind(address)
