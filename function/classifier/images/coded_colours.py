"""Colours that a file states as numbers (ITU-T H.273) instead of a profile -> sRGB.

HDR photos state them, in AVIF, in HEIC and in PNG: without the conversion they are pale. Light
above the white of an SDR photo becomes white.

Like a profile, they are applied to the resized image.
"""

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.images.formats import CodedColours

_BT2020, _P3 = 9, 12
"""Primaries (H.273, table 2); all others are taken for those of sRGB"""
_PQ, _HLG = 16, 18
"""Transfer characteristics (H.273, table 3); all others are taken for that of sRGB"""

_BAND_ROWS: Final = 32
"""Rows that are converted at a time: floats take four times the memory of the pixels"""

Floats = NDArray[np.float32]

_TO_SRGB_PRIMARIES: Final = {
    _BT2020: ((1.6605, -0.5877, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    _P3: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
"""Matrices for linear light (ITU-R BT.2407, 2; SMPTE EG 432-1 with the white of sRGB)"""

_BT2020_LUMINANCE: Final = (0.2627, 0.6780, 0.0593)
"""ITU-R BT.2020, table 4"""

_WHITE_NITS: Final = 203.0
"""Light of diffuse white in HDR (ITU-R BT.2408, table 1)"""
_PQ_NITS, _HLG_NITS, _HLG_GAMMA = 10_000.0, 1000.0, 1.2
"""ITU-R BT.2100, tables 4 and 5"""


def to_srgb(image: Image.Image, colours: CodedColours) -> Image.Image:
    """An image in mode L, RGB, RGBX or RGBA with its colours converted: RGB, or RGBA as before.
    The same image if its colours are those of sRGB.
    """
    if colours.primaries not in _TO_SRGB_PRIMARIES and colours.transfer not in (_PQ, _HLG):
        return image
    levels = np.array(image.convert("RGB"))
    for top in range(0, len(levels), _BAND_ROWS):
        band = slice(top, top + _BAND_ROWS)
        levels[band] = _converted(levels[band], colours)
    converted = Image.fromarray(levels)
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted


def _converted(coded: NDArray[np.uint8], colours: CodedColours) -> NDArray[np.uint8]:
    light = _linear(colours.transfer)[coded]
    if colours.transfer == _HLG:
        luminance = light @ np.array(_BT2020_LUMINANCE, np.float32)
        light *= luminance[..., np.newaxis] ** (_HLG_GAMMA - 1) * (_HLG_NITS / _WHITE_NITS)
    matrix = _TO_SRGB_PRIMARIES.get(colours.primaries)
    if matrix:
        light = light @ np.array(matrix, np.float32).T
    return _encode(light)


@functools.lru_cache(maxsize=3)
def _linear(transfer: int) -> Floats:
    """The light of each of 256 levels; 1 is white, but for HLG, where it is the brightest."""
    level = np.arange(256, dtype=np.float64) / 255
    if transfer == _PQ:  # BT.2100, table 4
        power = level ** (32 / 2523)
        light = (np.maximum(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)) ** (
            8192 / 1305
        ) * (_PQ_NITS / _WHITE_NITS)
    elif transfer == _HLG:  # BT.2100, table 5
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    else:  # IEC 61966-2-1
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _encode(light: Floats) -> NDArray[np.uint8]:
    """IEC 61966-2-1"""
    light = np.clip(light, 0, 1)
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * level + 0.5).astype(np.uint8)
