"""What each client is tried with: a photo, a body above the limit, and a text."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.clients.client import Client
from tests.clients.nginx import in_front
from tests.clients.relay import HEAD_END, Relay, relaying
from tests.clients.workshop import Run, Workshop
from tests.support.server import serving
from tests.support.wait import HANG_SECONDS

MAX_BYTES: Final = 20 << 20
"""MAX_BYTES of the service"""

TOO_LARGE_BYTES: Final = 30 << 20
"""More than the buffers of a connection hold, so the response comes while the client sends."""


@dataclass(frozen=True)
class Use:
    """`heads` are the heads of the first request of each connection."""

    run: Run
    heads: list[bytes]


@dataclass(frozen=True)
class Trial:
    """`url` is the service's, and `relay` forwards to it."""

    url: str
    relay: Relay
    workshop: Workshop

    def photo(self, client: Client) -> Use:
        """The photo; twice, if the client reuses connections."""
        first = len(self.relay.heads)
        photo = self.workshop.padded(client.photo_bytes)
        with self._reach(client, self.relay.url) as url:
            run = self.workshop.run(client, url, photo, times=2 if client.reuses else 1)
        return Use(run, [bytes(head.partition(HEAD_END)[0]) for head in self.relay.heads[first:]])

    def too_large(self, client: Client, size: int = TOO_LARGE_BYTES) -> Run:
        """A photo of `size` bytes, more than the service takes. Without the relay, which would
        change how the connection ends."""
        return self._run(client, self.workshop.padded(size))

    def text(self, client: Client) -> Run:
        """A file that is not an image."""
        return self._run(client, self.workshop.text())

    def _run(self, client: Client, file: Path) -> Run:
        with self._reach(client, self.url) as url:
            return self.workshop.run(client, url, file)

    @contextmanager
    def _reach(self, client: Client, url: str) -> Iterator[str]:
        folder = Path(mkdtemp(dir=self.workshop.folder)) / "nginx"
        with in_front(url, client.nginx, folder) if client.nginx else nullcontext(url) as reached:
            yield reached


@contextmanager
def trial(folder: Path, *options: str) -> Iterator[Trial]:
    """A service with MAX_BYTES, started with uvicorn's `options`; files are in `folder`."""
    workshop = Workshop(folder)
    # Connections are kept for longer than a slow client takes between two photos.
    settings = {"MAX_BYTES": str(MAX_BYTES), "KEEP_ALIVE_SECONDS": str(HANG_SECONDS)}
    with (
        serving(folder / "log", *options, **settings) as server,
        relaying(server.url) as relay,
    ):
        yield Trial(server.url, relay, workshop)
