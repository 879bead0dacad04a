"""JPEGs without an end marker: is only the marker missing, or pixels as well?"""

import zlib
from collections.abc import Callable
from typing import Final

from PIL import Image

from classifier.images.formats import UnusualStructure
from classifier.images.formats.jpeg.markers import END, RST0

_NOISE: Final = bytes((37 * n * n + 11 * n) % 0xFF for n in range(64))

_RESTARTS: Final = 8


def _other_bits(first: bytes, restart: int) -> bytes:
    """Bits, and all restart markers from `restart` on, because a decoder that expects one skips
    all bits before it."""
    codes = [RST0 + (restart + n) % _RESTARTS for n in range(_RESTARTS)]
    return first + b"".join(_NOISE + bytes([0xFF, code]) for code in codes) + _NOISE


_ENDINGS: Final = (
    END,
    _other_bits(b"\xff\0", 0) + END,
    _other_bits(b"\x5a", 4) + END,
)
"""The first bits differ: a decoder takes zeros for bits that are missing. A decoder that expects
one of the two restart markers before the first takes it for a later one, and skips pixels (T.81,
F.2.2.4 leaves it open): not with both."""

_BAND_BYTES: Final = 1 << 18


def check_complete(open_with: Callable[[bytes], Image.Image], covering: int) -> None:
    """Decode the image with different endings. A decoder that needs no more bits for the
    pixels does not use them, so the pixels are the same.

    `open_with(ending)` opens the image with these bytes at its end. The last scans of a progressive
    image are details, which a smaller scale would not show; others are decoded at the scale that
    covers `covering` pixels.

    Raises `UnusualStructure` if pixels are missing, and whatever a decoder does.
    """
    first: int | None = None
    for ending in _ENDINGS:
        with open_with(ending) as image:
            if "progressive" not in image.info:
                image.draft(None, (covering, covering))
            image.load()
            checksum = _checksum(image)
        if first is None:
            first = checksum
        elif checksum != first:
            raise UnusualStructure("the file is truncated: its last pixels are missing")


def _checksum(image: Image.Image) -> int:
    """Of the pixels, band by band, because bytes are a copy."""
    rows = max(1, _BAND_BYTES // (len(image.getbands()) * image.width))
    checksum = 0
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        checksum = zlib.crc32(band.tobytes(), checksum)
    return checksum
