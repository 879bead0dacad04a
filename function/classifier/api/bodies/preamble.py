"""Text before the first boundary of a multipart body (RFC 2046, 5.1.1), which is ignored."""

from typing import Final

from classifier.errors import MalformedMultipart

_MAX_BYTES: Final = 64 * 1024


class Preamble:
    """Skips it; python-multipart takes nothing before the first boundary but line breaks."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"--" + boundary
        self._text = b""
        self._line_start = 0
        self.skipped = False

    def skip(self, chunk: bytes) -> bytes:
        """The part of the chunks so far that begins with the first boundary; empty if it has not
        arrived. Raises `MalformedMultipart`."""
        text = self._text + chunk if self._text else chunk
        while (end := text.find(b"\n", self._line_start)) >= 0:
            line = text[self._line_start : end]
            if line.rstrip(b" \t\r") in (self._delimiter, self._delimiter + b"--"):
                return self._found(text, line, end)
            self._line_start = end + 1
        if text[self._line_start :] == self._delimiter + b"--":  # of a form without parts
            self.skipped = True
            return text[self._line_start :]
        if len(text) > _MAX_BYTES:
            raise MalformedMultipart("it does not begin with the boundary of its Content-Type")
        self._text = text
        return b""

    def _found(self, text: bytes, line: bytes, end: int) -> bytes:
        if not line.endswith(b"\r"):
            raise MalformedMultipart("its lines end with LF alone, and not with CRLF")
        self.skipped = True
        self._text = b""
        if self._line_start == 0 and line[:-1] == self._delimiter:
            return text
        return line.rstrip(b" \t\r") + text[end - 1 :]
