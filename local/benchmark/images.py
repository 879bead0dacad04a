"""The images sent to every server: generated from the sample, always the same."""

import math
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from local.common.paths import SAMPLE

TYPICAL_SIZES: Final = ((500, 375), (512, 384), (560, 420), (600, 450), (640, 480))
"""Width and height in pixels, typical of photos on the web."""

TYPICAL_BYTES: Final = 100_000

LARGE_SIZE: Final = (4000, 3000)
"""Width and height of a phone photo: 12 megapixels."""

_LARGE_QUALITY: Final = 93
_GRAIN: Final = 7.0
"""Standard deviation of the noise, in levels of 255. An enlarged photo lacks detail; with noise it
has as many bytes per pixel as a camera's JPEG."""

_TILE: Final = 500


def typical_jpegs() -> list[bytes]:
    """A JPEG of about `TYPICAL_BYTES` for each of `TYPICAL_SIZES`."""
    photos = [_photo(size, seed) for seed, size in enumerate(TYPICAL_SIZES)]
    return [_of_about(photo, TYPICAL_BYTES) for photo in photos]


def large_jpeg() -> bytes:
    """A JPEG of `LARGE_SIZE`, of several megabytes."""
    return _jpeg(_photo(LARGE_SIZE, seed=len(TYPICAL_SIZES)), _LARGE_QUALITY)


def _photo(size: tuple[int, int], seed: int) -> Image.Image:
    width, height = size
    with Image.open(SAMPLE) as sample:
        side = min(sample.width / width, sample.height / height)
        left, top = (sample.width - side * width) / 2, (sample.height - side * height) / 2
        box = (left, top, left + side * width, top + side * height)
        enlarged = sample.convert("RGB").resize(size, Image.Resampling.BICUBIC, box)
    grain = np.random.default_rng(seed).normal(0, _GRAIN, (_TILE, _TILE, 3)).astype(np.int16)
    tiles = np.tile(grain, (math.ceil(height / _TILE), math.ceil(width / _TILE), 1))
    grainy = np.asarray(enlarged).astype(np.int16) + tiles[:height, :width]
    return Image.fromarray(np.clip(grainy, 0, 255).astype(np.uint8))


def _of_about(photo: Image.Image, size: int) -> bytes:
    """The JPEG of the highest quality with at most `size` bytes."""
    low, high = 10, 95
    best = _jpeg(photo, low)
    while low < high:
        middle = (low + high + 1) // 2
        tried = _jpeg(photo, middle)
        if len(tried) <= size:
            low, best = middle, tried
        else:
            high = middle - 1
    return best


def _jpeg(photo: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    photo.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
