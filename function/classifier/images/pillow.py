"""Pillow's global settings: formats, limits, warnings, and memory that goes back to the system."""

import ctypes
import sys
import warnings
from importlib.util import find_spec
from typing import Final

from PIL import (
    AvifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    _imaging,
)

# Pillow imports these three on demand, together with every other decoder: name them instead.
_ON_DEMAND: Final = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)

PILLOW_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""The formats that Pillow opens, by its names"""

FORMATS: Final = [*PILLOW_FORMATS, *(["HEIF"] if find_spec("pi_heif") else [])]
"""The accepted formats. HEIF takes pi-heif, which is imported when the first such file arrives."""

MAX_TEXT_BYTES: Final = 2 << 20
"""Of a PNG. Only a colour profile comes near it: see `formats.png.metadata`"""

# mallopt(3)
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


_NATIVE: Final = {"F;32BF": "F;32F", "I;32BS": "I;32S", "I;16BS": "I;16S"}
"""Raw modes of big-endian numbers, and those of the same numbers as libtiff gives them"""


class PlainTiff(TiffImagePlugin.TiffImageFile):
    """A TIFF as it is in the file. Pillow turns it upright by its orientation, which takes as much
    memory again, and reads all of its EXIF for that. It also swaps the bytes of some big-endian
    numbers that libtiff has swapped already."""

    def _setup(self) -> None:
        super()._setup()
        self.tile = [
            tile._replace(args=(_NATIVE.get(tile.args[0], tile.args[0]), *tile.args[1:]))
            if tile.codec_name == "libtiff" and isinstance(tile.args, tuple)
            else tile
            for tile in self.tile
        ]

    def load_end(self) -> None:
        self._size = self.im.size  # _setup() has turned it as well


def configure() -> None:
    """Called once, when `classifier.images` is imported."""
    Image.register_open("TIFF", PlainTiff, Image.OPEN["TIFF"][1])
    _silence_libtiff()
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT_BYTES
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread would hold its own frames
    # read_image compares sizes itself, with the caller's limit, before any decoding.
    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    # Warnings about odd metadata do not help the operator of a server.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    _return_memory()


def _silence_libtiff() -> None:
    """libtiff writes its errors to stderr, one for each damaged row. Its functions can be called
    where Pillow bundles it as a shared library, as in the wheels for Linux and macOS."""
    try:
        libraries = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            getattr(libraries, name)(None)
    except (AttributeError, OSError):
        return


def _return_memory() -> None:
    """Have glibc return a decoder's buffers to the system when they are freed. By default it keeps
    them, for each thread."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2 << 20)
        mallopt(_M_TRIM_THRESHOLD, 8 << 20)
