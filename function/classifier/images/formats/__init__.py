"""Walks over the structure of image files, one module or package for each format.

Pillow's parsers walk it too, in Python and without a limit: a file of twenty megabytes can hold
millions of empty chunks. Here each walk has an end. Metadata that would take Pillow long to read
is left out of the file that it gets.
"""

from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from classifier.images.pixels import Pixels


class UnusualStructure(ValueError):
    """The structure is damaged, or not one of an image; the message says why."""


class UnsupportedCoding(ValueError):
    """The file is valid, but its pixels are coded in a way that is not decoded here. The message
    is a noun with its article: "a TIFF of floating-point colours"."""


class CodedColours(NamedTuple):
    """Colours that a file states as numbers (ITU-T H.273) instead of a profile."""

    primaries: int
    transfer: int
    """Transfer characteristics: from light to numbers"""


class ImageInfo(NamedTuple):
    """The facts about an encoded image, from the file itself, and what decoding it costs."""

    size: tuple[int, int]
    """Width and height in pixels"""
    decode_bytes: int
    """Peak memory of opening and decoding the image, beside the file"""
    seconds: float = 0.0
    """CPU time of decoding, even if the file holds next to nothing for its pixels. Measured on a
    core of an AMD EPYC at 2.6 GHz"""
    feature: str = ""
    """What makes decoding slow, with its article: "a progressive JPEG of 90 scans" """
    exif: bytes = b""
    """EXIF, from its TIFF header on, where the decoder does not get it"""
    replace: Callable[[], bytes] | None = None
    """Makes a file of the same pixels, without the metadata that is slow to read: at most as long
    as the file, but for a few bytes. None: the file is used itself"""
    parts: tuple[bytes | memoryview, ...] = ()
    """The parts of the file that the decoder gets, one after the other; empty: all of it"""
    scale: int = 1
    """By which the decoder divides width and height"""
    unended: bool = False
    """Whether the file has no end marker: the last part is one. Pixels may be missing as well."""
    decode: Callable[[bytes], Image.Image | Pixels] | None = None
    """Decodes the file, where Pillow would take more memory: raises anything on damaged pixels"""
    resized_pixel_bytes: int = 4
    """Bytes of a pixel while it is resized: 1 for grey, otherwise 4"""
    colours: CodedColours | None = None
    """The colours, unless there is a profile; None: sRGB"""

    @property
    def replacement(self) -> bytes | None:
        """Made with each access, because it takes memory: reserve it before."""
        return self.replace() if self.replace else None
