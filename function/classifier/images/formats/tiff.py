"""TIFF (TIFF 6.0, BigTIFF) and EXIF, which is a TIFF inside other formats."""

from struct import unpack_from
from typing import Final

from PIL import TiffTags
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import (
    COMPRESSION,
    COMPRESSION_INFO,
    IMAGELENGTH,
    IMAGEWIDTH,
    ROWSPERSTRIP,
    TILELENGTH,
)

from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure

MAX_ENTRIES: Final = 512
"""Entries of one directory; cameras write about fifty."""

MAX_VALUES: Final = 65_536
"""Numbers in one entry; each becomes a Python object. The longest are the offsets of strips."""

_MAX_DIRECTORIES: Final = 4
_MAX_JPEG_SCANS: Final = 100

ORIENTATION: Final = Base.Orientation.value

_CLASSIC, _BIG = 42, 43
"""The version in the header"""

_COMPRESSIONS: Final = {name: number for number, name in COMPRESSION_INFO.items()}
_NONE: Final = _COMPRESSIONS["raw"]
_JPEG: Final = _COMPRESSIONS["jpeg"]
_DECODED: Final = {
    _COMPRESSIONS[name]
    for name in (
        *("raw", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg"),
        *("tiff_adobe_deflate", "packbits", "tiff_deflate"),
    )
}
"""The rest that libtiff knows is rare in photos, and sizes its memory by numbers in the file."""

_SLONG8, _IFD8 = 17, 18
"""Types of BigTIFF that Pillow has no name for"""

_TYPE_BYTES: Final = {
    TiffTags.BYTE: 1,
    TiffTags.ASCII: 1,
    TiffTags.SHORT: 2,
    TiffTags.LONG: 4,
    TiffTags.RATIONAL: 8,
    TiffTags.SIGNED_BYTE: 1,
    TiffTags.UNDEFINED: 1,
    TiffTags.SIGNED_SHORT: 2,
    TiffTags.SIGNED_LONG: 4,
    TiffTags.SIGNED_RATIONAL: 8,
    TiffTags.FLOAT: 4,
    TiffTags.DOUBLE: 8,
    TiffTags.IFD: 4,
    TiffTags.LONG8: 8,
    _SLONG8: 8,
    _IFD8: 8,
}

_BYTE_STRINGS: Final = {
    TiffTags.BYTE,
    TiffTags.ASCII,
    TiffTags.SIGNED_BYTE,
    TiffTags.UNDEFINED,
}
"""Types whose values stay together as bytes"""

_EXIF: Final = b"Exif\0\0"
_START_OF_FRAME_2: Final = b"\xff\xc2"
_START_OF_SCAN: Final = b"\xff\xda"


def is_tiff(data: bytes) -> bool:
    return data[:2] in (b"II", b"MM") and (_CLASSIC in data[2:4] or _BIG in data[2:4])


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`."""
    tags, metadata = _read_directories(data)
    compression = tags.get(COMPRESSION, _NONE)
    if compression not in _DECODED:
        raise UnsupportedCoding(f"a TIFF with the compression {compression}")
    width, height = tags[IMAGEWIDTH], tags[IMAGELENGTH]
    memory = metadata + 4 * width * height
    if tags.get(ORIENTATION, 1) != 1:
        memory += 4 * width * height
    if compression != _NONE:
        rows = tags.get(TILELENGTH) or min(tags.get(ROWSPERSTRIP, height), height)
        memory += rows * width * 8
    return ImageInfo((width, height), memory)


def check_exif(exif: bytes) -> None:
    """Raises `UnusualStructure` if the directories of `exif` are not like a camera's."""
    while exif.startswith(_EXIF):
        exif = exif[len(_EXIF) :]
    if exif[:2] in (b"II", b"MM"):
        _read_directories(exif)


def _read_directories(data: bytes) -> tuple[dict[int, int], int]:
    """The first value of each tag in the first directory, and the bytes that all directories
    refer to."""
    order = "<" if data[:2] == b"II" else ">"
    big = _BIG in data[2:4]
    offset_format, count_format = order + ("Q" if big else "L"), order + ("Q" if big else "H")
    entry_format = order + ("HHQQ" if big else "HHLL")
    count_size, entry_size, inline_size = (8, 20, 8) if big else (2, 12, 4)
    first: int = unpack_from(offset_format, data, 8 if big else 4)[0]
    tags: dict[int, int] = {}
    referred = 0
    directories = [first]
    for number, start in enumerate(directories):
        count: int = unpack_from(count_format, data, start)[0]
        if count > MAX_ENTRIES:
            raise UnusualStructure(f"it has a directory of more than {MAX_ENTRIES} entries")
        positions = range(start + count_size, len(data) - entry_size + 1, entry_size)
        for position in positions[:count]:
            tag, kind, values, value = unpack_from(entry_format, data, position)
            length = values * _TYPE_BYTES.get(kind, 0)
            if kind not in _BYTE_STRINGS and values > MAX_VALUES:
                raise UnusualStructure(
                    f"it has a directory entry of more than {MAX_VALUES} numbers"
                )
            referred += length if length <= len(data) else 0
            if kind == TiffTags.SHORT and length <= inline_size:
                value = unpack_from(order + "H", data, position + entry_size - inline_size)[0]
            if tag in (IFD.Exif, IFD.GPSInfo, IFD.Interop) and len(directories) < _MAX_DIRECTORIES:
                directories.append(value)
            elif number == 0:
                tags.setdefault(tag, value)
    return tags, referred
