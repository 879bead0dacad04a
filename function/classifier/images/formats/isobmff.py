"""AVIF and HEIF: boxes of the ISO base media file format (ISO/IEC 14496-12).

The sample tables may claim any number of frames, and decoders allocate memory for each before the
first is decoded. The tables are found by their names, wherever they are.
"""

from typing import Final

from classifier.images.formats import ImageInfo, UnusualStructure
from classifier.images.formats.tiff import check_exif

MAX_FRAMES: Final = 20_000

MAX_TABLES: Final = 512
"""Tables of one kind"""

_EXIF_BYTES: Final = 1_000_000
"""Bytes that are inspected from each TIFF header on"""

# Boxes of the sample table: samples per chunk, chunk offsets (32 and 64 bits), times
_STSC, _STCO, _CO64, _STTS = b"stsc", b"stco", b"co64", b"stts"


def is_isobmff(data: bytes) -> bool:
    return data[4:8] == b"ftyp"


def inspect(data: bytes, covering: int) -> ImageInfo | None:
    """Raises `UnusualStructure`."""
    in_chunk = max(_values(data, _STSC, entry=12, offset=4), default=0)
    chunks = max([*_counts(data, _STCO), *_counts(data, _CO64)], default=0)
    if max([in_chunk * chunks, *_values(data, _STTS, entry=8, offset=0)], default=0) > MAX_FRAMES:
        raise UnusualStructure(f"it has more than {MAX_FRAMES} frames")
    for byte_order in (b"II*\0", b"MM\0*"):
        found = data.find(byte_order)
        while found >= 0:
            check_exif(data[found : found + _EXIF_BYTES])
            found = data.find(byte_order, found + 4)
    return None


def _counts(data: bytes, name: bytes) -> list[int]:
    """The number of entries of every table of this name."""
    found, counts = data.find(name), []
    while found >= 0 and found + 12 <= len(data):
        counts.append(int.from_bytes(data[found + 8 : found + 12], "big"))
        if len(counts) > MAX_TABLES:
            raise UnusualStructure(f"it has more than {MAX_TABLES} tables")
        found = data.find(name, found + 4)
    return counts


def _values(data: bytes, name: bytes, *, entry: int, offset: int) -> list[int]:
    """The number at `offset` in every entry, of `entry` bytes, of every table of this name."""
    found, values = data.find(name), []
    for count in _counts(data, name):
        if count > MAX_FRAMES:
            raise UnusualStructure(f"it has more than {MAX_FRAMES} entries in a table")
        first = found + 12 + offset
        values += [
            int.from_bytes(data[position : position + 4], "big")
            for position in range(first, first + count * entry, entry)
        ]
        found = data.find(name, found + 4)
    return values
