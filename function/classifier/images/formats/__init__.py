"""Walks over the structure of image files, one module for each format.

Pillow's parsers walk it too, in Python and without a limit: a file of twenty megabytes can hold
millions of empty chunks. Here each walk has an end, and a structure that no ordinary file has is
refused.
"""

from typing import NamedTuple


class UnusualStructure(ValueError):
    """The structure is not one of an ordinary image; the message says why."""


class UnsupportedCoding(UnusualStructure):
    """The pixels are coded in a way that is not decoded here."""


class ImageInfo(NamedTuple):
    """What costs memory or time, beside the size of the image."""

    metadata_bytes: int = 0
    """Bytes of metadata, which Pillow copies."""
    scans: int = 1
    """Passes of the decoder over the whole image."""
    coefficient_bytes: float = 0.0
    """Bytes per pixel that libjpeg keeps between scans."""
    strip_rows: int = 0
    """Rows of a TIFF that libtiff decodes at once; 0 where libtiff is not used."""
    size: tuple[int, int] | None = None
    """Width and height, where Pillow allocates them while it opens the file."""
    opening_bytes: int = 0
    """Bytes that Pillow allocates to open the file, before it decodes."""
