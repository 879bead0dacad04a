"""Requests at the edge of HTTP/1.1, and beyond, with the outcomes that the RFCs allow."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Seen:
    """A request that the application sees; `status` is the service's response to it."""

    method: str
    path: str
    body: bytes
    status: int


@dataclass(frozen=True)
class Outcome:
    """The requests that the application sees. If `refusals` are given, the server itself then
    responds with one of these statuses and closes the connection. `closes` is None if the server
    may close the connection."""

    seen: tuple[Seen, ...]
    refusals: frozenset[int] = frozenset()
    closes: bool | None = False


@dataclass(frozen=True)
class Case:
    """`sent` has one of `outcomes`, by the section of RFC 9112 or of another RFC."""

    name: str
    section: str
    sent: bytes
    outcomes: tuple[Outcome, ...]

    def __str__(self) -> str:
        return self.name


HEALTH: Final = Seen("GET", "/healthz", b"", 200)

SECOND: Final = b"GET /model HTTP/1.1\r\nHost: second\r\n\r\n"
"""A request that may follow, or be within a body"""

_MODEL: Final = Seen("GET", "/model", b"", 200)
_GET: Final = b"GET /healthz HTTP/1.1\r\nHost: service\r\n"
_POST: Final = b"POST / HTTP/1.1\r\nHost: service\r\nContent-Type: image/png\r\n"
_CHUNKED: Final = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_UPGRADE: Final = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
)


def _posted(body: bytes) -> Seen:
    return Seen("POST", "/", body, 415 if body else 422)


def _answered(*seen: Seen, closes: bool | None = False) -> Outcome:
    return Outcome(seen, closes=closes)


def _refused(*statuses: int, after: tuple[Seen, ...] = ()) -> Outcome:
    return Outcome(after, frozenset(statuses), closes=True)


def _get(line: bytes, name: str, section: str, *outcomes: Outcome) -> Case:
    """A GET with the header `line`."""
    return Case(name, section, _GET + line + b"\r\n\r\n", outcomes)


def _post(head: bytes, body: bytes, name: str, section: str, *outcomes: Outcome) -> Case:
    """A POST with the headers `head`."""
    return Case(name, section, _POST + head + b"\r\n\r\n" + body, outcomes)


def _chunked(body: bytes, name: str, section: str, *outcomes: Outcome) -> Case:
    """A POST with `body` in chunks. What follows is never taken for a request if it is refused."""
    return Case(name, section, _CHUNKED + body, outcomes)


def _line(line: bytes, name: str, section: str, *outcomes: Outcome) -> Case:
    """A request line, with a Host."""
    return Case(name, section, line + b"\r\nHost: service\r\n\r\n", outcomes)


_ABCDE: Final = _posted(b"abcde")
_BAD: Final = _refused(400)
_OK: Final = _answered(HEALTH)
_ENTIRE: Final = b"5\r\nabcde\r\n0\r\n\r\n"
_SIZE: Final = b"Content-Length: %d" % len(SECOND)

CORPUS: Final = [
    # Upgrades are ignored
    _get(_UPGRADE[:-2], "h2c upgrade without a body", "RFC 9110 7.8", _OK),
    _post(
        _UPGRADE + _SIZE, SECOND, "h2c upgrade with a body", "RFC 9110 7.8",
        _answered(_posted(SECOND)),
    ),
    _post(
        _UPGRADE + b"Transfer-Encoding: chunked",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(SECOND), SECOND),
        "h2c upgrade with chunks", "RFC 9110 7.8",
        _answered(_posted(SECOND)),
    ),
    _post(
        _UPGRADE + b"Content-Length: 5", b"abcde" + SECOND, "h2c upgrade, then another request",
        "RFC 9110 7.8", _answered(_ABCDE, _MODEL),
    ),
    Case(
        "second request offers an upgrade", "RFC 9110 7.8",
        SECOND + _POST + _UPGRADE + b"Content-Length: 5\r\n\r\nabcde" + SECOND,
        (_answered(_MODEL, _ABCDE, _MODEL),),
    ),
    _get(
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "WebSocket", "RFC 9110 7.8", _OK,
    ),
    _post(
        b"Upgrade: h2c\r\nContent-Length: 5", b"abcde", "Upgrade outside Connection",
        "RFC 9110 7.8", _answered(_ABCDE),
    ),
    _post(
        b"Connection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 5", b"abcde" + SECOND,
        "upgrade and close", "RFC 9110 7.8", _answered(_ABCDE, closes=True),
    ),
    _get(b"Connection: HTTP2-Settings\r\nHTTP2-Settings: AAMA", "only HTTP2-Settings",
         "RFC 9110 7.8", _OK),
    _post(
        _UPGRADE + b"Expect: 100-continue\r\nContent-Length: 5", b"abcde",
        "upgrade with Expect", "RFC 9110 7.8",
        _answered(_ABCDE),
    ),
    _post(_UPGRADE + b"Content-Length: 5\r\nContent-Length: 6", b"abcde" + SECOND,
          "upgrade with two lengths", "6.3", _BAD),
    _line(b"CONNECT service:443 HTTP/1.1", "CONNECT", "RFC 9110 9.3.6", _refused(400, 405, 501)),
    Case("CONNECT, then a request", "RFC 9110 9.3.6",
         b"CONNECT service:443 HTTP/1.1\r\nHost: service:443\r\n\r\n" + SECOND,
         (_refused(400, 405, 501),)),
    # Framing
    _post(b"Content-Length: 5\r\nContent-Length: 5", b"abcde", "two equal lengths",
          "RFC 9110 8.6", _BAD, _answered(_ABCDE)),
    _post(b"Content-Length: 5\r\nContent-Length: 6", b"abcde", "two lengths", "6.3", _BAD),
    _post(b"Content-Length: 5, 5", b"abcde", "length as a list", "RFC 9110 8.6", _BAD,
          _answered(_ABCDE)),
    _post(b"Content-Length: 5, 6", b"abcde", "lengths as a list", "6.3", _BAD),
    _post(b"Content-Length: +5", b"abcde", "signed length", "6.3", _BAD),
    _post(b"Content-Length: -1", b"", "negative length", "6.3", _BAD),
    _post(b"Content-Length: 0x5", b"abcde", "hexadecimal length", "6.3", _BAD),
    _post(b"Content-Length: 5.0", b"abcde", "decimal length", "6.3", _BAD),
    _post(b"Content-Length:", b"", "empty length", "6.3", _BAD),
    _post(b"Content-Length: 5 5", b"abcde", "length with a space", "6.3", _BAD),
    _post(b"Content-Length: \xd9\xa5", b"abcde", "length in Arabic digits", "6.3", _BAD),
    _post(b"Content-Length: " + b"9" * 30, b"abcde", "endless length", "6.3",
          _refused(400, 413)),
    _post(b"Content-Length: \t 5 \t", b"abcde", "spaces around the length", "5.1",
          _answered(_ABCDE)),
    _post(b"Content-Length : 5", b"abcde", "space before the colon", "5.1", _BAD),
    _post(b"Transfer-Encoding : chunked", _ENTIRE, "space before the coding's colon", "5.1",
          _BAD),
    _post(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n" + SECOND,
          "length, then chunked", "6.1", _BAD),
    _post(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n" + SECOND,
          "chunked, then length", "6.1", _BAD),
    _post(b"Transfer-Encoding: CHUNKED", _ENTIRE, "coding in capitals", "7", _answered(_ABCDE)),
    _post(b"Transfer-Encoding: gzip, chunked", _ENTIRE, "gzip, chunked", "6.1",
          _refused(400, 501)),
    _post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", _ENTIRE,
          "gzip and chunked in two lines", "6.1", _refused(400, 501)),
    _post(b"Transfer-Encoding: chunked, gzip", _ENTIRE, "chunked is not last", "6.3", _BAD),
    _post(b"Transfer-Encoding: chunked, chunked", _ENTIRE, "chunked twice", "6.1", _BAD),
    _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", _ENTIRE,
          "chunked in two lines", "6.1", _BAD),
    _post(b"Transfer-Encoding: identity", b"abcde", "identity", "6.3", _refused(400, 501)),
    _post(b"Transfer-Encoding: identity\r\nContent-Length: 5", b"abcde",
          "identity with a length", "6.1", _refused(400, 501)),
    _post(b"Transfer-Encoding: xchunked", _ENTIRE, "unknown coding", "6.1", _refused(400, 501)),
    _post(b"Transfer-Encoding: \x0bchunked", _ENTIRE, "control character before chunked",
          "6.1", _refused(400, 501)),
    _post(b"Transfer-Encoding:", _ENTIRE, "empty coding", "6.3", _refused(400, 501)),
    Case(
        "HTTP/1.0 with chunks", "6.1",
        _POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + _ENTIRE,
        (_BAD,),
    ),
    # Chunks
    _chunked(_ENTIRE, "chunks", "7.1", _answered(_ABCDE)),
    _chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (len(SECOND), SECOND), "request within a chunk", "7.1",
             _answered(_posted(SECOND))),
    _chunked(b'5;a=b;c="d\\"e"\r\nabcde\r\n0;f\r\n\r\n', "chunk extensions", "7.1.1",
             _answered(_ABCDE)),
    _chunked(b"5 ; a = b\r\nabcde\r\n0\r\n\r\n", "spaces in chunk extensions", "7.1.1",
             _answered(_ABCDE), _BAD),
    _chunked(b"5;a=\nb\r\nabcde\r\n0\r\n\r\n", "LF in a chunk extension", "2.2", _BAD),
    _chunked(b"5;a=\rb\r\nabcde\r\n0\r\n\r\n", "CR in a chunk extension", "2.2", _BAD,
             _answered(_ABCDE)),
    _chunked(b"5\r\nabcde\r\n0\r\nHost: trailer\r\nAuthorization: Bearer x\r\n\r\n" + SECOND,
             "trailers", "7.1.2", _answered(_ABCDE, _MODEL)),
    _chunked(b"0\r\nContent-Length: 5\r\n\r\n" + SECOND, "length as a trailer", "7.1.2",
             _answered(_posted(b""), _MODEL), _refused(400)),
    _chunked(b"05\r\nabcde\r\n000\r\n\r\n", "leading zeros", "7.1", _answered(_ABCDE)),
    _chunked(b" 5\r\nabcde\r\n0\r\n\r\n", "space before a chunk size", "7.1", _BAD),
    _chunked(b"5 \r\nabcde\r\n0\r\n\r\n", "space after a chunk size", "7.1", _BAD,
             _answered(_ABCDE)),
    _chunked(b"0x5\r\nabcde\r\n0\r\n\r\n", "0x before a chunk size", "7.1", _BAD),
    _chunked(b"+5\r\nabcde\r\n0\r\n\r\n", "signed chunk size", "7.1", _BAD),
    _chunked(b"-5\r\nabcde\r\n0\r\n\r\n", "negative chunk size", "7.1", _BAD),
    _chunked(b"5_0\r\nabcde\r\n0\r\n\r\n", "underscore in a chunk size", "7.1", _BAD),
    _chunked(b"\r\nabcde\r\n0\r\n\r\n", "no chunk size", "7.1", _BAD),
    _chunked(b"1" + b"0" * 20 + b"5\r\nabcde\r\n0\r\n\r\n", "chunk size above 64 bits", "7.1",
             _refused(400, 413)),
    _chunked(b"1" + b"0" * 31 + b"5\r\nabcde\r\n0\r\n\r\n", "endless chunk size", "7.1",
             _refused(400, 413)),
    _chunked(b"5\nabcde\r\n0\r\n\r\n", "LF behind a chunk size", "2.2", _BAD),
    _chunked(b"5\rabcde\r\n0\r\n\r\n", "CR behind a chunk size", "2.2", _BAD),
    _chunked(b"5\r\nabcde\n0\r\n\r\n", "LF behind a chunk", "7.1", _BAD),
    _chunked(b"5\r\nabcdefg\r\n0\r\n\r\n" + SECOND, "chunk longer than its size", "7.1", _BAD),
    # Lines and characters
    _get(b"X: a\r\n b", "folded line", "5.2", _BAD, _OK),
    _get(b"X: a\r\n\tb", "line folded with a tab", "5.2", _BAD, _OK),
    Case("first line is folded", "2.2",
         b"GET /healthz HTTP/1.1\r\n Host: service\r\n\r\n", (_BAD,)),
    _get(b"X: a\rb", "CR in a value", "2.2", _BAD),
    _get(b"X: a\nY: b", "LF ends a header", "2.2", _BAD, _OK),
    _get(b"X: a\x00b", "NUL in a value", "RFC 9110 5.5", _BAD),
    _get(b"X: a\x01b", "control character in a value", "RFC 9110 5.5", _BAD, _OK),
    _get(b"X: \xe4\xff", "bytes above ASCII in a value", "RFC 9110 5.5", _OK),
    _get(b"X\x00: a", "NUL in a name", "5.1", _BAD),
    _get(b"X Y: a", "space in a name", "5.1", _BAD),
    _get(b"X", "header without a colon", "5", _BAD),
    _get(b": a", "header without a name", "5", _BAD),
    Case("LF ends all lines", "2.2",
         b"GET /healthz HTTP/1.1\nHost: service\n\n", (_BAD, _OK)),
    Case("head ends with CR", "2.2", _GET + b"\rX" + SECOND, (_BAD,)),
    Case("empty lines before a request", "2.2", b"\r\n\r\n" + _GET + b"\r\n", (_OK,)),
    Case("empty line between requests", "2.2", _GET + b"\r\n\r\n" + SECOND,
         (_answered(HEALTH, _MODEL),)),
    # Host
    Case("no Host", "3.2", b"GET /healthz HTTP/1.1\r\n\r\n", (_BAD,)),
    _get(b"Host: service", "two equal Hosts", "3.2", _BAD),
    _get(b"Host: other", "two Hosts", "3.2", _BAD),
    *(
        Case(f"Host {host.decode()}", "3.2",
             b"GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n" % host, (outcome,))
        for host, outcome in {
            b"": _OK, b"a.example": _OK, b"127.0.0.1:8000": _OK, b"[::1]:8000": _OK,
            b"a_b:": _OK, b"user@a": _BAD, b"a/b": _BAD, b"a b": _BAD, b"a, b": _BAD,
            b"http://a": _BAD, b"a:b": _BAD, b"[::1": _BAD,
        }.items()
    ),
    Case("HTTP/1.0 without Host", "3.2", b"GET /healthz HTTP/1.0\r\n\r\n",
         (_answered(HEALTH, closes=True),)),
    # Request lines
    _line(b"GET http://other:80/healthz HTTP/1.1", "absolute form", "3.2.2", _OK),
    _line(b"GET HTTP://other/healthz?a=/b HTTP/1.1", "absolute form in capitals", "3.2.2", _OK),
    _line(b"GET http://other?a=/b HTTP/1.1", "absolute form without a path", "3.2.2",
          _answered(Seen("GET", "/", b"", 200))),
    _line(b"OPTIONS * HTTP/1.1", "OPTIONS *", "3.2.4",
          _answered(Seen("OPTIONS", "/", b"", 405))),
    _line(b"GET * HTTP/1.1", "GET *", "3.2.4", _BAD),
    _line(b"GET healthz HTTP/1.1", "relative target", "3.2", _BAD),
    _line(b"GET /heal thz HTTP/1.1", "space in the target", "3.2", _BAD),
    _line(b"GET /\x00 HTTP/1.1", "NUL in the target", "3.2", _BAD),
    _line(b"GET /\xff HTTP/1.1", "byte above ASCII in the target", "3.2", _BAD),
    _line(b"GET  /healthz HTTP/1.1", "two spaces", "3", _BAD, _OK),
    _line(b"GET\t/healthz HTTP/1.1", "tab in the request line", "3", _BAD, _OK),
    _line(b"GET /healthz HTTP/1.1 ", "space at the end", "3", _BAD, _OK),
    _line(b"get /healthz HTTP/1.1", "lower-case method", "RFC 9110 9.1", _refused(400, 501),
          _answered(Seen("get", "/healthz", b"", 405))),
    _line(b"FOO /healthz HTTP/1.1", "unknown method", "RFC 9110 9.1", _refused(400, 501),
          _answered(Seen("FOO", "/healthz", b"", 405))),
    _line(b"TRACE /healthz HTTP/1.1", "TRACE", "RFC 9110 9.1",
          _answered(Seen("TRACE", "/healthz", b"", 405))),
    _line(b"GET /healthz", "HTTP/0.9", "2.3", _refused(400, 505)),
    _line(b"GET /healthz HTTP/0.9", "HTTP/0.9 by name", "2.3", _refused(400, 505)),
    _line(b"GET /healthz HTTP/1.2", "HTTP/1.2", "RFC 9110 2.5", _OK, _refused(400, 505)),
    _line(b"GET /healthz HTTP/2.0", "HTTP/2.0", "2.3", _refused(400, 505)),
    _line(b"GET /healthz HTTP/9.9", "HTTP/9.9", "2.3", _refused(400, 505)),
    _line(b"GET /healthz http/1.1", "lower-case version", "2.3", _refused(400, 505)),
    Case("HTTP/2 preface", "RFC 9113 3.4",
         b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
         (_refused(400, 505),)),
    Case("TLS", "3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), (_BAD,)),
    # Connections
    Case("pipelined requests", "9.3.2", SECOND + _GET + b"\r\n", (_answered(_MODEL, HEALTH),)),
    Case("pipelined request is malformed", "9.3.2", _GET + b"\r\n" + b"GET / HTTP/1.1\r\n\r\n",
         (_refused(400, after=(HEALTH,)),)),
    Case("pipelined chunk is malformed", "9.3.2", _GET + b"\r\n" + _CHUNKED + b"x\r\n" + SECOND,
         (_refused(400, after=(HEALTH,)),)),
    _get(b"Connection: close", "close", "9.6", _answered(HEALTH, closes=True)),
    Case("request after close", "9.6", _GET + b"Connection: close\r\n\r\n" + SECOND,
         (_answered(HEALTH, closes=True),)),
    Case("HTTP/1.0", "9.3", _GET.replace(b"1.1", b"1.0") + b"\r\n" + SECOND,
         (_answered(HEALTH, closes=True),)),
    Case("HTTP/1.0 keep-alive", "9.3",
         _GET.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\n\r\n",
         (_answered(HEALTH, closes=None),)),
    # Expectations
    _post(b"Expect: 100-continue\r\nContent-Length: 5", b"abcde", "expectation with its body",
          "RFC 9110 10.1.1", _answered(_ABCDE)),
    _post(b"Expect: 200-maybe\r\nContent-Length: 5", b"abcde", "unknown expectation",
          "RFC 9110 10.1.1", _answered(_ABCDE), _refused(417)),
    _get(b"Expect: 100-continue", "expectation without a body", "RFC 9110 10.1.1",
         _answered(HEALTH, closes=None)),
    Case("HTTP/1.0 with an expectation", "RFC 9110 10.1.1",
         _POST.replace(b"1.1", b"1.0")
         + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde",
         (_answered(_ABCDE, closes=True),)),
]  # fmt: skip
"""Each case is complete: the server needs no further byte to decide."""
