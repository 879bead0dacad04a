"""Memory and time that decoding a TIFF takes. Measured with Pillow 13.0 and libtiff 4.7."""

from typing import Final, NamedTuple

import numpy as np

from classifier.images.formats.tiff.blocks import Blocks, block_bytes, gaps
from classifier.images.formats.tiff.picture import (
    CCITT,
    GROUP3,
    GROUP4,
    JPEG,
    NONE,
    Picture,
)

_PIXEL_BYTES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""Bytes of a pixel in Pillow's memory; 4 in all other modes"""

_CONVERSION_BYTES: Final = 5 << 19
"""Bands of pixels on their way from another mode to RGB"""

_DEEP_CONVERSION_BYTES: Final = 4 << 20
"""The same, of 16 or 32 bits"""

_SAVED_BYTES: Final = 3 << 19
"""Of what is reserved for resizing any image: a block's memory is free again by then"""

_FAX: Final = {CCITT, GROUP3, GROUP4}
_UNCONVERTED: Final = {"L", "RGB"}

_TILE_BYTES: Final = 320
"""Python objects that Pillow makes for each strip or tile of an uncompressed file"""

_BLOCK_BYTES: Final = 48
"""Offset and length of a strip or tile, as Pillow has read them and as libtiff does"""

_COPIES_OF_LIBTIFF: Final = 2

_READ_BYTES: Final = 65_536
"""What Pillow reads at a time after the last strip"""

_KEPT_BYTES: Final = 4 << 20
"""Of the coefficients of a progressive JPEG, which libjpeg has freed, but glibc not yet"""

_JPEG_ROW_BYTES: Final = 32
"""libjpeg's rows of a block on their way, for each pixel of its width"""

_COEFFICIENT_BYTES: Final = 2
_MOST_COEFFICIENTS: Final = 4.0
"""For each pixel: of CMYK without subsampling"""

_NS_PER_PIXEL: Final = 2.4
_NS_PER_BYTE: Final = 2.4
"""Of all samples, decoded: compressions differ little where they hold next to nothing"""

_NS_PER_CONVERTED_PIXEL: Final = 5.0
"""Of modes other than L and RGB"""

_NS_PER_FAX_PIXEL: Final = 2.0
"""CCITT's codes are of runs of pixels."""

_NS_PER_RAW_BLOCK: Final = 7000.0
_NS_PER_BLOCK: Final = 4500.0

_NS_PER_SHARED_BYTE: Final = 5.0
"""For bytes that belong to more than one block: they are decoded again"""

_NS_PER_SCAN_PIXEL: Final = 1.7

_MAX_JPEG_SCANS: Final = 100
"""libtiff stops at more."""

# JPEG markers (ITU-T T.81, table B.1)
_SOF0, _SOF2, _SOF15, _SOS = 0xC0, 0xC2, 0xCF, 0xDA
_NO_FRAMES: Final = {0xC4, 0xC8, 0xCC}
"""DHT, JPG and DAC"""

_START_OF_SCAN: Final = b"\xff\xda"

_MAX_SEGMENTS: Final = 100
"""Before the first scan of a block. libtiff's have three."""

_MAX_WALKED: Final = 2000
"""Blocks that are looked at one by one; those of large files with more are small."""


_LENGTH_BITS: Final = 30
"""More than the length of any file"""


class JpegBlocks(NamedTuple):
    """The facts about the blocks of a TIFF that are each a JPEG."""

    coefficients: int
    """Bytes of those of the largest block that is decoded in several passes"""
    scans: int
    """Of all blocks together, if some block is decoded in several passes; else 0"""


NO_JPEG: Final = JpegBlocks(0, 0)


def decode_bytes(picture: Picture, blocks: Blocks, file_bytes: int, jpeg: JpegBlocks) -> int:
    """Peak memory of decoding in bytes."""
    kind, layout = picture.kind, picture.layout
    pixels = picture.size[0] * picture.size[1]
    image = _PIXEL_BYTES.get(kind.mode, 4) * pixels
    conversion = 0 if kind.mode in _UNCONVERTED else _CONVERSION_BYTES
    if kind.mode.startswith(("I", "F")):
        conversion = _DEEP_CONVERSION_BYTES
    if kind.compression == NONE:
        read = _read_at_once(blocks, file_bytes)
        return image + _TILE_BYTES * layout.blocks + max(read, conversion)
    block = block_bytes(picture) - _SAVED_BYTES
    arrays = _BLOCK_BYTES * layout.blocks
    if kind.compression == JPEG:
        block += _JPEG_ROW_BYTES * layout.width
    if kind.as_rgba:
        # libtiff's own buffer is freed before the image's memory is first written.
        raster = 4 * picture.size[0] * layout.rows
        raster = max(raster - _SAVED_BYTES, min(raster, _CONVERSION_BYTES))
        return arrays + max(image, block) + raster
    # libjpeg's coefficients, too, are freed before.
    kept = min(jpeg.coefficients, _KEPT_BYTES)
    return arrays + max(image, jpeg.coefficients) + kept + max(block, conversion)


def _read_at_once(blocks: Blocks, file_bytes: int) -> int:
    """Pillow reads from the offset of each strip to that of the next, and still holds the bytes
    that it has read before."""
    reads = gaps(blocks.offsets, file_bytes)
    reads[-1] = _READ_BYTES
    reads[reads <= 0] = _READ_BYTES
    return int((reads[1:] + reads[:-1]).max()) if len(reads) > 1 else _READ_BYTES


def decode_seconds(picture: Picture, blocks: Blocks, file_bytes: int, jpeg: JpegBlocks) -> float:
    """CPU time of decoding, with next to nothing in the file for its pixels; but blocks may share
    their bytes."""
    kind, layout = picture.kind, picture.layout
    pixels = layout.blocks * layout.width * layout.rows / kind.planes
    per_pixel = _NS_PER_PIXEL + _NS_PER_BYTE * kind.bits / 8
    if kind.mode not in _UNCONVERTED or kind.as_rgba:
        per_pixel += _NS_PER_CONVERTED_PIXEL
    if kind.compression in _FAX:
        per_pixel += _NS_PER_FAX_PIXEL
    ns = per_pixel * pixels
    ns += (_NS_PER_RAW_BLOCK if kind.compression == NONE else _NS_PER_BLOCK) * layout.blocks
    if kind.compression != NONE:
        ns += _NS_PER_SHARED_BYTE * max(0, int(blocks.lengths.sum()) - file_bytes)
    ns += _NS_PER_SCAN_PIXEL * jpeg.scans * layout.width * layout.rows
    return ns / 1e9


def inspect_jpeg(data: bytes, picture: Picture, blocks: Blocks) -> JpegBlocks:
    """The facts about blocks of JPEG. A progressive one, or one whose first scan lacks a component,
    is decoded in several passes."""
    pixels = picture.layout.width * picture.layout.rows
    places = np.minimum(blocks.offsets, len(data)) << _LENGTH_BITS | blocks.lengths
    _, first, numbers = np.unique(places, return_index=True, return_counts=True)
    lengths = blocks.lengths[first]
    largest = int(_COEFFICIENT_BYTES * _MOST_COEFFICIENTS * pixels)
    if int(lengths.sum()) > len(data):  # they overlap: to search them all could take long
        return JpegBlocks(largest, _MAX_JPEG_SCANS * picture.layout.blocks)
    if len(lengths) > _MAX_WALKED:
        scans = data.count(_START_OF_SCAN, blocks.begin, blocks.end) - len(lengths)
        most_often = min(
            max(0, scans) * int(numbers.max()), _MAX_JPEG_SCANS * picture.layout.blocks
        )
        return JpegBlocks(largest, most_often)
    most, scans = 0.0, 0
    for offset, length, number in zip(
        blocks.offsets[first].tolist(), lengths.tolist(), numbers.tolist(), strict=True
    ):
        coefficients = _coefficients_per_pixel(data, offset, length)
        if coefficients:
            most = max(most, coefficients)
            in_block = data.count(_START_OF_SCAN, offset, offset + length)
            scans += number * min(in_block, _MAX_JPEG_SCANS)
    return JpegBlocks(int(_COEFFICIENT_BYTES * most * pixels), scans)


def _coefficients_per_pixel(data: bytes, start: int, length: int) -> float:
    """Coefficients for each pixel of a JPEG that is decoded in several passes; 0 of another, or a
    damaged one."""
    position, end = start + 2, min(start + length, len(data))
    frame, per_pixel, components = 0, 0.0, 0
    for _ in range(_MAX_SEGMENTS):
        if position + 10 > end or data[position] != 0xFF:
            return 0.0
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == _SOS:
            whole = data[position + 4] >= components
            return 0.0 if whole and frame != _SOF2 else per_pixel
        if _SOF0 <= marker <= _SOF15 and marker not in _NO_FRAMES:
            frame, components = marker, data[position + 9]
            factors = data[position + 11 : position + 10 + 3 * components : 3]
            samples = [(factor >> 4) * (factor & 15) for factor in factors]
            per_pixel = sum(samples) / max(1, max(samples, default=1))
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return _MOST_COEFFICIENTS


def metadata_bytes(picture: Picture) -> int:
    """Memory that the values of all tags take but those of where the blocks are. Pillow reads the
    longest in pieces, and then joins them."""
    copies = 1 if picture.kind.compression == NONE else _COPIES_OF_LIBTIFF
    return copies * sum(picture.metadata)
