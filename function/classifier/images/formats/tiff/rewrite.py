"""A TIFF with a directory of nothing but the picture, for files whose own one is odd."""

from struct import pack
from typing import Final

from classifier.images.formats.directory import BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Header
from classifier.images.formats.tiff.blocks import Blocks, Numbers
from classifier.images.formats.tiff.picture import (
    BITS,
    COLOUR_MAP,
    COMPRESSION,
    EXTRA_SAMPLES,
    FILL_ORDER,
    ICC_PROFILE,
    JPEG_TABLES,
    LENGTH,
    PHOTOMETRIC,
    PLANAR,
    PREDICTOR,
    REFERENCE_BLACK_WHITE,
    ROWS_PER_STRIP,
    SAMPLE_FORMAT,
    SAMPLES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    T4_OPTIONS,
    T6_OPTIONS,
    TILE_BYTES,
    TILE_LENGTH,
    TILE_OFFSETS,
    TILE_WIDTH,
    WIDTH,
    YCBCR_COEFFICIENTS,
    YCBCR_SUBSAMPLING,
    Fields,
    Picture,
)

_NUMBERS: Final = (
    WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PLANAR, T4_OPTIONS,
    T6_OPTIONS, PREDICTOR, EXTRA_SAMPLES, SAMPLE_FORMAT, YCBCR_SUBSAMPLING,
)  # fmt: skip
"""Tags of a few integers"""

_STRIPS: Final = (ROWS_PER_STRIP,)
_TILES: Final = (TILE_WIDTH, TILE_LENGTH)

_COPIED: Final = {
    COLOUR_MAP: ({SHORT}, 6 << 16),
    JPEG_TABLES: ({BYTE, UNDEFINED}, 1 << 16),
    YCBCR_COEFFICIENTS: ({RATIONAL}, 3 * 8),
    REFERENCE_BLACK_WHITE: ({RATIONAL}, 6 * 8),
    ICC_PROFILE: ({BYTE, UNDEFINED}, 4 << 20),
}
"""Tags whose values are copied as they are: their types, and the most bytes. CMYK profiles have
half a mebibyte to three."""

_START: Final = 8
"""Offset of the pixels: after the header"""


def rewrite(data: bytes, header: Header, picture: Picture, blocks: Blocks) -> bytes:
    """The same picture without metadata."""
    pixels = memoryview(data)[blocks.begin : blocks.end]
    moved = blocks.offsets - blocks.begin + _START
    fields = Fields(data, header, picture.tags)
    values = {tag: fields.values(tag) for tag in _NUMBERS}
    values |= {tag: fields.values(tag) for tag in (_TILES if picture.layout.tiled else _STRIPS)}
    values |= picture.kind.tags
    entries = _copies(data, picture)
    entries |= {tag: _integers(header, found) for tag, found in values.items() if found}
    tiled = picture.layout.tiled
    entries[TILE_OFFSETS if tiled else STRIP_OFFSETS] = _longs(header, moved)
    if blocks.has_lengths:
        entries[TILE_BYTES if tiled else STRIP_BYTES] = _longs(header, blocks.lengths)
    at = _START + len(pixels) + len(pixels) % 2  # directories begin on a word (section 2)
    start = (b"II" if header.order == "<" else b"MM") + pack(header.order + "HL", 42, at)
    return b"".join([start, pixels, bytes(len(pixels) % 2), _directory(header, entries, at)])


_Values = tuple[int, int, bytes]
"""Type, number and bytes"""


def _integers(header: Header, values: tuple[int, ...]) -> _Values:
    kind, letter = (SHORT, "H") if max(values) < 1 << 16 else (LONG, "L")
    clipped = [min(value, (1 << 32) - 1) for value in values]
    return kind, len(values), pack(f"{header.order}{len(values)}{letter}", *clipped)


def _longs(header: Header, values: Numbers) -> _Values:
    return LONG, len(values), values.astype(header.order + "u4").tobytes()


def _copies(data: bytes, picture: Picture) -> dict[int, _Values]:
    copies = {}
    for tag, (kinds, most) in _COPIED.items():
        entry = picture.tags.get(tag)
        if entry is not None and entry.length <= most and entry.type in kinds:
            found = data[entry.position : entry.position + entry.length]
            copies[tag] = (entry.type, entry.values, found)
    return copies


def _directory(header: Header, entries: dict[int, _Values], at: int) -> bytes:
    """The directory that begins at offset `at`, and its values."""
    far_at = at + 2 + 12 * len(entries) + 4
    near, far = [pack(header.order + "H", len(entries))], []
    for tag, (kind, count, packed) in sorted(entries.items()):
        near.append(pack(header.order + "HHL", tag, kind, count))
        if len(packed) <= 4:
            near.append(packed.ljust(4, b"\0"))
        else:
            near.append(pack(header.order + "L", far_at))
            far.append(packed + bytes(len(packed) % 2))
            far_at += len(far[-1])
    return b"".join([*near, bytes(4), *far])
