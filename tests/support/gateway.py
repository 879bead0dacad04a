"""A gateway that adds a path prefix, as an API Gateway stage does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

from tests.support.wait import HANG_SECONDS

PREFIX = "/prod"


@dataclass
class Gateway:
    """`url` has no trailing slash; `bodies` are the posted content types and bodies, in order."""

    url: str
    bodies: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def gateway(service: str) -> Iterator[Gateway]:
    """Forward requests below PREFIX to `service`, which must run with that root path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._forward(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            running.bodies.append((self.headers["content-type"], body))
            self._forward(body)

        def _forward(self, body: bytes) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404)
                return
            path = self.path.removeprefix(PREFIX)
            headers = {name: self.headers[name] for name in self.headers if name != "connection"}
            response = client.request(self.command, path, content=body, headers=headers)
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name not in {"date", "server", "content-length", "content-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        def log_message(self, *arguments: object) -> None:
            pass

    with (
        httpx.Client(base_url=service, timeout=HANG_SECONDS) as client,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        running = Gateway(f"http://127.0.0.1:{server.server_port}{PREFIX}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield running
        server.shutdown()
        thread.join()
