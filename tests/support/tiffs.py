"""TIFFs of any kind, written from the specification (TIFF 6.0; BigTIFF)."""

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base

Planes = NDArray[np.generic]
"""Samples: [sample, row, column]"""

Tag = tuple[int, bytes | list[int]]
"""Type, and the values or their bytes"""

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8, IFD8 = 1, 2, 3, 4, 5, 7, 16, 18
RAW, JPEG, DEFLATE = 1, 7, 8
GREY, RGB, PALETTE, CMYK, YCBCR, LAB = 1, 2, 3, 5, 6, 8
"""PhotometricInterpretation"""

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
"""SampleFormat"""

CHUNKY, SEPARATE = 1, 2
"""PlanarConfiguration"""

PLANAR: Final = 284
START: Final = 16
"""Offset of the pixels"""

_LETTERS: Final = {SHORT: "H", LONG: "L", RATIONAL: "L", LONG8: "Q"}
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def directory(tags: dict[int, Tag], pixels: bytes, order: str = "<", *, big: bool = False) -> bytes:
    """A file of `pixels`, from offset 16 on, and then the directory of `tags`."""
    pixels += bytes(len(pixels) % 2)
    count, offset, inline = ("Q", "Q", 8) if big else ("H", "L", 4)
    start = START + len(pixels)
    far = start + (8 + 20 * len(tags) + 8 if big else 2 + 12 * len(tags) + 4)
    near, behind = struct.pack(order + count, len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        if isinstance(values, bytes):
            packed, number = values, len(values)
        else:
            packed = struct.pack(f"{order}{len(values)}{_LETTERS[kind]}", *values)
            number = len(values) // 2 if kind == RATIONAL else len(values)
        near += struct.pack(order + "HH" + offset, tag, kind, number)
        if len(packed) > inline:
            near += struct.pack(order + offset, far + len(behind))
            behind += packed + bytes(len(packed) % 2)
        else:
            near += packed.ljust(inline, b"\0")
    mark = b"II" if order == "<" else b"MM"
    if big:
        header = mark + struct.pack(order + "HHHQ", 43, 8, 0, start)
    else:
        header = mark + struct.pack(order + "HL", 42, start)
    return header.ljust(START, b"\0") + pixels + near + bytes(inline) + behind


def make_tiff(
    planes: Planes, bits: int = 8, *, photometric: int = RGB, sample_format: int = UNSIGNED,
    separate: bool = False, order: str = "<", compression: int = RAW, reverse: bool = False,
    extra: tuple[int, ...] = (), rows: int | None = None, tile: tuple[int, int] | None = None,
    big: bool = False, more: dict[int, Tag] | None = None,
) -> bytes:  # fmt: skip
    """A TIFF of `planes`, uncompressed or deflated, in strips of `rows` or in tiles (width,
    height)."""
    samples, height, width = planes.shape
    arrays = [planes[n : n + 1] for n in range(samples)] if separate else [planes]
    blocks = []
    for array in arrays:
        for block in _cut(np.moveaxis(array, 0, 2), rows or height, tile):
            packed = _pack(block, bits, order)
            if compression == DEFLATE:
                packed = zlib.compress(packed, 1)
            blocks.append(packed.translate(_REVERSED) if reverse else packed)
    lengths = [len(block) for block in blocks]
    offsets = [START + sum(lengths[:n]) for n in range(len(blocks))]
    where: dict[int, Tag] = {
        Base.StripOffsets: (LONG, offsets), Base.StripByteCounts: (LONG, lengths),
        Base.RowsPerStrip: (LONG, [rows or height]),
    }  # fmt: skip
    if tile:
        where = {
            Base.TileWidth: (LONG, [tile[0]]), Base.TileLength: (LONG, [tile[1]]),
            Base.TileOffsets: (LONG, offsets), Base.TileByteCounts: (LONG, lengths),
        }  # fmt: skip
    tags: dict[int, Tag] = {
        Base.ImageWidth: (LONG, [width]), Base.ImageLength: (LONG, [height]),
        Base.BitsPerSample: (SHORT, [bits] * samples), Base.Compression: (SHORT, [compression]),
        Base.PhotometricInterpretation: (SHORT, [photometric]), **where,
        Base.SamplesPerPixel: (SHORT, [samples]), PLANAR: (SHORT, [1 + separate]),
    }  # fmt: skip
    if sample_format != UNSIGNED:
        tags[Base.SampleFormat] = SHORT, [sample_format] * samples
    if extra:
        tags[Base.ExtraSamples] = SHORT, list(extra)
    if reverse:
        tags[Base.FillOrder] = SHORT, [2]
    return directory(tags | (more or {}), b"".join(blocks), order, big=big)


def _cut(pixels: Planes, rows: int, tile: tuple[int, int] | None) -> list[Planes]:
    height, width, _ = pixels.shape
    across, down = tile or (width, rows)
    blocks = [pixels[y : y + down, x : x + across]
              for y in range(0, height, down) for x in range(0, width, across)]  # fmt: skip
    if tile is None:
        return blocks
    return [
        np.pad(block, ((0, down - block.shape[0]), (0, across - block.shape[1]), (0, 0)))
        for block in blocks
    ]


def _pack(block: Planes, bits: int, order: str) -> bytes:
    if bits % 8 == 0:
        swapped = block.dtype.newbyteorder("<" if order == "<" else ">")
        return block.astype(swapped).tobytes()
    rows = block.reshape(len(block), -1).astype(np.uint16)
    digits = rows[:, :, None] >> np.arange(bits - 1, -1, -1, dtype=np.uint16) & 1
    return np.packbits(digits.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()
