"""The port of a server under measurement."""

import socket
import sys

import pytest

from local.benchmark.servers.server import held_port


@pytest.mark.skipif(sys.platform != "linux", reason="ports are held on Linux only")
def test_port_is_held_for_the_server() -> None:
    with held_port() as port:
        address = ("127.0.0.1", port)
        with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
            other.bind(address)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        with socket.create_server(address), socket.create_connection(address):
            pass
