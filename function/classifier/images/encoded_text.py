"""Images that were sent as text."""

import binascii
from typing import Final

from classifier.images.inspect import has_signature

_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
"""From base64's alphabet for URLs (RFC 4648, 5)"""

_PREFIX_BYTES: Final = 64

_DECODED_CHARACTERS: Final = 24
"""18 bytes: enough for every format's signature"""


def text_coding(data: bytes) -> str | None:
    """The coding of the text `data`, "base64" or "a data URI", if it is an image in one."""
    prefix = data[:_PREFIX_BYTES].lstrip(b" \t\r\n\"'")
    if prefix[:5].lower() == b"data:":
        return "a data URI"
    text = prefix.translate(_STANDARD, b" \t\r\n")[:_DECODED_CHARACTERS]
    try:
        decoded = binascii.a2b_base64(text[: len(text) & ~3], strict_mode=True)
    except binascii.Error:
        return None
    return "base64" if has_signature(decoded) else None
