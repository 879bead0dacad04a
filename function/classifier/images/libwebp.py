"""Decoding WebP with the libwebp that is part of Pillow, called directly.

Pillow decodes every WebP as an animation: with the canvas before and after a frame, it holds 16
bytes for each pixel. libwebp itself decodes into 4 bytes, which are the image then.

Declined: the PyPI packages webp 0.4 (it needs as little memory, but takes cffi and has a second
libwebp, of 2024) and imagecodecs (79 MB unpacked).
"""

import ctypes
import functools
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

_ABI: Final = 0x0200
"""libwebp compares the high byte of WEBP_DECODER_ABI_VERSION (decode.h)."""

_OK: Final = 0
"""VP8_STATUS_OK (decode.h)"""


class Frame(NamedTuple):
    """One picture of a WebP: where it is in the file, and where it belongs on the canvas."""

    canvas: tuple[int, int]
    """Width and height in pixels"""
    left: int
    top: int
    size: tuple[int, int]
    """Width and height in pixels"""
    start: int
    """Offset of the first chunk of its pixels, which may be that of its transparency"""
    end: int
    alpha: bool | None
    """Whether the canvas may be transparent; None: as the picture"""


class _Features(ctypes.Structure):
    """WebPBitstreamFeatures (decode.h)"""

    _fields_ = (
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("has_alpha", ctypes.c_int),
        ("has_animation", ctypes.c_int),
        ("format", ctypes.c_int),
        ("pad", ctypes.c_uint32 * 5),
    )


@functools.cache
def _library() -> ctypes.CDLL | None:
    try:
        from PIL import _webp  # type: ignore[attr-defined,unused-ignore]

        library = ctypes.CDLL(_webp.__file__)  # finds the functions of the libraries that it needs
        address, size = ctypes.c_void_p, ctypes.c_size_t
        library.WebPGetFeaturesInternal.argtypes = (address, size, address, ctypes.c_int)
        library.WebPDecodeRGBAInto.argtypes = (address, size, address, size, ctypes.c_int)
        library.WebPDecodeRGBAInto.restype = address
    except (ImportError, OSError, AttributeError):
        return None
    return library


def is_available() -> bool:
    """Whether libwebp can be called. If not, Pillow decodes."""
    return _library() is not None


def decode(data: bytes, frame: Frame) -> Image.Image:
    """The image in mode RGBA, or RGBX if no pixel can be transparent. Takes 4 bytes for each pixel
    of the canvas and what libwebp takes. Raises `ValueError` if the pixels are damaged."""
    library = _library()
    assert library is not None
    source = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
    assert source is not None
    chunks = source + frame.start, frame.end - frame.start
    features = _Features()
    status = library.WebPGetFeaturesInternal(*chunks, ctypes.byref(features), _ABI)
    if status != _OK or (features.width, features.height) != frame.size:
        raise ValueError("its pixels are damaged")
    width, height = frame.canvas
    covers = frame.size == frame.canvas
    pixels = (np.empty if covers else np.zeros)((height, width, 4), np.uint8)
    skipped = 4 * (frame.top * width + frame.left)
    output = pixels.ctypes.data + skipped, pixels.nbytes - skipped
    if not library.WebPDecodeRGBAInto(*chunks, *output, 4 * width):
        raise ValueError("its pixels are damaged or cut off")
    transparent = features.has_alpha if frame.alpha is None else frame.alpha
    mode = "RGBA" if transparent else "RGBX"
    return Image.frombuffer(mode, frame.canvas, pixels, "raw", mode, 0, 1)
