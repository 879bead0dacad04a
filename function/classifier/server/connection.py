"""The connection of a request, as other parts of the server see it."""

from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Scope

CONNECTION_KEY: Final = "classifier.connection"
"""The key of the connection in the ASGI scope, if the server has put it there"""


class Connection(Protocol):
    """Reports the disconnect of a request's client. ASGI's `receive` does too, but it needs a task
    and reads the body."""

    def watch(self, on_disconnect: Callable[[], None]) -> None:
        """Call `on_disconnect` once if the client disconnects, also if its body is not read."""

    def stop_watching(self) -> None:
        """Has no effect where nothing is watched."""


def connection_of(scope: Scope) -> Connection | None:
    """The connection of a request; None with other servers than `TimeoutProtocol`'s."""
    connection: Connection | None = scope.get(CONNECTION_KEY)
    return connection
