"""Writes TIFF files in strips, tiles or one strip, as cameras, scanners and Photoshop do.

Pillow writes strips alone. Tags and values are those of the TIFF 6.0 specification, sections 4, 14,
15 and 22; the deflate coding is in Adobe's TIFF Technical Notes of 2002.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import STRIPBYTECOUNTS, STRIPOFFSETS

STRIP_BYTES: Final = 1 << 16
"""Bytes of decoded pixels in a strip: section 4 recommends about 8 K, writers use more."""

TILE: Final = 256
"""Pixels; section 15 requires a multiple of 16."""

_SHORT: Final = 3
_LONG: Final = 4
_LZW_PREDICTOR: Final = 2
_PHOTOMETRIC: Final = {"L": 1, "RGB": 2, "YCbCr": 6}
_CODES: Final = {"none": 1, "LZW": 5, "JPEG": 7, "deflate": 8}

Box = tuple[int, int, int, int]


def write_tiff(image: Image.Image, coding: str, layout: str) -> bytes:
    """`coding` is none, LZW, deflate or JPEG, `layout` strips, tiles or "one strip"; `image` is RGB
    or L."""
    chunks = [_ENCODERS[coding](image.crop(box)) for box in _boxes(image, layout)]
    tags = _tags(image, coding)
    tiled = layout == "tiles"
    if tiled:
        tags |= {322: [TILE], 323: [TILE]}
    else:
        tags[278] = [_rows(image, layout)]
    content = bytearray(b"II*\0\0\0\0\0")
    offsets = []
    for chunk in chunks:
        offsets.append(len(content))
        content += chunk + bytes(len(chunk) % 2)
    tags[324 if tiled else 273] = offsets
    tags[325 if tiled else 279] = [len(chunk) for chunk in chunks]
    struct.pack_into("<I", content, 4, _append_directory(content, tags))
    return bytes(content)


def _tags(image: Image.Image, coding: str) -> dict[int, list[int]]:
    bands = len(image.getbands())
    colours = "YCbCr" if coding == "JPEG" and bands > 1 else image.mode
    tags = {
        256: [image.width],
        257: [image.height],
        258: [8] * bands,
        259: [_CODES[coding]],
        262: [_PHOTOMETRIC[colours]],
        277: [bands],
    }
    if coding in ("LZW", "deflate"):
        tags[317] = [_LZW_PREDICTOR]
    if colours == "YCbCr":
        tags[530] = [2, 2]
    return tags


def _boxes(image: Image.Image, layout: str) -> Iterator[Box]:
    """Tiles at the edges reach over them."""
    step_x = TILE if layout == "tiles" else image.width
    step_y = TILE if layout == "tiles" else _rows(image, layout)
    for y in range(0, image.height, step_y):
        for x in range(0, image.width, step_x):
            bottom = y + step_y if layout == "tiles" else min(y + step_y, image.height)
            yield x, y, x + step_x, bottom


def _rows(image: Image.Image, layout: str) -> int:
    if layout == "one strip":
        return image.height
    rows = STRIP_BYTES // (image.width * len(image.getbands()))
    return max(16, rows - rows % 16)  # JPEG codes squares of 16 pixels


def _append_directory(content: bytearray, tags: dict[int, list[int]]) -> int:
    """The offset of the directory (section 2)."""
    entries = b""
    for tag, values in sorted(tags.items()):
        kind = _SHORT if max(values) < 1 << 16 and tag not in (273, 324) else _LONG
        packed = struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values)
        if len(packed) > 4:
            content += bytes(len(content) % 2)
            packed, content[len(content) :] = struct.pack("<I", len(content)), packed
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    content += bytes(len(content) % 2)
    offset = len(content)
    content += struct.pack("<H", len(tags)) + entries + bytes(4)
    return offset


def _differences(piece: Image.Image) -> Image.Image:
    """Each sample less the one to the left of it (section 14)."""
    samples = np.asarray(piece)
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return Image.fromarray(differences)


def _lzw(piece: Image.Image) -> bytes:
    """libtiff's coding of one strip, through Pillow."""
    buffer = BytesIO()
    _differences(piece).save(buffer, "TIFF", compression="tiff_lzw", strip_size=1 << 31)
    with Image.open(buffer) as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        (offset,), (count,) = tags[STRIPOFFSETS], tags[STRIPBYTECOUNTS]
    return buffer.getvalue()[offset : offset + count]


def _jpeg(piece: Image.Image) -> bytes:
    buffer = BytesIO()
    piece.save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    return buffer.getvalue()


_ENCODERS: Final[dict[str, Callable[[Image.Image], bytes]]] = {
    "none": Image.Image.tobytes,
    "LZW": _lzw,
    "deflate": lambda piece: zlib.compress(_differences(piece).tobytes(), 6),
    "JPEG": _jpeg,
}
