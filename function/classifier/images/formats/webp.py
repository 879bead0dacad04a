"""WebP (RFC 9649)."""

from struct import unpack_from
from typing import Final

from classifier.images.formats import ImageInfo, UnusualStructure

MAX_CHUNKS: Final = 20_000

_RIFF_HEADER: Final = 12
_METADATA: Final = (b"ICCP", b"EXIF", b"XMP ")


def is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`."""
    position, metadata = _RIFF_HEADER, 0
    size = None
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            break
        kind, length = unpack_from("<4sI", data, position)
        if kind == b"VP8X" and size is None:
            size = (
                1 + int.from_bytes(data[position + 12 : position + 15], "little"),
                1 + int.from_bytes(data[position + 15 : position + 18], "little"),
            )
        metadata += length if kind in _METADATA else 0
        position += 8 + length + (length & 1)
    else:
        raise UnusualStructure(f"it has more than {MAX_CHUNKS} chunks")
    if size is None:
        raise IndexError
    return ImageInfo(size, 17 * size[0] * size[1] + 2 * min(metadata, len(data)))
