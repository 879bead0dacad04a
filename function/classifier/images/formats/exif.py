"""EXIF (CIPA DC-008), which is a TIFF directory inside other formats."""

import re
from collections.abc import Iterable
from struct import pack, unpack_from
from typing import Final

from classifier.images.formats.directory import (
    ASCII,
    BYTE,
    BYTE_STRINGS,
    SHORT,
    UNDEFINED,
    Entry,
    Header,
    count_entries,
    entries,
    numbers,
)

MAX_ENTRIES: Final = 512
"""Entries of one directory; cameras write about fifty."""

MAX_NUMBERS: Final = 65_536
"""Numbers in all directories. Pillow makes a Python object of each; rationals take 3 us."""

ORIENTATION: Final = 274
"""Tag (TIFF 6.0, section 8)"""

_EXIF_DIRECTORY, _GPS_DIRECTORY, _INTEROPERABILITY_DIRECTORY = 34665, 34853, 40965
"""Tags whose value is the offset of a directory (EXIF 2.32, 4.6.3)"""

_DIRECTORIES: Final = {_EXIF_DIRECTORY, _GPS_DIRECTORY, _INTEROPERABILITY_DIRECTORY}

_MAX_DIRECTORIES: Final = 4
"""The first one, and one of each kind"""

_PREFIX: Final = b"Exif\0\0"
_MAX_PREFIXES: Final = 2
"""Some writers put it twice; Pillow takes off as many."""

_HEADERS: Final = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"MM\0+")
"""Pillow takes the last as if it were the second."""

_HEADER_BYTES: Final = 8

_MAX_DIGITS: Final = 16
"""Length of a text that is read as a number"""

_IN_XMP: Final = r'tiff:Orientation(?:="|>)([0-9])'
"""An attribute or an element (XMP specification, part 2, 3.2)"""


def make_exif(value: int) -> bytes:
    """An EXIF block of nothing but the orientation `value`."""
    entry = (ORIENTATION, SHORT, 1, value, 0)
    return pack("<4sLHHHLHHL", b"II*\0", 8, 1, *entry, 0)


def orientation(exif: bytes, xmp: bytes | str | memoryview = b"") -> int:
    """The orientation, 1 to 8 (1: upright), by the first directory of an EXIF block, or by XMP if
    that directory has none. 1 if neither has one or it is damaged. Raises nothing.

    `exif` begins with its TIFF header or with "Exif" and two zeros.
    """
    exif = _without_prefix(exif)
    header = _read_header(exif)
    if header is None:
        return _in_xmp(xmp)
    return find_orientation(exif, header, entries(exif, header, header.first), xmp)


def find_orientation(
    data: bytes, header: Header, found: Iterable[Entry], xmp: bytes | str | memoryview = b""
) -> int:
    """As `orientation`, of a directory with the entries `found`."""
    for entry in found:
        if entry.tag == ORIENTATION:
            try:
                value = _number(data, header, entry)
            except (ArithmeticError, ValueError):
                return 1
            return value if 1 <= value <= 8 else 1
    return _in_xmp(xmp)


def is_ordinary(exif: bytes) -> bool:
    """Whether Pillow reads the directories of an EXIF block in little time and memory. Raises
    nothing; a damaged block is soon read."""
    exif = _without_prefix(exif)
    header = _read_header(exif)
    if header is None:
        return True
    found = 0
    directories = [header.first]
    for start in directories:
        if count_entries(exif, header, start) > MAX_ENTRIES:
            return False
        for entry in entries(exif, header, start):
            found += entry.values if entry.type not in BYTE_STRINGS else 0
            if entry.tag in _DIRECTORIES and len(directories) < _MAX_DIRECTORIES:
                directories.extend(_offset(exif, header, entry))
    return found <= MAX_NUMBERS


def _read_header(exif: bytes) -> Header | None:
    """As Pillow reads it: a BigTIFF is not recognized, or is taken for a small one."""
    if len(exif) < _HEADER_BYTES or not exif.startswith(_HEADERS):
        return None
    order = "<" if exif.startswith(b"II") else ">"
    return Header(order, False, unpack_from(order + "L", exif, 4)[0])


def _offset(exif: bytes, header: Header, entry: Entry) -> list[int]:
    value = numbers(exif, header, entry, 1)
    return [n for n in value if isinstance(n, int) and n > 0]


def _without_prefix(exif: bytes) -> bytes:
    start = 0
    for _ in range(_MAX_PREFIXES):
        start += len(_PREFIX) if exif.startswith(_PREFIX, start) else 0
    return exif[start:] if start else exif


def _number(exif: bytes, header: Header, entry: Entry) -> int:
    """Raises `ValueError` or `OverflowError` if the value is no finite number."""
    if entry.type in (BYTE, ASCII, UNDEFINED):
        text = exif[entry.position : entry.position + min(entry.length, _MAX_DIGITS)]
        return int(text.removesuffix(b"\0") if entry.type == ASCII else text)
    return int(numbers(exif, header, entry, 1)[0])


def _in_xmp(xmp: bytes | str | memoryview) -> int:
    """Takes 2 ns per byte at most, whatever the bytes."""
    if isinstance(xmp, str):
        in_text = re.search(_IN_XMP, xmp)
        found = int(in_text[1]) if in_text else 1
    else:
        in_bytes = re.search(_IN_XMP.encode(), xmp)
        found = int(in_bytes[1]) if in_bytes else 1
    return found if 1 <= found <= 8 else 1
