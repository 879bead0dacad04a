"""Any of Pillow's modes -> the visible colours, at the size of a model's input."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from PIL import Image

from classifier.images.pixels import Pixels

Box = tuple[float, float, float, float]
"""left, top, right, bottom, in pixels"""

_DIRECT: Final = ("L", "RGB", "RGBX")
"""Modes that are resized as they are"""

_BAND_BYTES: Final = 1 << 20
"""Bytes of RGBA that are converted at a time, so that the memory of a conversion does not grow with
the image"""


def resize_visible(
    image: Image.Image | Pixels,
    part: Box,
    size: int,
    resample: Image.Resampling,
    *,
    keep_inks: bool = False,
) -> Image.Image:
    """The `part` of the image in mode L, RGB, RGBX or RGBA and `size` pixels a side; with
    `keep_inks`, CMYK stays CMYK.

    The image is cropped to the part and the reach of the resampling filter around it (bicubic: 2
    output pixels, Lanczos: 3), and converted band by band. Pillow resizes horizontally first and
    then vertically, so resizing each band horizontally gives the same pixels.
    """
    if (
        isinstance(image, Image.Image)
        and (image.mode in _DIRECT or (keep_inks and image.mode == "CMYK"))
        and "transparency" not in image.info
    ):
        return image.resize((size, size), resample, part)
    across, down = (
        math.ceil(3 * length / size) + 1 for length in (part[2] - part[0], part[3] - part[1])
    )
    left, top = max(0, int(part[0]) - across), max(0, int(part[1]) - down)
    right = min(image.width, math.ceil(part[2]) + across)
    bottom = min(image.height, math.ceil(part[3]) + down)
    rows = max(1, _BAND_BYTES // (4 * (right - left)))
    edges = [*range(top, bottom, rows), bottom]

    def bands() -> Iterator[Image.Image]:
        return (
            image.crop((left, upper, right, lower)) for upper, lower in itertools.pairwise(edges)
        )

    convert = _conversion(image, bands)
    narrow: Image.Image | None = None
    done = 0
    for band in bands():
        converted = convert(band)
        if converted.mode == "RGBA" and resample != Image.Resampling.NEAREST:
            converted = converted.convert("RGBa")  # as Pillow does to resize it
        columns = (part[0] - left, 0, part[2] - left, band.height)
        narrow_band = converted.resize((size, band.height), resample, columns)
        if narrow is None:
            narrow = Image.new(narrow_band.mode, (size, bottom - top))
        narrow.paste(narrow_band, (0, done))
        done += band.height
    assert narrow is not None
    resized = narrow.resize((size, size), resample, (0, part[1] - top, size, part[3] - top))
    return resized.convert("RGBA") if resized.mode == "RGBa" else resized


def _conversion(
    image: Image.Image | Pixels, bands: Callable[[], Iterator[Image.Image]]
) -> Callable[[Image.Image], Image.Image]:
    if image.mode.startswith(("I", "F")):
        return functools.partial(_from_deep_grey, scale=_deep_scale(image.mode, bands()))
    if image.mode == "LAB":
        from PIL import ImageCms  # only here: it takes 2 ms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return lambda band: band.convert(mode)


def _deep_scale(mode: str, bands: Iterator[Image.Image]) -> float:
    """The factor from a 16-bit, 32-bit or float image to 8 bits. The range is 1.0, 255 or 65535,
    the smallest that holds every value."""
    if mode.startswith("I;16"):
        return 255.0 / 65535.0
    highest = max(float(_values(band).max(initial=0.0)) for band in bands)
    if mode == "F" and highest <= 1.0:
        return 255.0
    return 1.0 if highest <= 255.0 else 255.0 / max(highest, 65535.0)


def _from_deep_grey(band: Image.Image, scale: float) -> Image.Image:
    values = _values(band)
    transparent = band.info.get("transparency")
    with np.errstate(over="ignore"):  # of large negative numbers, which become black
        grey = np.clip(values * scale + 0.5, 0, 255).astype(np.uint8)
    if transparent is not None:
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def _values(band: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.nan_to_num(np.asarray(band).astype(np.float32))
