"""Bytes from the network -> an HTTP/1.1 answer, as they come in (RFC 9112)."""

from collections.abc import Mapping
from typing import Final

_HEAD_LIMIT: Final = 64 * 1024
_NO_BODY: Final = {204, 304}


class MalformedResponse(Exception):
    """What came is not an HTTP/1.x answer."""


class Response:
    """An answer that is being read. `feed` it what comes, `close` it when the peer closes; either
    says whether the answer is complete. Both raise `MalformedResponse`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._received = b""
        self._body: _UntilClose | None = None

    @property
    def body(self) -> bytes:
        """The content so far, without transfer coding."""
        return self._body.content if self._body else b""

    @property
    def started(self) -> bool:
        return bool(self._received or self._body)

    def feed(self, data: bytes) -> bool:
        if self._body is None:
            self._received += data
            if not self._read_head():
                return False
            data, self._received = self._received, b""
        assert self._body is not None
        return self._body.feed(data)

    def close(self) -> bool:
        """False: the answer was cut short."""
        return self._body is not None and self._body.close()

    def _read_head(self) -> bool:
        """Whether the head is complete; what follows it stays in `_received`. Interim (1xx) heads
        are passed over."""
        while True:
            head, blank_line, rest = self._received.partition(b"\r\n\r\n")
            if not blank_line:
                if len(head) > _HEAD_LIMIT or b"HTTP/1."[: len(head)] != head[:7]:
                    raise MalformedResponse
                return False
            self._received = rest
            self.status, self.headers = _parse_head(head)
            if self.status >= 200:
                self._body = _body_reader(self.status, self.headers)
                return True


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    code = rest[:3]
    if not (version.startswith("HTTP/1.") and len(code) == 3 and code.isdecimal()):
        raise MalformedResponse
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedResponse
        headers[name.lower()] = value.strip()
    return int(code), headers


class _UntilClose:
    """A body that lasts until the peer closes."""

    def __init__(self) -> None:
        self.content = b""

    def feed(self, data: bytes) -> bool:
        self.content += data
        return False

    def close(self) -> bool:
        return True


class _FixedLength(_UntilClose):
    """A body of `length` bytes."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def feed(self, data: bytes) -> bool:
        self.content = (self.content + data)[: self._length]
        return len(self.content) >= self._length

    def close(self) -> bool:
        return len(self.content) >= self._length


class _Chunked(_UntilClose):
    """A body in chunks, each behind its size; the last has size 0, then trailers may follow."""

    def __init__(self) -> None:
        super().__init__()
        self._pending = b""
        self._in_trailers = False

    def feed(self, data: bytes) -> bool:
        self._pending += data
        while not self._in_trailers:
            line, end, rest = self._pending.partition(b"\r\n")
            if not end:
                return False
            size = _chunk_size(line)
            if size == 0:
                self._in_trailers = True
                self._pending = rest
            elif len(rest) < size + 2:
                return False
            elif rest[size : size + 2] != b"\r\n":
                raise MalformedResponse
            else:
                self.content += rest[:size]
                self._pending = rest[size + 2 :]
        return self._pending.startswith(b"\r\n") or b"\r\n\r\n" in self._pending

    def close(self) -> bool:
        return False


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise MalformedResponse
    return int(digits, 16)


def _body_reader(status: int, headers: Mapping[str, str]) -> _UntilClose:
    if status in _NO_BODY:
        return _FixedLength(0)
    if headers.get("transfer-encoding", "").lower().endswith("chunked"):
        return _Chunked()
    length = headers.get("content-length")
    if length is None:
        return _UntilClose()
    if not length.isdecimal():
        raise MalformedResponse
    return _FixedLength(int(length))
