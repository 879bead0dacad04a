"""PNG (ISO/IEC 15948, section 11)."""

from struct import unpack_from
from typing import Final

from classifier.images.formats import ImageInfo, UnusualStructure

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

MAX_CHUNKS: Final = 20_000
"""Writers cut the pixels into chunks of 8 KiB or more."""

MAX_PACKED_TEXTS: Final = 32
"""Compressed texts and profiles; each may grow to a mebibyte."""

MAX_TEXT_BYTES: Final = 2 * 1024 * 1024
"""Bytes of text, compressed or not."""

_GREY, _PALETTE = 0, 3
"""Colour types"""

_PIXELS: Final = (b"IDAT", b"fdAT")
_PACKED: Final = (b"iCCP", b"zTXt", b"iTXt")
_TEXT: Final = (b"tEXt", b"zTXt", b"iTXt")


def is_png(data: bytes) -> bool:
    return data.startswith(SIGNATURE)


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`."""
    position, metadata, packed, text = len(SIGNATURE), 0, 0, 0
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            break
        length, kind = unpack_from(">I4s", data, position)
        if kind == b"IEND":
            break
        position += 12 + length
        packed += kind in _PACKED
        text += length if kind in _TEXT else 0
        metadata += length if kind not in _PIXELS else 0
    else:
        raise UnusualStructure(f"it has more than {MAX_CHUNKS} chunks")
    if packed > MAX_PACKED_TEXTS:
        raise UnusualStructure(f"it has more than {MAX_PACKED_TEXTS} compressed texts")
    if text > MAX_TEXT_BYTES:
        raise UnusualStructure(f"it has more than {MAX_TEXT_BYTES / 2**20:g} MiB of text")
    width, height, bits, colour = unpack_from(">IIBB", data, len(SIGNATURE) + 8)
    per_pixel = 4
    if colour in (_GREY, _PALETTE):
        per_pixel = 2 if bits == 16 else 1
    memory = per_pixel * width * height + min(metadata, len(data))
    return ImageInfo((width, height), memory)
