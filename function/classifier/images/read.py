"""Encoded image -> pixels: inspect, check the limits, decode, crop."""

import math
from io import BytesIO
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from classifier.errors import UnreadableImage, UnsupportedFormat
from classifier.images import limits
from classifier.images.colour import find_conversion, to_srgb
from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure, exif
from classifier.images.inspect import inspect
from classifier.images.parts import Parts, open_parts
from classifier.images.pillow import FORMATS, PILLOW_FORMATS
from classifier.images.pixels import Pixels
from classifier.images.resize import Box, resize_visible
from classifier.images.unended import check_complete

_UNKNOWN_BYTES_PER_PIXEL: Final = 17
"""The most that a decoder takes; for files whose header only Pillow understands"""

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

_LYING: Final = (5, 6, 7, 8)
"""The orientations of which width and height are exchanged"""

INTERPOLATIONS: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

Resize = Literal["crop", "squash"]
"""Of an image that is not square: crop it, or change its aspect ratio"""

RESIZES: Final = get_args(Resize)

_RESAMPLING_REACH: Final = 3
"""Output pixels; of the widest filter, Lanczos"""

_WEIGHT_BYTES: Final = 8
"""Of a filter's weight, of which each output row has one for each input row in its reach. Those of
a square are part of `limits.WORKING_BYTES`; photos that are squashed may be much higher."""

_MARGIN: Final = 8
"""Rows, for rounding and for filters that enlarge"""

_REPLACEMENT_BYTES: Final = 64 * 1024
"""By which `ImageInfo.replace` may make a file longer"""

_SIGNATURE_BYTES: Final = 16

_DAMAGED: Final = (
    "The image cannot be decoded ({}). It may be damaged or cut off: "
    "open it in an image viewer, save it again and send that."
)


class Photo(NamedTuple):
    """What the model gets of an image: `pixels`, uint8 [size, size, 3], RGB, and the `box` of the
    upright image that they show, in its pixels. `format` is that of the file: `jpeg`, `png`, ..."""

    pixels: NDArray[np.uint8]
    box: Box
    format: str


def read_image(  # noqa: PLR0913
    data: bytes | bytearray | memoryview,
    size: int,
    crop_fraction: float = 0.875,
    *,
    interpolation: str = "bicubic",
    resize: Resize = "crop",
    max_pixels: int = limits.MAX_PIXELS,
    memory: limits.MemoryBudget = limits.UNLIMITED,
) -> NDArray[np.uint8]:
    """The pixels of `read_photo`, with the same arguments and errors."""
    return read_photo(
        data,
        size,
        crop_fraction,
        interpolation=interpolation,
        resize=resize,
        max_pixels=max_pixels,
        memory=memory,
    ).pixels


def read_photo(  # noqa: PLR0913
    data: bytes | bytearray | memoryview,
    size: int,
    crop_fraction: float = 0.875,
    *,
    interpolation: str = "bicubic",
    resize: Resize = "crop",
    max_pixels: int = limits.MAX_PIXELS,
    memory: limits.MemoryBudget = limits.UNLIMITED,
) -> Photo:
    """The pixels of an encoded image, as a person sees it, for a model of input `size`.

    The centred square of side `crop_fraction` times the shorter side is resized to `size` in one
    step; with the resize "squash", the centred rectangle of `crop_fraction` times width and height,
    without keeping its aspect ratio. EXIF orientation is applied, transparency is laid over white,
    the first frame of an animation is taken. A JPEG is decoded at the smallest DCT scale that still
    covers `size`. The thread waits until `memory` has room for decoding (default: no limit).

    Raises `UnsupportedFormat`, `TooManyPixels` (before it decodes: `TooMuchMemory` if it takes more
    than all of `memory`, `TooSlowToDecode`) or `UnreadableImage`; all are `ImageError`.
    """
    if not data:
        raise UnreadableImage("The image is empty (0 bytes). Choose a file that holds an image.")
    encoded = bytes(data)  # bytes are not copied, neither here nor by BytesIO
    covering = math.ceil(size / crop_fraction)
    info = _inspect(encoded, covering)
    limits.check_size(info.size, max_pixels)
    limits.check_time(info)
    with memory.reserve(_memory(info, len(encoded), size, resize)):
        resample = INTERPOLATIONS[interpolation]
        return _decode(encoded, info, covering, size, crop_fraction, resize, resample)


def _inspect(data: bytes, covering: int) -> ImageInfo:
    try:
        info = inspect(data, covering)
    except UnsupportedCoding as error:
        raise UnsupportedFormat(
            f"This is {error}, which is not accepted. Convert it to JPEG or PNG and send that."
        ) from None
    except UnusualStructure as error:
        raise _unreadable(error) from None
    if info is None:
        with _open_with_pillow(data) as image:
            pixels = image.width * image.height
            info = ImageInfo(image.size, _UNKNOWN_BYTES_PER_PIXEL * pixels)
    return info


def _memory(info: ImageInfo, length: int, size: int, resize: Resize) -> int:
    """Bytes that decoding a file of `length` bytes and resizing take, beside the file."""
    height, side = info.size[1] // info.scale, min(info.size) // info.scale
    if resize == "crop":
        reach = 2 * _RESAMPLING_REACH * side // size + _MARGIN
        # The rows of the square and of the filter's reach, resized horizontally, not yet vertically
        rows = min(height + 1, side + reach)
        weights = 0
    else:
        rows = height + 1
        weights = 2 * _RESAMPLING_REACH * height * _WEIGHT_BYTES
    replacement = length + _REPLACEMENT_BYTES if info.replace else 0
    resized = info.resized_pixel_bytes * size * rows + weights
    return limits.WORKING_BYTES + info.decode_bytes + replacement + resized


def _open(data: bytes, info: ImageInfo) -> Image.Image | Pixels:
    if info.decode is None:
        return _open_with_pillow(data, info.parts)
    try:
        return info.decode(data)
    except Exception as error:
        raise _unreadable(error) from error


def _open_with_pillow(data: bytes, parts: Parts = ()) -> Image.Image:
    try:
        return Image.open(open_parts(parts) if parts else BytesIO(data), formats=PILLOW_FORMATS)
    except UnidentifiedImageError as error:
        if _has_signature(data):
            raise UnreadableImage(_DAMAGED.format("its header is damaged")) from error
        raise UnsupportedFormat(
            f"This is not an image of an accepted format ({', '.join(FORMATS)}). {_remedy(data)}"
        ) from None
    except Exception as error:
        raise _unreadable(error) from error


def _remedy(data: bytes) -> str:
    from classifier.images.encoded_text import text_coding  # rare

    coding = text_coding(data)
    if coding is None:
        return "Convert it to JPEG or PNG and send that."
    return (
        f"It is {coding}: decode it and send the bytes, or send the text in JSON, "
        'as {"image": "..."} with the header Content-Type: application/json.'
    )


def _has_signature(data: bytes) -> bool:
    """Whether the first bytes are those of a format in `FORMATS`."""
    prefix = data[:_SIGNATURE_BYTES]
    accepting = (Image.OPEN[name][1] for name in PILLOW_FORMATS)
    return any(accept is not None and accept(prefix) is True for accept in accepting)


def _unreadable(error: Exception) -> UnreadableImage:
    return UnreadableImage(_DAMAGED.format(str(error).strip().rstrip(".") or type(error).__name__))


def _decode(  # noqa: PLR0913, PLR0917
    encoded: bytes,
    info: ImageInfo,
    covering: int,
    size: int,
    crop_fraction: float,
    resize: Resize,
    resample: Image.Resampling,
) -> Photo:
    if info.unended:
        _check_complete(encoded, info, covering)
    with _open(info.replacement or encoded, info) as image:
        # On hostile bytes, decoders raise whatever their parsers happen to raise (OSError,
        # SyntaxError, struct.error, KeyError, MemoryError, ...). It all means the same.
        try:
            if image.width * image.height > info.size[0] * info.size[1]:
                raise UnusualStructure("it has two sizes")
            width, height = image.size  # before a JPEG is decoded at a smaller scale
            image.draft(None, (covering, covering))
            image.load()
            orientation = _orientation(image, info)
            part = _centred_part(image.size, crop_fraction, resize)
            conversion = find_conversion(image)
            keep_inks = conversion is not None
            resized = resize_visible(image, part, size, resample, keep_inks=keep_inks)
        except Exception as error:
            raise _unreadable(error) from error
    if conversion is not None:
        resized = to_srgb(resized, conversion)
    elif info.colours and not image.info.get("icc_profile"):
        from classifier.images.coded_colours import to_srgb as convert_coded  # rare

        resized = convert_coded(resized, info.colours)
    if resized.mode == "RGBA":
        resized = Image.alpha_composite(Image.new("RGBA", resized.size, "white"), resized)
    # The part is centred and the result square, so rotating it rotates the image, at less cost.
    upright = resized.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else resized
    # convert() copies even where there is nothing to convert.
    pixels = np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    size_upright = (height, width) if orientation in _LYING else (width, height)
    name = (image.format or "").lower()
    return Photo(pixels, _centred_part(size_upright, crop_fraction, resize), name)


def _check_complete(encoded: bytes, info: ImageInfo, covering: int) -> None:
    def open_with(ending: bytes) -> Image.Image:
        return _open_with_pillow(encoded, (*info.parts[:-1], ending))

    try:
        check_complete(open_with, covering)
    except UnreadableImage:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def _orientation(image: Image.Image | Pixels, info: ImageInfo) -> int:
    """The EXIF orientation that is still to be undone, 1 to 8."""
    block = info.exif or image.info.get("exif") or _png_profile(image)
    xmp = image.info.get("XML:com.adobe.xmp") or image.info.get("xmp") or b""
    return exif.orientation(block, xmp)


def _png_profile(image: Image.Image | Pixels) -> bytes:
    """EXIF as ImageMagick wrote it into PNG before 2017: three lines, then hexadecimal digits."""
    profile = image.info.get("Raw profile type exif", "")
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""


def _centred_part(size: tuple[int, int], crop_fraction: float, resize: Resize) -> Box:
    sides = (min(size),) * 2 if resize == "crop" else size
    width, height = crop_fraction * sides[0], crop_fraction * sides[1]
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height
