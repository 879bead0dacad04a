"""What an image file says about itself, before any decoder runs."""

from collections.abc import Callable
from importlib import import_module
from typing import Final

from classifier.images import formats
from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure, jpeg

_TIFF: Final = (b"II*\0", b"II\0*", b"MM\0*", b"MM*\0", b"II+\0", b"II\0+", b"MM\0+", b"MM+\0")
"""TIFF 6.0 and BigTIFF; Pillow takes some with the version in the other byte order."""

_SIGNATURES: Final[list[tuple[str, Callable[[bytes], bool]]]] = [
    ("jpeg", lambda data: data.startswith(jpeg.SIGNATURE)),
    ("png", lambda data: data.startswith(b"\x89PNG\r\n\x1a\n")),
    ("webp", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP"),
    ("gif", lambda data: data.startswith((b"GIF87a", b"GIF89a"))),
    ("bmp", lambda data: data.startswith(b"BM")),
    ("tiff", lambda data: data.startswith(_TIFF)),
    ("isobmff", lambda data: data[4:8] == b"ftyp"),
]
"""Modules of `formats`, and the beginnings of their files. They are imported with the first such
file, but for JPEG: all of them would take 16 ms of a cold start."""


def has_signature(data: bytes) -> bool:
    """Whether `data` begins like a file of an accepted format."""
    return any(recognizes(data) for _, recognizes in _SIGNATURES)


def inspect(data: bytes, covering: int) -> ImageInfo | None:
    """The facts about an encoded image of which `covering` pixels a side are needed at least.

    None where the format is none of these, or the header is cut off: a decoder reports it better.
    Raises `UnusualStructure` and `UnsupportedCoding`.
    """
    for module, recognizes in _SIGNATURES:
        if recognizes(data):
            inspect_format = import_module(f"{formats.__name__}.{module}").inspect
            try:
                info: ImageInfo | None = inspect_format(data, covering)
            except (UnusualStructure, UnsupportedCoding):
                raise
            except Exception:  # IndexError, struct.error, ...: the file ends early
                return None
            return info
    return None
