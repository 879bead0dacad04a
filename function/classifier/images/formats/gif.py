"""GIF (GIF89a specification), up to the first frame."""

from struct import unpack_from
from typing import Final

from classifier.images.formats import ImageInfo, UnusualStructure

SIGNATURES: Final = (b"GIF87a", b"GIF89a")

MAX_BLOCKS: Final = 4000
"""Blocks before the first frame, comments among them: a mebibyte. Pillow joins them one by one."""

_HEADER: Final = 13
"""Bytes of the signature and the logical screen descriptor"""

_EXTENSION: Final = 0x21
_IMAGE_DESCRIPTOR: Final = 0x2C
_TRAILER: Final = 0x3B


def is_gif(data: bytes) -> bool:
    return data.startswith(SIGNATURES)


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`."""
    packed = data[10]
    palette = 3 << ((packed & 7) + 1) if packed & 0x80 else 0
    start = position = _HEADER + palette
    blocks = 0
    while data[position] not in (_IMAGE_DESCRIPTOR, _TRAILER):
        if data[position] == _EXTENSION:
            position += 2
            while data[position]:
                position += 1 + data[position]
                blocks += 1
                if blocks > MAX_BLOCKS:
                    break
        position += 1
        blocks += 1
        if blocks > MAX_BLOCKS:
            raise UnusualStructure(f"it has more than {MAX_BLOCKS} blocks before its first frame")
    width, height = unpack_from("<HH", data, 6)
    if data[position] == _IMAGE_DESCRIPTOR:  # a frame beyond the screen enlarges it
        left, top, frame_width, frame_height = unpack_from("<4H", data, position + 1)
        width, height = max(width, left + frame_width), max(height, top + frame_height)
    # Pillow also allocates a buffer of this size for the frame's disposal.
    return ImageInfo((width, height), 2 * width * height + position - start)
