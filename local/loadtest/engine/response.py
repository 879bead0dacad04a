"""Incremental parser of HTTP/1.1 responses (RFC 9112): httptools, plus bodies that end with the
connection and interim responses. A 600-byte response takes 5 us; with h11 it takes 70 us."""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_HEAD_LIMIT: Final = 64 * 1024


BODY_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a body, with and without content coding; those of the service have about a kilobyte."""

NOT_HTTP: Final = "not an HTTP response"
TOO_LARGE: Final = "response too large"


class MalformedResponse(Exception):
    """The data is not an HTTP/1.x response, or is too large; the message is the kind of failure."""


class Response:
    """A response as it arrives. `feed` it data, `close` it when the peer closes; both return
    whether the response is complete. `feed` raises `MalformedResponse`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        """By lower-case name; several of one name are one list (RFC 9110, section 5.3)."""
        self._body = bytearray()
        self.keeps_open = False
        """Whether the connection may be used again; known when the response is complete."""
        self._parser = HttpResponseParser(self)
        self._head_bytes = 0
        self._head_complete = False
        self._complete = False

    @property
    def body(self) -> bytes:
        """The body so far, without transfer coding."""
        return bytes(self._body)

    @property
    def started(self) -> bool:
        return self._head_bytes > 0

    def feed(self, data: bytes) -> bool:
        if not self._head_complete:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self._complete:  # else the error is in data after the response
                raise MalformedResponse(NOT_HTTP) from None
        if not self._head_complete and self._head_bytes > _HEAD_LIMIT:
            raise MalformedResponse(NOT_HTTP)
        if len(self._body) > BODY_LIMIT:
            raise MalformedResponse(TOO_LARGE)
        return self._complete

    def close(self) -> bool:
        """Returns False if the response was truncated."""
        has_end = "content-length" in self.headers or "transfer-encoding" in self.headers
        return self._complete or (self._head_complete and not has_end)

    def release(self) -> None:
        """Drop the parser, which refers to this response: senders have no garbage collection. The
        response can be read, but not be fed, afterwards."""
        vars(self).pop("_parser", None)

    # Callbacks of httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_complete:  # else a trailer
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        if self._head_complete:  # of data after the response
            return
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._head_complete = True
        else:
            self.headers = {}

    def on_body(self, data: bytes) -> None:
        if not self._complete:
            self._body += data

    def on_message_complete(self) -> None:
        if not self._complete and self._head_complete:
            self.keeps_open = self._parser.should_keep_alive()
        self._complete = self._head_complete
