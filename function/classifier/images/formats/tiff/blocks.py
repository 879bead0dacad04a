"""Where the strips or tiles of a TIFF are; both are called blocks here."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifier.images.formats import UnsupportedCoding, UnusualStructure
from classifier.images.formats.directory import LONG, LONG8, SHORT, Entry, Header
from classifier.images.formats.tiff.picture import (
    NONE,
    STRIP_BYTES,
    STRIP_OFFSETS,
    TILE_BYTES,
    TILE_OFFSETS,
    Picture,
)

Numbers = NDArray[np.int64]

_MAX_BLOCKS: Final = 600_000
"""More would take too long. An image of 24 megapixels in tiles of 16 x 16 has 94,000, one of 65,535
rows in four planes 262,140."""

_LARGE_BLOCK: Final = 1 << 20
_MOST_TIMES_LARGER: Final = 10
"""libtiff reads no more than that many times the decoded bytes of a block of more than a
mebibyte."""

_BYTES: Final = {SHORT: 2, LONG: 4, LONG8: 8}


class Blocks(NamedTuple):
    offsets: Numbers
    lengths: Numbers
    """Bytes in the file, as far as it has them"""
    begin: int
    end: int
    """All blocks are between these offsets."""
    has_lengths: bool
    """Whether the directory states the lengths"""
    is_plain: bool
    """Whether the directory has as many numbers as there are blocks"""


def read_blocks(data: bytes, header: Header, picture: Picture) -> Blocks:
    """Raises `UnusualStructure` and `UnsupportedCoding`."""
    layout, tags = picture.layout, picture.tags
    if layout.blocks > _MAX_BLOCKS:
        raise UnsupportedCoding(f"a TIFF with {layout.blocks} strips or tiles")
    in_tiles = layout.tiled and TILE_OFFSETS in tags
    where, sizes = (TILE_OFFSETS, TILE_BYTES) if in_tiles else (STRIP_OFFSETS, STRIP_BYTES)
    if where not in tags:
        raise UnusualStructure("its directory does not say where its pixels are")
    offsets = _read_array(data, header, tags[where], layout.blocks)
    has_lengths = sizes in tags
    if picture.kind.compression == NONE:  # Pillow does not read the lengths
        lengths = np.full_like(offsets, block_bytes(picture))
    elif has_lengths:
        lengths = _read_array(data, header, tags[sizes], layout.blocks)
        longest = _MOST_TIMES_LARGER * block_bytes(picture) + 4096
        lengths = np.minimum(lengths, max(_LARGE_BLOCK, longest))
    else:
        lengths = _gaps(offsets, len(data))
    lengths = np.clip(lengths, 0, np.maximum(0, len(data) - offsets))
    exact = all(tags[tag].values == layout.blocks for tag in (where, sizes) if tag in tags)
    begin = min(int(offsets.min()), len(data))
    end = max(begin, int((offsets + lengths)[offsets < len(data)].max(initial=0)))
    return Blocks(offsets, lengths, begin, end, has_lengths, exact)


def block_bytes(picture: Picture) -> int:
    """Bytes of a whole block, decoded; of one plane, if the planes are separate."""
    kind, layout = picture.kind, picture.layout
    return layout.rows * -(-layout.width * kind.bits // (8 * kind.planes))


def gaps(offsets: Numbers, end: int) -> Numbers:
    """From each offset to the next larger one, in order of the offsets, or to `end`."""
    return np.diff(np.append(np.sort(offsets), end))


def _gaps(offsets: Numbers, end: int) -> Numbers:
    between = np.empty_like(offsets)
    between[np.argsort(offsets)] = gaps(offsets, end)
    return between


def _read_array(data: bytes, header: Header, entry: Entry, count: int) -> Numbers:
    width = _BYTES.get(entry.type)
    if width is None or entry.values < count:
        raise UnusualStructure("its directory lacks some of its strips or tiles")
    found = np.frombuffer(data, f"{header.order}u{width}", count, entry.position)
    if found.max() >= 1 << 62:
        raise UnusualStructure("its strips or tiles are beyond its end")
    return found.astype(np.int64)
