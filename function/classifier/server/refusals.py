"""Responses that the server writes itself, where no request can be given to the application."""

from collections.abc import Iterable

from classifier.errors import ServiceError, phrase
from classifier.outcome import to_json


def encode(error: ServiceError, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole HTTP/1.1 response for `error`: problem details (RFC 9457), and the last response of
    its connection. `headers` are further headers."""
    body = to_json(error.problem()).encode() + b"\n"
    lines = [
        b"HTTP/1.1 %d %s" % (error.status.value, phrase(error.status).encode()),
        *(b"%s: %s" % header for header in headers),
        b"content-type: application/problem+json",
        b"content-length: %d" % len(body),
        b"connection: close",
        b"",
        body,
    ]
    return b"\r\n".join(lines)
