"""The directories of a TIFF (TIFF 6.0, section 2; BigTIFF), which EXIF has too.

Entries are read and skipped as Pillow does it, so that both find the same tags.
"""

from collections.abc import Iterator
from struct import error as struct_error
from struct import iter_unpack, unpack_from
from typing import Final, NamedTuple

BIG: Final = 43
"""The version in the header of a BigTIFF; others have 42."""

# Types of values (TIFF 6.0, section 2; the last three: BigTIFF)
BYTE, ASCII, SHORT, LONG, RATIONAL, SIGNED_BYTE, UNDEFINED = 1, 2, 3, 4, 5, 6, 7
SIGNED_SHORT, SIGNED_LONG, SIGNED_RATIONAL, FLOAT, DOUBLE, IFD = 8, 9, 10, 11, 12, 13
LONG8, SIGNED_LONG8, IFD8 = 16, 17, 18

_NUMBERS: Final = {
    BYTE: "B",
    SHORT: "H",
    LONG: "L",
    RATIONAL: "LL",
    SIGNED_BYTE: "b",
    SIGNED_SHORT: "h",
    SIGNED_LONG: "l",
    SIGNED_RATIONAL: "ll",
    FLOAT: "f",
    DOUBLE: "d",
    IFD: "L",
    LONG8: "Q",
    SIGNED_LONG8: "q",
    IFD8: "Q",
}
"""The struct format of one value"""

_BYTES: Final = {
    BYTE: 1,
    ASCII: 1,
    SHORT: 2,
    LONG: 4,
    RATIONAL: 8,
    SIGNED_BYTE: 1,
    UNDEFINED: 1,
    SIGNED_SHORT: 2,
    SIGNED_LONG: 4,
    SIGNED_RATIONAL: 8,
    FLOAT: 4,
    DOUBLE: 8,
    IFD: 4,
    LONG8: 8,
    SIGNED_LONG8: 8,
    IFD8: 8,
}
"""Bytes of one value"""

BYTE_STRINGS: Final = {BYTE, ASCII, UNDEFINED}
"""Types whose values Pillow keeps together as bytes; the others become a number each."""

_UNKNOWN_TO_PILLOW: Final = {SIGNED_LONG8, IFD8}

_MAX_ENTRIES: Final = 1 << 16
"""Entries of a directory: as many tags are there. A BigTIFF may claim more."""

_LARGEST_OFFSET: Final = 2**63 - 1
"""The largest position in a file that Pillow seeks"""


class Header(NamedTuple):
    order: str
    """Of the bytes: "<" or ">", as in `struct`"""
    big: bool
    """Whether it is a BigTIFF, with counts and offsets of 8 bytes"""
    first: int
    """Offset of the first directory"""


class Entry(NamedTuple):
    tag: int
    type: int
    values: int
    """Number of values"""
    position: int
    """Offset of the values, in bytes"""
    length: int
    """Bytes of the values"""


def read_header(data: bytes) -> Header:
    """Raises `ValueError` if `data` does not begin as a TIFF, `struct.error` if it ends early."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("not a TIFF header")
    version = unpack_from(order + "H", data, 2)[0]
    big = version == BIG
    first: int = unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)[0]
    return Header(order, big, first)


def count_entries(data: bytes, header: Header, start: int) -> int:
    """The number of entries that the directory at `start` claims; 0 if it is not in `data`."""
    if start > len(data):
        return 0
    try:
        return int(unpack_from(header.order + ("Q" if header.big else "H"), data, start)[0])
    except struct_error:
        return 0


def entries(data: bytes, header: Header, start: int) -> Iterator[Entry]:
    """The entries of the directory at `start`, as far as they are in `data`, without those that
    Pillow skips: of unknown types, and whose values are not in `data`."""
    count_size, entry_size, inline = (8, 20, 8) if header.big else (2, 12, 4)
    seen = bytearray(1 << 16)  # a flag for each tag
    far = 0
    position = start + count_size + entry_size - inline
    for tag, kind, values, offset in _claims(data, header, start):
        here, position = position, position + entry_size
        length = values * _BYTES.get(kind, 0)
        if length == 0 or seen[tag] or kind in _UNKNOWN_TO_PILLOW:
            continue
        if length > inline:
            if offset > _LARGEST_OFFSET:
                continue
            far += length
            if far > len(data):
                continue
            if offset + length > len(data):
                return  # Pillow reads no further entry
            here = offset
        seen[tag] = True
        yield Entry(tag, kind, values, here, length)


def claimed_tags(data: bytes, header: Header, start: int) -> Iterator[int]:
    """The tags of all entries of a directory, those that Pillow skips among them."""
    return (tag for tag, _, _, _ in _claims(data, header, start))


def _claims(data: bytes, header: Header, start: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, number of values, and values or offset."""
    count_size, entry_size = (8, 20) if header.big else (2, 12)
    begin = start + count_size
    complete = max(0, len(data) - begin) // entry_size
    complete = min(complete, count_entries(data, header, start), _MAX_ENTRIES)
    packed = memoryview(data)[begin : begin + complete * entry_size]
    return iter_unpack(header.order + ("HHQQ" if header.big else "HHLL"), packed)


def numbers(data: bytes, header: Header, entry: Entry, most: int) -> tuple[float, ...]:
    """The first values of an entry, at most `most`, rationals as their quotient (0/0: nan). Empty
    for text."""
    form = _NUMBERS.get(entry.type)
    if form is None:
        return ()
    count = min(most, entry.values)
    found = unpack_from(f"{header.order}{count * len(form)}{form[0]}", data, entry.position)
    if len(form) == 1:
        return found
    return tuple(
        above / below if below else float("nan")
        for above, below in zip(found[::2], found[1::2], strict=True)
    )
