"""What an image file says about itself, before any decoder runs."""

from collections.abc import Callable
from typing import Final

from classifier.images.formats import (
    ImageInfo,
    UnusualStructure,
    gif,
    isobmff,
    jpeg,
    png,
    tiff,
    webp,
)

_INSPECTORS: Final[list[tuple[Callable[[bytes], bool], Callable[[bytes], ImageInfo]]]] = [
    (lambda data: data.startswith(jpeg.SIGNATURE), jpeg.inspect),
    (lambda data: data.startswith(png.SIGNATURE), png.inspect),
    (webp.is_webp, webp.inspect),
    (lambda data: data.startswith(gif.SIGNATURES), gif.inspect),
    (tiff.is_tiff, tiff.inspect),
    (isobmff.is_isobmff, isobmff.inspect),
]


def inspect(data: bytes) -> ImageInfo:
    """The facts about an encoded image; the defaults where the format is none of these, or the
    file ends early, which its decoder reports better. Raises `UnusualStructure`."""
    for recognizes, inspect_format in _INSPECTORS:
        if recognizes(data):
            try:
                return inspect_format(data)
            except UnusualStructure:
                raise
            except Exception:  # IndexError, struct.error, ...: the file ends early
                return ImageInfo()
    return ImageInfo()
