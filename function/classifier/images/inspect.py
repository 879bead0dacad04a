"""What an image file says about itself, before any decoder runs."""

from collections.abc import Callable
from typing import Final

from classifier.images.formats import (
    ImageInfo,
    UnsupportedCoding,
    UnusualStructure,
    bmp,
    gif,
    jpeg,
    png,
    tiff,
)


# Their parsers have many modules, which a cold start does without: 8 ms.
def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _inspect_webp(data: bytes, covering: int) -> ImageInfo:
    from classifier.images.formats import webp

    return webp.inspect(data, covering)


def _is_isobmff(data: bytes) -> bool:
    return data[4:8] == b"ftyp"


def _inspect_isobmff(data: bytes, covering: int) -> ImageInfo:
    from classifier.images.formats import isobmff

    return isobmff.inspect(data, covering)


_INSPECTORS: Final[
    list[tuple[Callable[[bytes], bool], Callable[[bytes, int], ImageInfo | None]]]
] = [
    (jpeg.is_jpeg, jpeg.inspect),
    (png.is_png, png.inspect),
    (_is_webp, _inspect_webp),
    (gif.is_gif, gif.inspect),
    (bmp.is_bmp, bmp.inspect),
    (tiff.is_tiff, tiff.inspect),
    (_is_isobmff, _inspect_isobmff),
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
