"""Untrusted bytes -> pixels. Every limit and every rule about image files is here."""

import math
import warnings
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

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

Box = tuple[float, float, float, float]
"""left, top, right, bottom, in pixels"""

ImageFile.LOAD_TRUNCATED_IMAGES = False
# read_image compares sizes itself, with the caller's limit, before any decoding.
Image.MAX_IMAGE_PIXELS = None
# Remarks on odd metadata help nobody who runs a server; what is wrong enough is an error.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

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


def read_image(
    data: bytes | bytearray | memoryview,
    size: int,
    crop_fraction: float = 0.875,
    *,
    interpolation: str = "bicubic",
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """The pixels a model of input `size` sees of an encoded image, as a person would see it.

    The centred square of side `crop_fraction` times the shorter side is resized to `size` in one
    step. EXIF orientation is applied, transparency is laid over white, of an animation the first
    frame is taken. A JPEG is decoded at the smallest DCT scale that still covers `size`.

    Returns an array [size, size, 3], uint8, RGB.

    Raises `UnsupportedFormat`, `TooManyPixels` or `UnreadableImage` (all are `ImageError`).
    """
    if not data:
        raise UnreadableImage("The image is empty (0 bytes). Choose a file that holds an image.")
    resample = INTERPOLATIONS[interpolation]
    with _identify(data) as image:
        pixels = image.width * image.height
        if pixels > max_pixels:
            raise TooManyPixels(
                f"The image has {pixels / 1e6:.1f} megapixels; at most {max_pixels / 1e6:g} are "
                "accepted. Make it smaller and send it again."
            )
        # Decoders meet hostile bytes with whatever their parsers happen to raise (OSError,
        # SyntaxError, struct.error, KeyError, MemoryError, ...). It all means the same.
        try:
            return _decode(image, size, crop_fraction, resample)
        except Exception as error:
            raise _unreadable(error) from error


def _identify(data: bytes | bytearray | memoryview) -> Image.Image:
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


def _begins_as_image(data: bytes | bytearray | memoryview) -> bool:
    """Do the first bytes say that it is of a format in `FORMATS`, whatever comes after?"""
    prefix = bytes(data[:16])
    accepting = (Image.OPEN[name][1] for name in FORMATS)
    return any(accept is not None and accept(prefix) is True for accept in accepting)


def _unreadable(error: Exception) -> UnreadableImage:
    return UnreadableImage(_DAMAGED.format(str(error).strip().rstrip(".") or type(error).__name__))


def _decode(
    image: Image.Image, size: int, crop_fraction: float, resample: Image.Resampling
) -> NDArray[np.uint8]:
    covering = math.ceil(size / crop_fraction)
    image.draft(None, (covering, covering))
    image.load()
    # Only now: a TIFF is turned upright by load() itself, which then clears the tag.
    orientation = _orientation(image)
    square = _centred_square(image, crop_fraction)
    visible, square = _to_visible(image, square, margin=math.ceil(3 * _side(square) / size) + 1)
    resized = visible.resize((size, size), resample, square)
    if resized.mode == "RGBA":
        resized = Image.alpha_composite(Image.new("RGBA", resized.size, "white"), resized)
    # The crop is centred and square, so to turn the result is to turn the image, at less cost.
    upright = resized.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else resized
    # convert() copies even where there is nothing to convert.
    return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged metadata does not make the picture unreadable
        return 1


def _centred_square(image: Image.Image, crop_fraction: float) -> Box:
    side = crop_fraction * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return left, top, left + side, top + side


def _side(square: Box) -> float:
    return square[2] - square[0]


def _to_visible(image: Image.Image, square: Box, margin: int) -> tuple[Image.Image, Box]:
    """The image in mode L, RGB or RGBA, and where `square` is in it.

    What has to be converted is first cut down to the square and `margin` pixels around it, which
    the resampling filter reaches (bicubic: 2 output pixels, Lanczos: 3).
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image, square
    left, top = max(0, int(square[0]) - margin), max(0, int(square[1]) - margin)
    right = min(image.width, math.ceil(square[2]) + margin)
    bottom = min(image.height, math.ceil(square[3]) + margin)
    moved = square[0] - left, square[1] - top, square[2] - left, square[3] - top
    return _convert(image.crop((left, top, right, bottom))), moved


def _convert(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _from_deep_grey(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
        return transform.apply(image)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """8-bit grey of a 16-bit, 32-bit or float image: its range is 1.0, 255 or 65535, whichever
    is the smallest that holds every value."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    transparent = image.info.get("transparency")
    highest = 65535.0 if image.mode.startswith("I;16") else float(values.max(initial=0.0))
    if image.mode == "F" and highest <= 1.0:
        scale = 255.0
    elif highest <= 255.0:
        scale = 1.0
    else:
        scale = 255.0 / max(highest, 65535.0)
    grey = np.clip(values * scale + 0.5, 0, 255).astype(np.uint8)
    if transparent is not None:
        grey[values == transparent] = 255
    return Image.fromarray(grey)
