"""What decoding an image costs, estimated before it is done.

The figures are measured peaks of resident memory, rounded up (tests/measure/images.py measures them
again).
"""

from typing import Final

from PIL import Image

from classifier.images.inspect import Header

MAX_EDGE: Final = 65_535
"""Pixels; as in JPEG and GIF. Pillow gathers a whole row of uncompressed pixels piece by piece."""

_WORKING: Final = 4 << 20
"""Bytes for rows on their way through decoder and resampling, whatever the image."""

_WHOLE: Final = {"WEBP": 17, "AVIF": 13, "HEIF": 10}
"""Bytes a pixel for decoders that make the picture in buffers of their own and hand Pillow a copy:
planes, canvas, the canvas before it, the copy, Pillow's pixels."""

_BUFFER: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes a pixel in Pillow's modes; 4 in all others, RGB among them."""

_WHOLE_PIXELS: Final = 40_000_000
"""Pixels of one byte or less that are unpacked in half a second; a JPEG is decoded smaller."""

_RLE_PIXELS: Final = 1_000_000
"""Pixels, or bytes, that Pillow's decoder of run-length coded BMPs takes as long for: it is in
Python."""

_SCAN_PIXELS: Final = 300_000_000
"""Pixels that libjpeg passes over in as long, if a scan has next to nothing for them."""


def memory(image: Image.Image, header: Header, pixels: int) -> int:
    """Bytes that decoding `image` takes beside its file; `pixels` is its size before draft()."""
    buffer = _BUFFER.get(image.mode, 4) * image.width * image.height
    fixed = _WORKING + header.kept
    if image.format in _WHOLE:
        return fixed + _WHOLE[image.format] * pixels
    if image.format in ("JPEG", "MPO"):
        return fixed + buffer + int(header.coefficients * pixels)
    if image.format == "TIFF":
        # A TIFF is turned upright by Pillow itself, into a second buffer.
        turned = buffer if image.getexif().get(0x0112, 1) != 1 else 0
        return fixed + buffer + turned + header.strip_rows * image.width * 8
    if image.format == "GIF":
        return fixed + header.opening
    return fixed + buffer


def too_slow(image: Image.Image, header: Header, pixels: int, length: int) -> str:
    """What makes `image`, a file of `length` bytes, take too long; empty if nothing does."""
    if header.scans > 1 and header.scans * pixels > _SCAN_PIXELS:
        return f"a progressive JPEG of {header.scans} scans"
    run_length_coded = image.format == "BMP" and image.info.get("compression") in (1, 2)
    if run_length_coded and max(pixels, length) > _RLE_PIXELS:
        return "a run-length coded BMP"
    if image.format not in ("JPEG", "MPO") and pixels > _WHOLE_PIXELS:
        return f"a {image.format}"
    return ""
