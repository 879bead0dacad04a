"""Base64 that arrives in pieces."""

import binascii
from collections.abc import Callable
from typing import Final

_WHITESPACE: Final = b" \t\r\n"

_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
"""From the alphabet for URLs (RFC 4648, 5)"""

_START_BYTES: Final = len(b"https://")

_URI_HEAD_BYTES: Final = 256
"""The longest beginning of a data URI, up to its comma"""


class Base64Decoder:
    """Takes line breaks, both alphabets, missing padding, and a data URI."""

    def __init__(
        self, write: Callable[[bytes], object], refuse: Callable[[str], Exception]
    ) -> None:
        """`write` is called with each piece of the decoded bytes. `refuse` makes the exception for
        text that is not base64, with the reason as the end of a sentence."""
        self._write = write
        self._refuse = refuse
        self._started = False
        self._padded = False
        self._carry = b""

    def feed(self, text: bytes) -> None:
        """Raises what `refuse` makes, and what `write` raises."""
        if self._started:
            self._decode(text)
            return
        self._carry = (self._carry + text).lstrip()
        if len(self._carry) >= _START_BYTES:
            self._start()

    def finish(self) -> None:
        """The text is complete. Raises like `feed`."""
        rest = self._carry
        if not self._started:
            self._started = True
            self._carry = b""
            self._decode(rest)
            rest = self._carry
        rest = rest.translate(_STANDARD, _WHITESPACE)
        if rest:
            self._carry = b""
            self._decode(rest + b"=" * (-len(rest) % 4))

    def _start(self) -> None:
        text = self._carry
        if text[:5].lower() == b"data:":
            comma = text.find(b",", 0, _URI_HEAD_BYTES)
            if comma < 0:
                if len(text) < _URI_HEAD_BYTES:
                    return
                raise self._refuse("it is a data URI without a comma")
            if not text[:comma].lower().endswith(b";base64"):
                raise self._refuse("it is a data URI without ;base64")
            text = text[comma + 1 :]
        elif text[:_START_BYTES].lower().startswith((b"http://", b"https://")):
            raise self._refuse("it is a URL, and the service does not download images")
        self._started = True
        self._carry = b""
        self._decode(text)

    def _decode(self, text: bytes) -> None:
        data = self._carry + text
        whole = len(data) & ~3
        try:
            decoded = binascii.a2b_base64(data[:whole], strict_mode=True)
        except binascii.Error:
            data = data.translate(_STANDARD, _WHITESPACE)
            whole = len(data) & ~3
            try:
                decoded = binascii.a2b_base64(data[:whole], strict_mode=True)
            except binascii.Error as error:
                raise self._refuse(str(error)[:1].lower() + str(error)[1:]) from None
        self._carry = data[whole:]
        if decoded:
            if self._padded:
                raise self._refuse("excess data after padding")
            self._padded = data[whole - 1 : whole] == b"="
            self._write(decoded)
