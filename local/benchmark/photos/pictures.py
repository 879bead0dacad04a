"""The pixels of the photos: a small photo enlarged, with grain; and pages of text."""

import math
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GRAIN: Final = 5.0
"""Standard deviation of the noise, in levels of 255. An enlarged photo lacks detail. With this
noise a JPEG has 0.2 to 0.4 bytes per pixel, as those of phones, and a PNG 1.1 to 1.8."""

_TILE: Final = 500
"""Pixels; the noise repeats, at a random offset in each band of rows."""

_LONGEST: Final = 800
"""The longer edge of the small photo that a large one is compared with"""

_PAGE: Final = (1240, 1754)
"""A4 at 150 dots per inch, which larger pages are enlarged from"""

_WORDS: Final = "the quick brown fox jumps over a lazy dog while liquor jugs pack my box"


@dataclass(frozen=True)
class Picture:
    """The small photo that larger ones are made from."""

    original: Image.Image

    @classmethod
    def read(cls, data: bytes) -> "Picture":
        with Image.open(BytesIO(data)) as image:
            return cls(image.convert("RGB"))

    def small(self, size: tuple[int, int]) -> bytes:
        """A small JPEG that shows what the photo of `size` shows."""
        scale = min(1.0, _LONGEST / max(size))
        smaller = (round(size[0] * scale), round(size[1] * scale))
        return _jpeg(self.original.resize(smaller, Image.Resampling.BICUBIC, self._box(size)))

    def photo(self, size: tuple[int, int], mode: str = "RGB") -> Image.Image:
        """The photo of `size` in `mode`: RGB, RGBA (transparent towards the corners) or L."""
        width, height = size
        left, top, right, bottom = self._box(size)
        random = np.random.default_rng(width)
        grain = random.normal(0, GRAIN, (_TILE, _TILE, 3)).astype(np.int16)
        photo = Image.new("RGB", size)
        for row in range(0, height, _TILE):
            rows = min(_TILE, height - row)
            edges = (top + (bottom - top) * y / height for y in (row, row + rows))
            box = (left, next(edges), right, next(edges))
            band = self.original.resize((width, rows), Image.Resampling.BICUBIC, box)
            photo.paste(_grainy(band, grain, random.integers(_TILE)), (0, row))
        if mode == "RGBA":
            photo.putalpha(_vignette(size))
        return photo if mode == photo.mode else photo.convert(mode)

    @cached_property
    def page(self) -> Image.Image:
        """A page of text with this photo, in shades of grey."""
        page = Image.new("L", _PAGE, "white")
        draw, font = ImageDraw.Draw(page), ImageFont.load_default(22)
        width, height = _PAGE
        photo = self.original.convert("L").resize((width - 200, height // 2))
        page.paste(photo, (100, height // 4))
        for number, y in enumerate(range(80, height - 80, 32)):
            if not height // 4 - 40 < y < 3 * height // 4 + 10:
                line = " ".join([*_WORDS.split()[number % 7 :], *_WORDS.split()[: number % 5]])
                draw.text((100, y), line, "black", font)
        return page

    def small_page(self) -> bytes:
        return _jpeg(self.page.resize((_PAGE[0] // 2, _PAGE[1] // 2), Image.Resampling.BOX))

    def scan(self, size: tuple[int, int]) -> Image.Image:
        """The page of `size`, in black and white; the photo is screened."""
        return self.page.resize(size, Image.Resampling.BICUBIC).convert("1")

    def _box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of the original, centred, that has the shape of `size`."""
        width, height = self.original.size
        scale = min(width / size[0], height / size[1])
        left, top = (width - scale * size[0]) / 2, (height - scale * size[1]) / 2
        return left, top, left + scale * size[0], top + scale * size[1]


def _grainy(band: Image.Image, grain: np.ndarray, offset: np.integer) -> Image.Image:
    repeated = np.tile(np.roll(grain, offset, axis=1), (1, math.ceil(band.width / _TILE), 1))
    levels = np.asarray(band) + repeated[: band.height, : band.width]
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def _vignette(size: tuple[int, int]) -> Image.Image:
    """Opaque, except for the outer tenth."""
    small = Image.new("L", (100, 100), 128)
    small.paste(255, (10, 10, 90, 90))
    return small.resize(size, Image.Resampling.BILINEAR)


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
