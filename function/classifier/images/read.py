"""Untrusted bytes -> pixels. Every limit and every rule about image files starts from here."""

import ctypes
import math
import sys
import warnings
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from classifier.images import inspect, limits
from classifier.images.inspect import Header, HeaderError, UnusualCoding, check_exif, read_header
from classifier.images.resize import Box, resize_visible

# Pillow loads these three on demand, together with every other decoder it has: name them instead.
_ON_DEMAND: Final = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)

FORMATS: Final = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]
try:
    from pillow_heif import register_heif_opener  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    pass
else:
    register_heif_opener()
    FORMATS.append("HEIF")

MAX_PIXELS: Final = 64_000_000

MAX_DECODE_BYTES: Final = 56 * 1024 * 1024
"""Memory for decoding an image, beside its file: 13 megapixels of a PNG in colour."""

ImageFile.LOAD_TRUNCATED_IMAGES = False
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = inspect.TEXT
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each would hold frames of its own
# read_image compares sizes itself, with the caller's limit, before any decoding.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# Remarks on odd metadata help nobody who runs a server; what is wrong enough is an error.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _return_memory() -> None:
    """Let glibc give a decoder's buffers back to the system when they are freed: by default it
    keeps them, for each thread anew (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(-3, 2 << 20)
        mallopt(-1, 8 << 20)


_return_memory()

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that undoes each value of the EXIF tag Orientation (EXIF 2.32, 4.6.4)."""

_ORIENTATION_TAG: Final = 0x0112

INTERPOLATIONS: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


_DAMAGED: Final = (
    "The image does not decode ({}). It may be damaged or cut off: "
    "open it in an image viewer, save it anew and send that."
)


class ImageError(ValueError):
    """An image that cannot be classified; the message says why, and what to do."""


class UnsupportedFormat(ImageError):
    """The bytes are not of a format in `FORMATS`."""


class UnreadableImage(ImageError):
    """The format is allowed, but the image does not decode."""


class TooManyPixels(ImageError):
    """The image is larger than the limit on pixels."""


class TooMuchMemory(TooManyPixels):
    """Decoding the image would take more memory than the limit on it."""


class TooSlow(TooManyPixels):
    """Decoding the image would take longer than its size accounts for."""


def read_image(  # noqa: PLR0913
    data: bytes | bytearray | memoryview,
    size: int,
    crop_fraction: float = 0.875,
    *,
    interpolation: str = "bicubic",
    max_pixels: int = MAX_PIXELS,
    max_decode_bytes: int = MAX_DECODE_BYTES,
) -> NDArray[np.uint8]:
    """The pixels a model of input `size` sees of an encoded image, as a person would see it.

    The centred square of side `crop_fraction` times the shorter side is resized to `size` in one
    step. EXIF orientation is applied, transparency is laid over white, of an animation the first
    frame is taken. A JPEG is decoded at the smallest DCT scale that still covers `size`.

    What the decoding will cost is estimated first, and refused where it is more than
    `max_decode_bytes`.

    Returns an array [size, size, 3], uint8, RGB.

    Raises `UnsupportedFormat`, `TooManyPixels` (`TooMuchMemory` and `TooSlow` are such) or
    `UnreadableImage` (all are `ImageError`).
    """
    if not data:
        raise UnreadableImage("The image is empty (0 bytes). Choose a file that holds an image.")
    resample = INTERPOLATIONS[interpolation]
    encoded = bytes(data)  # bytes are not copied, neither here nor by BytesIO
    header = _header(encoded)
    if header.size:
        _check_size(header.size, max_pixels)
        _check_memory(header.opening, header.size, max_decode_bytes)
    with _identify(encoded) as image:
        _check_size(image.size, max_pixels)
        # Decoders meet hostile bytes with whatever their parsers happen to raise (OSError,
        # SyntaxError, struct.error, KeyError, MemoryError, ...). It all means the same.
        try:
            full = image.size
            covering = math.ceil(size / crop_fraction)
            image.draft(None, (covering, covering))
            pixels = full[0] * full[1]
            _check_memory(limits.memory(image, header, pixels), full, max_decode_bytes)
            _check_time(limits.too_slow(image, header, pixels, len(encoded)), full)
            return _decode(image, size, crop_fraction, resample)
        except ImageError:
            raise
        except Exception as error:
            raise _unreadable(error) from error


def _header(data: bytes) -> Header:
    try:
        return read_header(data)
    except UnusualCoding as error:
        raise UnsupportedFormat(
            f"This is {error}, which is not accepted. Convert it to JPEG or PNG and send that."
        ) from None
    except HeaderError as error:
        raise _unreadable(error) from None


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    pixels = size[0] * size[1]
    if pixels > max_pixels:
        raise TooManyPixels(
            f"The image has {pixels / 1e6:.1f} megapixels; at most {max_pixels / 1e6:g} are "
            "accepted. Make it smaller and send it again."
        )
    if max(size) > limits.MAX_EDGE:
        raise TooManyPixels(
            f"The image is {max(size)} pixels long; at most {limits.MAX_EDGE} are accepted. "
            "Make it smaller and send it again."
        )


def _check_memory(needed: int, size: tuple[int, int], max_decode_bytes: int) -> None:
    if needed > max_decode_bytes:
        raise TooMuchMemory(
            f"To decode this image of {size[0] * size[1] / 1e6:.1f} megapixels takes "
            f"{needed / 2**20:.0f} MiB of memory; at most {max_decode_bytes / 2**20:.0f} are "
            "given to one. Make it smaller, or save it as an ordinary (baseline) JPEG, which takes "
            "least."
        )


def _check_time(slow: str, size: tuple[int, int]) -> None:
    if slow:
        raise TooSlow(
            f"The image is {slow}, which takes too long at {size[0] * size[1] / 1e6:.1f} "
            "megapixels. Save it as an ordinary (baseline) JPEG, or make it smaller, and send that."
        )


def _identify(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        if _begins_as_image(data):
            raise UnreadableImage(_DAMAGED.format("its header is damaged")) from error
        raise UnsupportedFormat(
            f"This is not an image of a format that is accepted ({', '.join(FORMATS)}). "
            "Convert it to JPEG or PNG and send that."
        ) from None
    except Exception as error:
        raise _unreadable(error) from error


def _begins_as_image(data: bytes) -> bool:
    """Do the first bytes say that it is of a format in `FORMATS`, whatever comes after?"""
    prefix = data[:16]
    accepting = (Image.OPEN[name][1] for name in FORMATS)
    return any(accept is not None and accept(prefix) is True for accept in accepting)


def _unreadable(error: Exception) -> UnreadableImage:
    return UnreadableImage(_DAMAGED.format(str(error).strip().rstrip(".") or type(error).__name__))


def _decode(
    image: Image.Image, size: int, crop_fraction: float, resample: Image.Resampling
) -> NDArray[np.uint8]:
    image.load()
    # Only now: a TIFF is turned upright by load() itself, which then clears the tag.
    orientation = _orientation(image)
    square = _centred_square(image, crop_fraction)
    resized = resize_visible(image, square, size, resample)
    if resized.mode == "RGBA":
        resized = Image.alpha_composite(Image.new("RGBA", resized.size, "white"), resized)
    # The crop is centred and square, so to turn the result is to turn the image, at less cost.
    upright = resized.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else resized
    # convert() copies even where there is nothing to convert.
    return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    try:
        check_exif(image.info.get("exif", b""))
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged metadata does not make the picture unreadable
        return 1


def _centred_square(image: Image.Image, crop_fraction: float) -> Box:
    side = crop_fraction * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return left, top, left + side, top + side
