"""BMP (Windows GDI: BITMAPFILEHEADER and the headers that follow it; OS/2)."""

from functools import partial
from struct import unpack_from
from typing import Final, NamedTuple

from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure
from classifier.images.formats.memory import CONVERTED_BYTES

SIGNATURE: Final = b"BM"

_FILE_HEADER_BYTES: Final = 14

_CORE_HEADER, _OS2_HEADER = 12, 64
"""Bytes of a BITMAPCOREHEADER, which has sizes of 16 bits, and of the header of OS/2 2.0"""

_HEADERS: Final = (_CORE_HEADER, 40, 52, 56, _OS2_HEADER, 108, 124)
"""Bytes of the headers that Pillow reads"""

_OS2_SHORT_HEADERS: Final = range(16, _OS2_HEADER)
"""OS/2 2.0 allows to leave out the end of its header."""

_RAW, _RLE8, _RLE4, _BITFIELDS = range(4)
"""BI_RGB, BI_RLE8, BI_RLE4, BI_BITFIELDS"""

_OTHER_CODINGS: Final = {
    4: "a BMP that holds a JPEG",
    5: "a BMP that holds a PNG",
    6: "a Windows CE BMP with opacity fields",
    11: "a BMP with CMYK colours",
    12: "a BMP with CMYK colours",
    13: "a BMP with CMYK colours",
}

_DEPTHS: Final = (1, 4, 8, 16, 24, 32)
_OTHER_DEPTHS: Final = (2, 64)
"""Bits a pixel, of Windows CE and GDI+"""

_MASKS: Final[dict[int, set[tuple[int, ...]]]] = {
    16: {(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)},
    24: {(0xFF0000, 0xFF00, 0xFF)},
    32: {
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFF000000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
        (0, 0, 0, 0),
    },
}
"""Bits of red, green, blue and, with 32 bits a pixel, opacity: what Pillow reads"""

_MASKS_POSITION: Final = _FILE_HEADER_BYTES + 40
"""Behind a header of 40 bytes, and inside of the longer ones"""

_OPACITY_HEADER: Final = 56
"""Bytes of the first header that has bits of opacity"""

_SECONDS_PER_CODED_BYTE: Final = 0.19e-6
"""Pillow decodes runs in Python: 0.37 us for a run, of 2 bytes"""

_SECONDS_PER_RUN_PIXEL: Final = 0.14e-6
"""For each pixel of a row that ends early, and each pixel of 4 bits"""

_RUN_COPIES: Final = 2.13
"""Bytes a pixel that Pillow takes beside the image: a list that grows by an eighth at a time, and
its copy"""

_JUMP_ROWS: Final = 256
"""Rows that a jump may skip; Pillow makes them at once"""


_RUN_WEIGHT: Final = 1.5
"""No camera writes runs, so they may take a second: less than `limits.MAX_SECONDS`."""

_LONG_SECONDS: Final = 1.0
"""Above this, what the header does not count among the pixels is left out."""


class _Header(NamedTuple):
    bytes: int
    pixels: int
    """Position of the pixels"""
    width: int
    height: int
    depth: int
    """Bits a pixel"""
    coding: int
    coded_bytes: int
    """Bytes of the pixels, or 0"""
    colours: int
    """Entries of the palette"""


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure` and `UnsupportedCoding`."""
    header = _read_header(data)
    opaque = _check_coding(data, header)
    grey = header.depth <= 8 and _is_grey(data, header)
    memory = header.width * header.height * (1 if header.depth <= 8 else 4)
    if not opaque or (header.depth <= 8 and not grey):
        memory += CONVERTED_BYTES
    info = ImageInfo((header.width, header.height), memory, resized_pixel_bytes=1 if grey else 4)
    return _runs(data, header, info) if header.coding in (_RLE8, _RLE4) else info


def _read_header(data: bytes) -> _Header:
    pixels, length = unpack_from("<II", data, 10)
    if length not in _HEADERS:
        if length in _OS2_SHORT_HEADERS:
            raise UnsupportedCoding("an OS/2 BMP with a short header")
        raise UnusualStructure("its header is damaged")
    if length == _CORE_HEADER:
        width, height, _, depth = unpack_from("<4H", data, 18)
        coding = coded_bytes = colours = 0
    else:
        width, height, _, depth, coding, coded_bytes, _, _, colours = unpack_from(
            "<iiHHIIiiI", data, 18
        )
    if width <= 0 or not height:
        raise UnusualStructure("it is empty")
    return _Header(
        length,
        pixels,
        width,
        abs(height),
        depth,
        coding,
        coded_bytes,
        colours or 1 << min(depth, 8),
    )


def _check_coding(data: bytes, header: _Header) -> bool:
    """Whether the picture is opaque. Raises `UnusualStructure` and `UnsupportedCoding`."""
    if header.bytes == _OS2_HEADER and header.coding > _RLE4:
        raise UnsupportedCoding("an OS/2 BMP with OS/2 compression")
    if header.coding in _OTHER_CODINGS:
        raise UnsupportedCoding(_OTHER_CODINGS[header.coding])
    if header.depth in _OTHER_DEPTHS:
        raise UnsupportedCoding(f"a BMP with {header.depth} bits per pixel")
    if header.depth not in _DEPTHS or header.coding > _BITFIELDS:
        raise UnusualStructure("its header is damaged")
    if header.coding != _BITFIELDS:
        return True
    masks = _masks(data, header)
    if masks not in _MASKS.get(header.depth, ()):
        raise UnsupportedCoding("a BMP with unusual bit fields")
    return header.depth != 32 or (masks[3] == 0 and masks != (0, 0, 0, 0))


def _masks(data: bytes, header: _Header) -> tuple[int, ...]:
    masks: tuple[int, ...] = unpack_from("<3I", data, _MASKS_POSITION)
    if header.depth != 32:
        return masks
    if header.bytes < _OPACITY_HEADER:
        return (*masks, 0)
    return (*masks, *unpack_from("<I", data, _MASKS_POSITION + 12))


def _is_grey(data: bytes, header: _Header) -> bool:
    """Whether Pillow takes the palette for the 256 (or fewer) steps of grey. It reads black and
    white as one bit, however."""
    entry = 3 if header.bytes == _CORE_HEADER else 4
    start = _FILE_HEADER_BYTES + header.bytes
    palette = data[start : start + entry * header.colours]
    steps = bytes(range(min(header.colours, 256)))
    return header.colours > 2 and all(palette[band::entry] == steps for band in range(3))


def _runs(data: bytes, header: _Header, info: ImageInfo) -> ImageInfo:
    """`info` with the cost of run-length coding."""
    pixels = header.width * header.height
    available = max(0, len(data) - header.pixels)
    seconds = _run_seconds(pixels, available)
    replace = None
    if seconds > _LONG_SECONDS and 0 < header.coded_bytes < available:
        seconds = _run_seconds(pixels, header.coded_bytes)
        replace = partial(_cut, data, header.pixels + header.coded_bytes)
    jump = min(pixels, _JUMP_ROWS * header.width)
    return info._replace(
        decode_bytes=info.decode_bytes + int(_RUN_COPIES * pixels) + jump,
        seconds=seconds,
        feature="a run-length coded BMP",
        replace=replace,
    )


def _cut(data: bytes, length: int) -> bytes:
    return data[:length]


def _run_seconds(pixels: int, coded: int) -> float:
    return _RUN_WEIGHT * (_SECONDS_PER_CODED_BYTE * coded + _SECONDS_PER_RUN_PIXEL * pixels)
