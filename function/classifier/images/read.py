"""Encoded image -> pixels: inspect, check the limits, decode, crop."""

import math
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base

from classifier.errors import (
    ImageError,
    TooManyPixels,
    TooMuchMemory,
    TooSlowToDecode,
    UnreadableImage,
    UnsupportedFormat,
)
from classifier.images import limits
from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure
from classifier.images.formats.tiff import check_exif
from classifier.images.inspect import inspect
from classifier.images.pillow import FORMATS
from classifier.images.resize import Box, resize_visible

MAX_PIXELS: Final = 64_000_000

MAX_DECODE_BYTES: Final = 56 * 1024 * 1024
"""Memory for decoding an image, beside its file: 13 megapixels of a PNG in colour."""

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that undoes each EXIF orientation (EXIF 2.32, 4.6.4)"""

INTERPOLATIONS: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_SIGNATURE_BYTES: Final = 16

_DAMAGED: Final = (
    "The image does not decode ({}). It may be damaged or cut off: "
    "open it in an image viewer, save it again and send that."
)


def read_image(  # noqa: PLR0913
    data: bytes | bytearray | memoryview,
    size: int,
    crop_fraction: float = 0.875,
    *,
    interpolation: str = "bicubic",
    max_pixels: int = MAX_PIXELS,
    max_decode_bytes: int = MAX_DECODE_BYTES,
) -> NDArray[np.uint8]:
    """The pixels of an encoded image, as a person sees it, for a model of input `size`.

    The centred square of side `crop_fraction` times the shorter side is resized to `size` in one
    step. EXIF orientation is applied, transparency is laid over white, the first frame of an
    animation is taken. A JPEG is decoded at the smallest DCT scale that still covers `size`.

    Returns an array [size, size, 3], uint8, RGB.

    Raises `UnsupportedFormat`, `TooManyPixels` (before it decodes: `TooMuchMemory` above
    `max_decode_bytes`, `TooSlowToDecode`) or `UnreadableImage`; all are `ImageError`.
    """
    if not data:
        raise UnreadableImage("The image is empty (0 bytes). Choose a file that holds an image.")
    resample = INTERPOLATIONS[interpolation]
    encoded = bytes(data)  # bytes are not copied, neither here nor by BytesIO
    info = _inspect(encoded)
    if info.size:
        _check_size(info.size, max_pixels)
        _check_memory(info.opening_bytes, info.size, max_decode_bytes)
    with _open(encoded) as image:
        _check_size(image.size, max_pixels)
        # On hostile bytes, decoders raise whatever their parsers happen to raise (OSError,
        # SyntaxError, struct.error, KeyError, MemoryError, ...). It all means the same.
        try:
            full = image.size
            covering = math.ceil(size / crop_fraction)
            image.draft(None, (covering, covering))
            pixels = full[0] * full[1]
            _check_memory(limits.decode_bytes(image, info, pixels), full, max_decode_bytes)
            _check_time(limits.slow_feature(image, info, pixels, len(encoded)), full)
            return _decode(image, size, crop_fraction, resample)
        except ImageError:
            raise
        except Exception as error:
            raise _unreadable(error) from error


def _inspect(data: bytes) -> ImageInfo:
    try:
        return inspect(data)
    except UnsupportedCoding as error:
        raise UnsupportedFormat(
            f"This is {error}, which is not accepted. Convert it to JPEG or PNG and send that."
        ) from None
    except UnusualStructure as error:
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
            f"Decoding this image of {size[0] * size[1] / 1e6:.1f} megapixels takes "
            f"{needed / 2**20:.0f} MiB of memory; the limit is {max_decode_bytes / 2**20:.0f} MiB. "
            "Make it smaller, or save it as a baseline JPEG, which needs the least memory."
        )


def _check_time(slow_feature: str, size: tuple[int, int]) -> None:
    if slow_feature:
        raise TooSlowToDecode(
            f"The image is {slow_feature}, which takes too long at {size[0] * size[1] / 1e6:.1f} "
            "megapixels. Save it as a baseline JPEG, or make it smaller, and send that."
        )


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        if _has_signature(data):
            raise UnreadableImage(_DAMAGED.format("its header is damaged")) from error
        raise UnsupportedFormat(
            f"This is not an image of an accepted format ({', '.join(FORMATS)}). "
            "Convert it to JPEG or PNG and send that."
        ) from None
    except Exception as error:
        raise _unreadable(error) from error


def _has_signature(data: bytes) -> bool:
    """Whether the first bytes are those of a format in `FORMATS`."""
    prefix = data[:_SIGNATURE_BYTES]
    accepting = (Image.OPEN[name][1] for name in FORMATS)
    return any(accept is not None and accept(prefix) is True for accept in accepting)


def _unreadable(error: Exception) -> UnreadableImage:
    return UnreadableImage(_DAMAGED.format(str(error).strip().rstrip(".") or type(error).__name__))


def _decode(
    image: Image.Image, size: int, crop_fraction: float, resample: Image.Resampling
) -> NDArray[np.uint8]:
    image.load()
    # Only now: load() itself rotates a TIFF, and then clears the tag.
    orientation = _orientation(image)
    square = _centred_square(image, crop_fraction)
    resized = resize_visible(image, square, size, resample)
    if resized.mode == "RGBA":
        resized = Image.alpha_composite(Image.new("RGBA", resized.size, "white"), resized)
    # The crop is centred and square, so rotating the result rotates the image, at less cost.
    upright = resized.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else resized
    # convert() copies even where there is nothing to convert.
    return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    try:
        check_exif(image.info.get("exif", b""))
        return int(image.getexif().get(Base.Orientation, 1))
    except Exception:  # damaged metadata does not make the image unreadable
        return 1


def _centred_square(image: Image.Image, crop_fraction: float) -> Box:
    side = crop_fraction * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return left, top, left + side, top + side
