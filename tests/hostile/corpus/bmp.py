"""Malformed and malicious BMPs (Windows GDI, BITMAPINFOHEADER)."""

import struct
from typing import Final

from PIL import Image

from tests.hostile.corpus.files import MAX_FILE, Files
from tests.support.pictures import encode

BI_RGB, BI_RLE8, BI_RLE4 = 0, 1, 2
"""Compression"""

INFO_HEADER_BYTES: Final = 40


def _bmp(
    width: int, height: int, bits: int, pixels: bytes, *, coding: int = BI_RGB, colours: int = 0,
    header: int = INFO_HEADER_BYTES, offset: int | None = None,
) -> bytes:  # fmt: skip
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, coding, 0, 0, 0, colours, 0)
    palette = bytes(range(256)) * 4 if bits <= 8 else b""
    begin = 14 + len(info) + len(palette) if offset is None else offset
    file = b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, begin)
    return file + info + palette + pixels


def bmps() -> Files:
    for width, height in ((0, 0), (-1, 5), (5, -(2**31)), (2**31 - 1, 1), (60_000, 60_000),
                          (4000, 4000), (3000, 3000), (6_900_000, 1), (65_000, 100)):  # fmt: skip
        for bits in (1, 4, 8, 16, 24, 32):
            yield f"{width}x{height}-{bits}", _bmp(width, height, bits, bytes(1000))
    yield "row", _bmp(6_800_000, 1, 24, bytes(MAX_FILE))
    yield "row-limit", _bmp(65_000, 100, 24, bytes(65_000 * 300))
    for side in (900, 1000, 3000, 7000):
        for coding, bits in ((BI_RLE8, 8), (BI_RLE4, 4)):
            for name, pair in {
                "run": b"\xff\x01", "one": b"\x01\x01", "line": b"\0\0", "jump": b"\0\x02\xff\xff",
                "literal": b"\0\x03abc\0", "jump-none": b"\0\x02\0\0",
                "literal-long": b"\0\xff" + bytes(256),
            }.items():  # fmt: skip
                count = 18_000_000 // len(pair)
                data = _bmp(side, side, bits, pair * count, coding=coding)
                yield f"rle-{coding}-{side}-{name}", data
    for width, height in ((4200, 4200), (65_000, 270), (270, 65_000)):
        jump = b"\0\x02\x01\xff" * (height // 255 + 1)
        yield f"jump-{width}", _bmp(width, height, 8, jump, coding=BI_RLE8)
        lines = b"\x01\x01\0\0" * height
        yield f"lines-{width}", _bmp(width, height, 4, lines, coding=BI_RLE4)
    for side in (3600, 7000):
        yield f"valid-{side}", encode(Image.new("1", (side, side)), "BMP")
    yield "colours", _bmp(10, 10, 8, bytes(MAX_FILE - 2000), colours=65_536)
    yield "colours-many", _bmp(10, 10, 8, bytes(1000), colours=2**32 - 1)
    for header in (12, 16, 52, 56, 64, 108, 124, 0, 3, 2**31, 2**32 - 1):
        yield f"header-{header}", _bmp(100, 100, 24, bytes(40_000), header=header)
    for coding in (3, 4, 5, 6, 99):
        yield f"coding-{coding}", _bmp(100, 100, 16, bytes(40_000), coding=coding)
    for offset in (0, 1, 2**31, 2**32 - 1):
        yield f"offset-{offset}", _bmp(100, 100, 24, bytes(40_000), offset=offset)
