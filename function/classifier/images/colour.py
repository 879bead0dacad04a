"""ICC profiles of images: their colours -> sRGB, which models are trained on.

A profile is applied to the resized image, where it costs a millisecond; one of sRGB is not applied.
The intent is perceptual, as in Chromium and Firefox, where people look at most photos.
"""

import hashlib
import itertools
import threading
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PIL import Image

from classifier.images.icc import is_named_srgb, reduce_profile
from classifier.images.pixels import Pixels

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

MAX_PROFILE_BYTES: Final = 4 << 20
"""Profiles of presses have up to 3 MB. Hashing takes 0.8 ms for each."""

MAX_CONVERSIONS: Final = 16
"""Conversions that are kept; the largest, of a table for three channels, takes 0.3 MB."""

_INK_GRID_POINTS: Final = 11
"""For each of four inks. Computing the table takes 7 ms, and 33 with the 17 points that Little CMS
would take; colours differ by half a level more."""

_SAME_LEVELS: Final = 3
"""A profile is one of sRGB if no colour changes by more levels, of 255. The few points on the
curves of the smallest such profiles cost one or two."""

_LEAST_WHITE: Final = 192
_MOST_BLACK: Final = 128
"""Levels of each channel. Other profiles are damaged: white of devices and paper becomes 255, and
black of newspapers less than 100."""

_MODES: Final = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
"""Pillow's mode of the pixels in each ICC colour space"""


class Conversion(NamedTuple):
    """From pixels in `mode`, which is RGB, L or CMYK, to sRGB. Threads may share it."""

    mode: str
    transform: "ImageCmsTransform"


_conversions: Final[dict[bytes, Conversion | None]] = {}
"""By the hash of the profile, oldest first"""
_building: Final = threading.Lock()


def find_conversion(image: Image.Image | Pixels) -> Conversion | None:
    """The conversion of the image's colours, before or after it was resized.

    None where its colours are sRGB or have no profile, and where the profile is damaged or one for
    images of another kind.
    """
    profile = image.info.get("icc_profile")
    if not profile or not isinstance(profile, bytes) or len(profile) > MAX_PROFILE_BYTES:
        return None
    conversion = _cached(profile)
    return conversion if conversion and conversion.mode == _colour_mode(image.mode) else None


def to_srgb(image: Image.Image, conversion: Conversion) -> Image.Image:
    """An image in mode L, RGB, RGBA or CMYK with its colours converted: RGB, or RGBA as before."""
    pixels = image if image.mode == conversion.mode else image.convert(conversion.mode)
    converted = conversion.transform.apply(pixels)
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted


def _colour_mode(mode: str) -> str:
    if mode in ("1", "L", "LA", "La", "F") or mode.startswith("I"):
        return "L"
    return mode if mode in ("CMYK", "LAB") else "RGB"


def _cached(profile: bytes) -> Conversion | None:
    key = hashlib.sha256(profile).digest()
    try:
        return _conversions[key]
    except KeyError:
        with _building:  # one at a time: each takes memory
            if key not in _conversions:
                if len(_conversions) >= MAX_CONVERSIONS:
                    del _conversions[next(iter(_conversions))]
                _conversions[key] = _build(profile)
            return _conversions[key]


def _build(profile: bytes) -> Conversion | None:
    try:
        conversion = _conversion(profile)
    except Exception:  # the profile is damaged, or Pillow was built without Little CMS
        return None
    return conversion if conversion and _is_useful(conversion) else None


def _conversion(profile: bytes) -> Conversion | None:
    # Only here: few photos need it, and the import takes 2 ms.
    from PIL import ImageCms

    reduced = reduce_profile(profile)
    # Apple's "sRGB Profile" of 2003 has another curve than sRGB: dark greys are 9 levels off.
    if reduced is None or is_named_srgb(profile):
        return None
    mode = _MODES[reduced.space]
    source = ImageCms.ImageCmsProfile(BytesIO(reduced.data))
    del reduced  # Little CMS has a copy
    transform = ImageCms.ImageCmsTransform(
        source,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGB",
        ImageCms.Intent.PERCEPTUAL,
        flags=ImageCms.Flags.GRIDPOINTS(_INK_GRID_POINTS if mode == "CMYK" else 0),
    )
    return Conversion(mode, transform)


def _is_useful(conversion: Conversion) -> bool:
    """Whether white stays white and black is dark, and some colour changes."""
    sample = _sample(conversion.mode)
    converted = np.asarray(to_srgb(sample, conversion)).astype(np.int16)
    darkest, lightest = converted[0, 0], converted[0, -1]
    if lightest.min() < _LEAST_WHITE or darkest.max() > _MOST_BLACK:
        return False
    if conversion.mode == "CMYK":
        return True
    unchanged = np.asarray(sample.convert("RGB"))
    return int(np.abs(converted - unchanged).max()) > _SAME_LEVELS


def _sample(mode: str) -> Image.Image:
    """A row of colours from black to white."""
    if mode == "CMYK":
        return Image.frombytes(mode, (2, 1), bytes([255] * 4 + [0] * 4))
    if mode == "L":
        return Image.frombytes(mode, (256, 1), bytes(range(256)))
    # Steps of 17 find the differences of dark greys.
    colours = bytes(itertools.chain(*itertools.product(range(0, 256, 17), repeat=3)))
    return Image.frombytes(mode, (len(colours) // 3, 1), colours)
