"""The address: whether it can be used, and the listening sockets of worker processes."""

import errno
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config

from classifier.settings import MAX_PORT, SettingsError

Address = tuple[int, Any]
"""Of `socket`: the family, and the address in its form"""

# uvicorn's own line about the address, which is visible at this level.
_log = logging.getLogger("uvicorn.error")


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


def usable_addresses(host: str, port: int) -> list[Address]:
    """The addresses of `host` on which this machine can listen, 1 or more: a name may have several,
    and an empty one stands for all of IPv4 and IPv6. Raises `SettingsError` if there are none or if
    one is in use. uvicorn would notice after the model is loaded, and its message would not always
    name the address."""
    try:
        if not 0 <= port <= MAX_PORT:  # getaddrinfo would take it modulo 65536
            raise OSError(errno.EINVAL, f"A port is a number from 0 to {MAX_PORT}")
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        addresses = dict.fromkeys((int(family), address) for family, _, _, _, address in found)
        usable = [each for each in addresses if not _is_absent(*each)]
        if not usable:
            raise OSError(errno.EADDRNOTAVAIL, "This machine does not have the address")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"The service cannot listen on {host} port {port}: {reason}. Choose another HOST or "
            "PORT."
        ) from None
    return usable


def _is_absent(family: int, address: Any) -> bool:
    """A name may have addresses of a family that this machine does not have: uvicorn skips them.
    Raises `OSError` if the address cannot be used for another reason."""
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _use_one_family(probe)
            probe.bind(address)
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return True
        raise
    return False


def reserve_addresses(config: Config) -> list[socket.socket]:
    """The sockets to pass to the workers of `config`: a `PortReservation` for each address on which
    one process would listen, or one socket for all where the kernel does not spread connections. As
    uvicorn does, logs the address. Raises `SettingsError`."""
    if sys.platform != "linux" or config.uds is not None or config.fd is not None:
        return [config.bind_socket()]
    reserved: list[socket.socket] = []
    port = config.port
    for family, address in usable_addresses(config.host, port):
        reserved.append(PortReservation(family, (address[0], port, *address[2:])))
        port = reserved[0].getsockname()[1]  # if it was 0
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "https" if config.is_ssl else "http"
    _log.info("Uvicorn running on %s://%s:%d (Press CTRL+C to quit)", scheme, host, port)
    return reserved


def _open(family: int, address: Any) -> socket.socket:
    opened = socket.socket(family)
    _bind(opened, address)
    return opened


def _bind(unbound: socket.socket, address: Any) -> None:
    # The first lets a new service have the port while old connections end, as uvicorn does.
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    _use_one_family(unbound)
    unbound.bind(address)


def _use_one_family(unbound: socket.socket) -> None:
    """As asyncio does, which has a socket for each family: otherwise `::` would be all addresses of
    IPv4, too."""
    if unbound.family == socket.AF_INET6:
        unbound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
