"""The target of a load test: address, requests and the classification of responses."""

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from local.common.cli import UsageError
from local.loadtest.payload import Payload
from local.loadtest.result import ResponseClassifier, classify_response

_CONNECT_SECONDS: Final = 5.0
_CLOSE: Final = "Connection: close\r\n"


@dataclass(frozen=True)
class Address:
    """A host that accepts connections, resolved once before the run."""

    family: socket.AddressFamily
    address: tuple[Any, ...]
    host: str
    tls: ssl.SSLContext | None


@dataclass(frozen=True)
class Target:
    """Address and requests of a run, and the classifier of their responses."""

    name: str
    """Its name in reports."""
    address: Address
    requests: Callable[[], Sequence[bytes]]
    """Returns the HTTP requests, head and body, to send in turn; called once per wave."""
    classify: ResponseClassifier


def http_target(url: str, payloads: Sequence[Payload]) -> Target:
    """POST `payloads` in turn to `url`, each over a new connection. Raises `UsageError`, also if
    nothing listens there."""
    parts = parse_url(url)
    requests = [post_request(parts, body) for body in payloads]
    return Target(url, resolve(parts), lambda: requests, classify_response)


def parse_url(url: str) -> SplitResult:
    """Raises `UsageError` unless `url` is an http or https URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character <= " " for character in url):
        raise UsageError(f"{url!r} is not a URL. Use one such as http://localhost:8000/.")
    return parts


def resolve(parts: SplitResult) -> Address:
    """The first address of the URL's host that accepts a connection. Raises `UsageError`."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    try:
        # The service may not listen on a name's first address (localhost: ::1).
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreachable(parts, reason) from None
    reason = "no address found"
    for family, _, _, _, address in found:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            try:
                probe.connect(address)
            except OSError as error:
                reason = error.strerror or str(error)
            else:
                return Address(socket.AddressFamily(family), address, host, tls)
    raise _unreachable(parts, reason)


def _unreachable(parts: SplitResult, reason: object) -> UsageError:
    return UsageError(
        f"{parts.geturl()} cannot be reached: {reason}. Check the address, and start the "
        "service (make run)."
    )


def post_request(parts: SplitResult, body: Payload, *, keep_alive: bool = False) -> bytes:
    """The complete request, as sent. Without `keep_alive`, it is the last of its connection."""
    path = parts.path or "/"
    head = (
        f"POST {path}{'?' + parts.query if parts.query else ''} HTTP/1.1\r\n"
        f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
        "User-Agent: image-classifier-load\r\n"
        "Accept: application/json\r\n"
        f"Content-Type: {body.content_type}\r\n"
        f"Content-Length: {len(body.content)}\r\n"
        f"{'' if keep_alive else _CLOSE}\r\n"
    )
    return head.encode("utf-8") + body.content
