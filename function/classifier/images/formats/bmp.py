"""BMP (Windows GDI, BITMAPFILEHEADER and BITMAPINFOHEADER)."""

from struct import unpack_from
from typing import Final

from classifier.images.formats import ImageInfo

SIGNATURE: Final = b"BM"

_CORE_HEADER: Final = 12
"""Bytes of a BITMAPCOREHEADER, which has sizes of 16 bits"""

_RLE8, _RLE4 = 1, 2
"""BI_RLE8 and BI_RLE4"""

_RLE_SECONDS: Final = 2.5e-6
"""For each pixel, or byte: Pillow decodes run-length coded BMPs in Python"""


def is_bmp(data: bytes) -> bool:
    return data.startswith(SIGNATURE)


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`."""
    (header,) = unpack_from("<I", data, 14)
    if header == _CORE_HEADER:
        width, height, _, bits = unpack_from("<4H", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = unpack_from("<iiHHI", data, 18)
    size = width, abs(height)
    pixels = size[0] * size[1]
    memory = (1 if bits <= 8 else 4) * pixels
    if compression in (_RLE8, _RLE4):
        seconds = _RLE_SECONDS * max(pixels, len(data))
        return ImageInfo(size, memory, seconds, "a run-length coded BMP")
    return ImageInfo(size, memory)
