"""Pillow's global settings: formats, limits, warnings, and memory that goes back to the system."""

import ctypes
import sys
import warnings
from typing import Final

from PIL import (
    AvifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from classifier.images.formats.png import MAX_TEXT_BYTES

# Pillow imports these three on demand, together with every other decoder: name them instead.
_ON_DEMAND: Final = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)

FORMATS: Final = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]
"""The accepted formats, by Pillow's names. `configure` adds HEIF where pillow-heif is installed."""

# mallopt(3)
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def configure() -> None:
    """Called once, when `classifier.images` is imported."""
    _register_heif()
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT_BYTES
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread would hold its own frames
    # read_image compares sizes itself, with the caller's limit, before any decoding.
    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    # Warnings about odd metadata do not help the operator of a server.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    _return_memory()


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return
    register_heif_opener()
    FORMATS.append("HEIF")


def _return_memory() -> None:
    """Have glibc return a decoder's buffers to the system when they are freed. By default it keeps
    them, for each thread."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2 << 20)
        mallopt(_M_TRIM_THRESHOLD, 8 << 20)
