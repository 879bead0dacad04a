"""EXIF (CIPA DC-008), which is a TIFF directory inside other formats."""

import re
from struct import error as struct_error
from struct import unpack_from
from typing import Final

from classifier.images.formats.directory import (
    ASCII,
    BYTE,
    BYTE_STRINGS,
    UNDEFINED,
    Entry,
    Header,
    count_entries,
    entries,
    numbers,
    read_header,
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

_MAX_DIGITS: Final = 16
"""Length of a text that is read as a number"""

_IN_XMP: Final = r'tiff:Orientation(?:="|>)([0-9])'
"""An attribute or an element (XMP specification, part 2, 3.2)"""


def orientation(exif: bytes, xmp: bytes | str = b"") -> int:
    """The orientation, 1 to 8 (1: upright), by the first directory of an EXIF block, or by XMP if
    that directory has none. 1 if neither has one or it is damaged. Raises nothing.

    `exif` begins with its TIFF header or with "Exif" and two zeros.
    """
    found = _value(exif)
    if found is None:
        found = _in_xmp(xmp)
    return found if 1 <= found <= 8 else 1


def is_ordinary(exif: bytes) -> bool:
    """Whether Pillow reads the directories of an EXIF block in little time and memory. Raises
    nothing; a damaged block is soon read."""
    exif = _without_prefix(exif)
    try:
        header = read_header(exif)
    except (ValueError, struct_error):
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


def _offset(exif: bytes, header: Header, entry: Entry) -> list[int]:
    value = numbers(exif, header, entry, 1)
    return [n for n in value if isinstance(n, int) and n > 0]


def _without_prefix(exif: bytes) -> bytes:
    start = 0
    for _ in range(_MAX_PREFIXES):
        start += len(_PREFIX) if exif.startswith(_PREFIX, start) else 0
    return exif[start:] if start else exif


def _value(exif: bytes) -> int | None:
    """The orientation of the first directory, whatever the number; None without one, 0 if it is
    not a number."""
    exif = _without_prefix(exif)
    if not exif.startswith(_HEADERS):
        return None
    try:
        header = Header(*_classic(exif))
        entry = next(
            (entry for entry in entries(exif, header, header.first) if entry.tag == ORIENTATION),
            None,
        )
        return None if entry is None else _number(exif, header, entry)
    except (ArithmeticError, ValueError, struct_error):
        return 0


def _classic(exif: bytes) -> tuple[str, bool, int]:
    order = "<" if exif.startswith(b"II") else ">"
    return order, False, unpack_from(order + "L", exif, 4)[0]


def _number(exif: bytes, header: Header, entry: Entry) -> int:
    """Raises `ValueError` or `OverflowError` if the value is no finite number."""
    if entry.type in (BYTE, ASCII, UNDEFINED):
        text = exif[entry.position : entry.position + min(entry.length, _MAX_DIGITS)]
        return int(text.removesuffix(b"\0") if entry.type == ASCII else text)
    return int(numbers(exif, header, entry, 1)[0])


def _in_xmp(xmp: bytes | str) -> int:
    """Takes 2 ns per byte at most, whatever the bytes."""
    if isinstance(xmp, str):
        match = re.search(_IN_XMP, xmp)
        return int(match[1]) if match else 1
    in_bytes = re.search(_IN_XMP.encode(), xmp)
    return int(in_bytes[1]) if in_bytes else 1
