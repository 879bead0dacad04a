"""Memory and time that decoding an image takes, estimated before it is decoded.

The figures are measured peaks of resident memory, rounded up; `make bench-hostile` measures them.
"""

from typing import Final

from PIL import Image
from PIL.ExifTags import Base

from classifier.images.formats import ImageInfo

MAX_EDGE: Final = 65_535
"""Pixels; as in JPEG and GIF. Pillow gathers a whole row of uncompressed pixels piece by piece."""

_WORKING_BYTES: Final = 4 << 20
"""Rows on their way through decoder and resampling, for any image"""

_WHOLE_IMAGE: Final = {"WEBP": 17, "AVIF": 13, "HEIF": 10}
"""Bytes per pixel for decoders that make the image in buffers of their own and hand Pillow a copy:
planes, canvas, the previous canvas, the copy, Pillow's pixels."""

_BYTES_PER_PIXEL: Final = {
    **{"1": 1, "L": 1, "P": 1},
    **{"I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2},
}
"""In Pillow's modes; 4 in all others, RGB among them"""

_MAX_SLOW_PIXELS: Final = 40_000_000
"""Pixels of one byte or less that are unpacked in half a second; a JPEG is decoded smaller."""

_MAX_RLE_PIXELS: Final = 1_000_000
"""Pixels, or bytes, that Pillow's decoder of run-length coded BMPs, in Python, decodes in that
time."""

_MAX_SCAN_PIXELS: Final = 300_000_000
"""Pixels that libjpeg passes over in that time, if a scan has next to nothing for them."""

_BMP_RLE8, _BMP_RLE4 = 1, 2
"""BI_RLE8 and BI_RLE4 (Windows GDI, BITMAPINFOHEADER)"""

_UPRIGHT: Final = 1
"""EXIF orientation of an image that needs no rotation"""


def decode_bytes(image: Image.Image, info: ImageInfo, pixels: int) -> int:
    """Bytes that decoding `image` takes, beside its file; `pixels` is its size before draft()."""
    buffer = _BYTES_PER_PIXEL.get(image.mode, 4) * image.width * image.height
    fixed = _WORKING_BYTES + info.metadata_bytes
    if image.format in _WHOLE_IMAGE:
        return fixed + _WHOLE_IMAGE[image.format] * pixels
    if image.format in ("JPEG", "MPO"):
        return fixed + buffer + int(info.coefficient_bytes * pixels)
    if image.format == "TIFF":
        # Pillow itself rotates a TIFF, into a second buffer.
        rotated = buffer if image.getexif().get(Base.Orientation, _UPRIGHT) != _UPRIGHT else 0
        return fixed + buffer + rotated + info.strip_rows * image.width * 8
    if image.format == "GIF":
        return fixed + info.opening_bytes
    return fixed + buffer


def slow_feature(image: Image.Image, info: ImageInfo, pixels: int, length: int) -> str:
    """The feature that makes `image`, a file of `length` bytes, take too long; "" if none does."""
    if info.scans > 1 and info.scans * pixels > _MAX_SCAN_PIXELS:
        return f"a progressive JPEG of {info.scans} scans"
    rle = image.format == "BMP" and image.info.get("compression") in (_BMP_RLE8, _BMP_RLE4)
    if rle and max(pixels, length) > _MAX_RLE_PIXELS:
        return "a run-length coded BMP"
    if image.format not in ("JPEG", "MPO") and pixels > _MAX_SLOW_PIXELS:
        return f"a {image.format}"
    return ""
