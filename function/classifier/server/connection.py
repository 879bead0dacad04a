"""What the parts of the server know of a request's connection."""

from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Scope

CONNECTION_KEY: Final = "classifier.connection"
"""The key of the connection in the ASGI scope, if the server has put it there"""


class Connection(Protocol):
    """Tells when the client of a request disconnects. `receive` of ASGI does too, but reads the
    body for that, and takes a task."""

    def watch(self, on_disconnect: Callable[[], None]) -> None:
        """Call `on_disconnect` once if the client disconnects, also if its body is not read."""

    def stop_watching(self) -> None:
        """Has no effect where nothing is watched."""


def connection_of(scope: Scope) -> Connection | None:
    """The connection of a request; None with other servers than `TimeoutProtocol`'s."""
    connection: Connection | None = scope.get(CONNECTION_KEY)
    return connection
