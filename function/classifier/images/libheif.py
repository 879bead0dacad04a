"""Decoding HEIC with pi-heif (libheif and libde265), which is imported when the first one arrives.

pi-heif's plugin for Pillow copies the pixels into Pillow's 4 bytes each, beside the 3 of libheif,
and keeps both: 7.1 bytes for each pixel of a photo. `Pixels` converts them a band at a time: 4.6.

Declined: pillow-heif (its wheels are under the GPL-2.0, because they hold the encoder x265, and
have 27 MB unpacked instead of 4.1).
"""

import functools
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from classifier.images.pixels import Pixels

_GREY_16: Final = "I;16"


@functools.cache
def _library() -> ModuleType | None:
    try:
        pi_heif = import_module("pi_heif")
    except ImportError:
        return None
    options: Any = pi_heif.options
    options.DECODE_THREADS = 1  # each thread would hold its own tile
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    return pi_heif


def is_available() -> bool:
    """Whether pi-heif is installed. Imports it."""
    return _library() is not None


def decode(data: bytes) -> Pixels:
    """The primary image, turned as the file says. Raises what pi-heif raises for damaged files
    (`ValueError`, `RuntimeError`, `EOFError`, `SyntaxError`, `OSError`, `IndexError`)."""
    library = _library()
    assert library is not None
    file: Any = library.open_heif(data, remove_stride=False)
    image = file[file.primary_index]
    pixels = image.data
    mode = _GREY_16 if image.mode.startswith((_GREY_16, "L;16")) else image.mode
    profile = image.info.get("icc_profile")
    info = {"icc_profile": profile} if profile else {}
    return Pixels(mode, image.size, pixels, image.stride, info, format="HEIF", owner=image)
