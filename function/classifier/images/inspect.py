"""What an image file says about itself, before any decoder runs."""

from collections.abc import Callable
from typing import Final

from classifier.images.formats import (
    ImageInfo,
    UnsupportedCoding,
    UnusualStructure,
    bmp,
    gif,
    isobmff,
    jpeg,
    png,
    tiff,
    webp,
)

_INSPECTORS: Final[
    list[tuple[Callable[[bytes], bool], Callable[[bytes, int], ImageInfo | None]]]
] = [
    (jpeg.is_jpeg, jpeg.inspect),
    (png.is_png, png.inspect),
    (webp.is_webp, webp.inspect),
    (gif.is_gif, gif.inspect),
    (bmp.is_bmp, bmp.inspect),
    (tiff.is_tiff, tiff.inspect),
    (isobmff.is_isobmff, isobmff.inspect),
]


def inspect(data: bytes, covering: int) -> ImageInfo | None:
    """The facts about an encoded image of which `covering` pixels a side are needed at least.

    None where the format is none of these, or the header is cut off: a decoder reports it better.
    Raises `UnusualStructure` and `UnsupportedCoding`.
    """
    for recognizes, inspect_format in _INSPECTORS:
        if recognizes(data):
            try:
                return inspect_format(data, covering)
            except (UnusualStructure, UnsupportedCoding):
                raise
            except Exception:  # IndexError, struct.error, ...: the file ends early
                return None
    return None
