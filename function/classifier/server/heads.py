"""Rules of HTTP/1.1 for the head of a request that uvicorn's parsers do not enforce.

A message whose end is ambiguous is refused: a proxy in front may see another end, and take a part
of the body for a request (RFC 9112, section 11.2).
"""

import re
from collections.abc import Collection
from typing import Final

from classifier.errors import (
    HeadTooLarge,
    MalformedRequest,
    UnsupportedMethod,
    UnsupportedTransferCoding,
    UnsupportedVersion,
)
from classifier.server.timeouts import MAX_HEAD_BYTES

_VERSIONS: Final = frozenset({"1.0", "1.1"})

_SEPARATOR_BYTES: Final = 4
"""Of a header: a colon, a space and the end of the line"""

_HOST: Final = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d*)?", re.ASCII)
"""A name, an IPv4 address or an IPv6 address, and a port (RFC 9110, section 7.2)"""

_ABSOLUTE: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
"""Scheme and authority of a target in absolute form"""


def check_head(
    version: str, method: bytes, target: bytes, headers: Collection[tuple[bytes, bytes]]
) -> None:
    """Check what determines where the request ends, which host it is for, and its length: the
    parsers count the bytes of a head only until it has arrived. The names of `headers` are in lower
    case. Raises a `ServiceError`."""
    if version not in _VERSIONS:
        raise UnsupportedVersion(version)
    if method == b"CONNECT":
        raise UnsupportedMethod
    lengths = (len(name) + len(value) + _SEPARATOR_BYTES for name, value in headers)
    # A target that fits in is also within the 65,535 bytes of httptools.parse_url.
    if len(method) + len(target) + sum(lengths) > MAX_HEAD_BYTES:
        raise HeadTooLarge(MAX_HEAD_BYTES)
    hosts = 0
    coding = length = None
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if not _HOST.fullmatch(value):
                raise MalformedRequest("the Host header is invalid")
        elif name == b"content-length":
            length = value
        elif name == b"transfer-encoding":
            coding = value if coding is None else b"%s, %s" % (coding, value)
    if hosts != 1 and (hosts or version == "1.1"):
        raise MalformedRequest("it needs exactly one Host header")
    if coding is not None:
        _check_coding(version, coding, length)


def _check_coding(version: str, coding: bytes, length: bytes | None) -> None:
    """RFC 9112, section 6.1"""
    if version == "1.0":
        raise MalformedRequest("HTTP/1.0 has no Transfer-Encoding")
    if length is not None:
        raise MalformedRequest("it has both a Content-Length and a Transfer-Encoding")
    *others, last = [name.strip().lower() for name in coding.split(b",")]
    if last != b"chunked" or b"chunked" in others:
        raise MalformedRequest("its last Transfer-Encoding must be chunked, once")
    if others:
        raise UnsupportedTransferCoding


def origin_form(target: bytes, method: bytes) -> bytes:
    """The path and query of `target` (RFC 9112, section 3.2). Raises `MalformedRequest`."""
    if target.startswith(b"/"):
        return target
    if target == b"*" and method == b"OPTIONS":
        return b"/"
    absolute = _ABSOLUTE.match(target)
    if not absolute:
        raise MalformedRequest("its target is neither a path nor an http URL")
    rest = target[absolute.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest
