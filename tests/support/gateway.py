"""A gateway that adds a path prefix and limits the body, as API Gateway does for a function."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import httpx

from tests.support.threads import serving_in_thread
from tests.support.wait import HANG_SECONDS

PREFIX = "/prod"

MAX_BODY: Final = 6_000_000 * 3 // 4
"""Lambda takes 6 MB, in base64 (AWS Lambda Developer Guide, "Lambda quotas")."""


@dataclass
class Gateway:
    """`url` has no trailing slash; `bodies` are the posted content types and bodies, in order."""

    url: str
    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    def files(self) -> list[bytes]:
        """The contents of the files in the posted forms."""
        return [
            content
            for content_type, body in self.bodies
            for part in message_from_bytes(
                b"Content-Type: %s\n\n%s" % (content_type.encode(), body), policy=HTTP
            ).iter_parts()
            if isinstance(content := part.get_payload(decode=True), bytes)
        ]


@contextmanager
def gateway(service: str) -> Iterator[Gateway]:
    """Forward requests below PREFIX to `service`, which must run with that root path. Respond to a
    body of more than MAX_BODY bytes as API Gateway does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._forward(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            running.bodies.append((self.headers["content-type"], body))
            if len(body) > MAX_BODY:
                self._respond(413, {}, b'{"message":"Request Too Long"}')
                return
            self._forward(body)

        def _forward(self, body: bytes) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404)
                return
            path = self.path.removeprefix(PREFIX)
            headers = {name: self.headers[name] for name in self.headers if name != "connection"}
            response = client.request(self.command, path, content=body, headers=headers)
            self._respond(response.status_code, response.headers, response.content)

        def _respond(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name not in {"date", "server", "content-length", "content-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    # A connection for each request: none is sent over one that the service is closing.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=service, timeout=HANG_SECONDS, limits=limits) as client:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        running = Gateway(f"http://127.0.0.1:{server.server_port}{PREFIX}")
        with serving_in_thread(server):
            yield running
