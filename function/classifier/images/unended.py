"""JPEGs without an end marker: is only the marker missing, or pixels as well?"""

import zlib
from collections.abc import Callable
from typing import Final

from PIL import Image

from classifier.images.formats import UnusualStructure
from classifier.images.formats.markers import END, RST0, RST7

_NOISE: Final = bytes((37 * n * n + 11 * n) % 0xFF for n in range(64))

_OTHER_BITS: Final = b"\xff\0" + b"".join(
    _NOISE + bytes([0xFF, restart]) for restart in range(RST0, RST7 + 1)
)
"""Ones first, because the decoder takes zeros for missing bits. Restart markers, because a decoder
that expects one skips all bits before it."""

_BAND_BYTES: Final = 1 << 18


def check_complete(open_with: Callable[[bytes], Image.Image], covering: int) -> None:
    """Decode the image with two different endings. A decoder that needs no more bits for the
    pixels does not use them, so the pixels are the same.

    `open_with(ending)` opens the image with these bytes at its end. The last scans of a progressive
    image are details, which a smaller scale would not show; others are decoded at the scale that
    covers `covering` pixels.

    Raises `UnusualStructure` if pixels are missing, and whatever a decoder does.
    """
    sums = set()
    for ending in (END, _OTHER_BITS + _NOISE + END):
        with open_with(ending) as image:
            if "progressive" not in image.info:
                image.draft(None, (covering, covering))
            image.load()
            sums.add(_checksum(image))
    if len(sums) > 1:
        raise UnusualStructure("the file is truncated: its last pixels are missing")


def _checksum(image: Image.Image) -> int:
    """Of the pixels, band by band, because bytes are a copy."""
    rows = max(1, _BAND_BYTES // (len(image.getbands()) * image.width))
    checksum = 0
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        checksum = zlib.crc32(band.tobytes(), checksum)
    return checksum
