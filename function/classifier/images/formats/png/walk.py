"""The chunks of a PNG (ISO/IEC 15948, section 5)."""

import zlib
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from classifier.images.formats import UnusualStructure
from classifier.images.formats.records import PATIENCE, count_equal

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

MAX_STEPS: Final = 600_000
"""Chunks, of which equal ones in a row count little. To walk over them takes half a second; in a
file of 96 MiB they have 168 bytes each. Writers cut the pixels into chunks of 8 KiB or more."""

_BEFORE: Final = Struct(">I4s")
"""Length of the data, and kind"""

_HEADER_COLUMNS: Final = slice(_BEFORE.size)
_CHECKSUM_BYTES: Final = 4
_FRAME_BYTES: Final = _BEFORE.size + _CHECKSUM_BYTES


class Chunk(NamedTuple):
    kind: bytes
    position: int
    """Of its length, the first of its bytes"""
    length: int
    """Bytes of its data"""
    repeats: int
    """Chunks of this kind and length that follow each other, at least 1"""

    @property
    def start(self) -> int:
        """Position of the data"""
        return self.position + _BEFORE.size

    @property
    def stride(self) -> int:
        return self.length + _FRAME_BYTES

    @property
    def end(self) -> int:
        """Position behind the last one"""
        return self.position + self.repeats * self.stride

    def is_ancillary(self) -> bool:
        """Whether the picture is complete without it (5.4)."""
        return self.kind[:1].islower()


def chunks(data: bytes, position: int = len(SIGNATURE)) -> Iterator[Chunk]:
    """All chunks from `position` to the end of the file, which may cut off the last one.

    Raises `UnusualStructure` after too many.
    """
    previous, equal = (0, b""), 0
    for _ in range(MAX_STEPS):
        if position + _BEFORE.size > len(data):
            return
        header = length, kind = _BEFORE.unpack_from(data, position)
        equal = equal + 1 if header == previous else 0
        previous = header
        repeats = 1
        if equal >= PATIENCE:
            repeats = max(1, count_equal(data, position, length + _FRAME_BYTES, _HEADER_COLUMNS))
        yield Chunk(kind, position, length, repeats)
        position += repeats * (length + _FRAME_BYTES)
    raise UnusualStructure(f"it has more than {MAX_STEPS} chunks")


def is_intact(data: bytes, chunk: Chunk) -> bool:
    """Whether the chunk, of which there is one, is complete and has the right checksum."""
    if chunk.end > len(data):
        return False
    checked = memoryview(data)[chunk.position + 4 : chunk.end - _CHECKSUM_BYTES]
    checksum = data[chunk.end - _CHECKSUM_BYTES : chunk.end]
    return zlib.crc32(checked) == int.from_bytes(checksum, "big")


def before(kind: bytes, length: int) -> bytes:
    """The bytes of a chunk before its data"""
    return _BEFORE.pack(length, kind)
