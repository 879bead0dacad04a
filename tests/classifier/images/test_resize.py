"""Pillow's modes and transparency -> RGB."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from classifier.images import read_image
from tests.support.pictures import SIZE, difference, encode, encode_fast

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "1", "PA"])
def test_palette_grey_and_alpha_modes_become_rgb(cat: Image.Image, mode: str) -> None:
    converted = cat.convert("L").convert("PA") if mode == "PA" else cat.convert(mode)
    expected = read_image(encode(converted.convert("RGB"), "PNG"), SIZE)
    kind = "TIFF" if mode == "PA" else "PNG"
    assert difference(read_image(encode(converted, kind), SIZE), expected) < 0.1


def test_large_negative_numbers_are_black_without_a_warning() -> None:
    levels = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    black = levels.copy()
    black[:32], levels[:32] = 0, np.finfo(np.float32).min
    given, expected = (encode(Image.fromarray(each), "TIFF") for each in (levels, black))
    assert np.array_equal(read_image(given, SIZE), read_image(expected, SIZE))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "F", "I", "I;16"])
def test_tiff_modes_become_rgb(cat: Image.Image, mode: str) -> None:
    grey = np.asarray(cat.convert("L"))
    converted = {
        "F": lambda: Image.fromarray((grey / 255).astype(np.float32)),
        "I": lambda: Image.fromarray(grey.astype(np.int32) * 257),
        "I;16": lambda: Image.fromarray(grey.astype(np.uint16) * 257),
    }.get(mode, lambda: cat.convert(mode))()
    original = cat if mode in ("CMYK", "YCbCr") else cat.convert("L").convert("RGB")
    expected = read_image(encode(original, "PNG"), SIZE)
    assert difference(read_image(encode(converted, "TIFF"), SIZE), expected) < 2


def test_lab_tiff_becomes_rgb(cat: Image.Image, pixels: Pixels) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(cat, srgb, lab, outputMode="LAB")
    assert converted
    assert difference(read_image(encode(converted, "TIFF"), SIZE), pixels) < 2


def test_sixteen_bit_png_keeps_its_greys(cat: Image.Image) -> None:
    grey = np.asarray(cat.convert("L"))
    deep = encode(Image.fromarray(grey.astype(np.uint16) * 257), "PNG")
    expected = read_image(encode(Image.fromarray(grey), "PNG"), SIZE)
    assert difference(read_image(deep, SIZE), expected) <= 1


def test_cmyk_jpeg_becomes_rgb(cat: Image.Image, pixels: Pixels) -> None:
    assert difference(read_image(encode(cat.convert("CMYK"), "JPEG", quality=95), SIZE), pixels) < 4


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_is_composited_on_white(kind: str) -> None:
    """Given red at half opacity and full transparency, the pixels are pink and white."""
    picture = Image.new("RGBA", (400, 400), (255, 0, 0, 128))
    picture.paste((0, 0, 0, 0), (200, 0, 400, 400))
    seen = read_image(encode_fast(picture, kind), SIZE).astype(int)
    assert np.abs(seen[100, 50] - (255, 127, 127)).max() <= 4
    assert np.abs(seen[100, 200] - (255, 255, 255)).max() <= 4


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_transparent_colour_becomes_white(mode: str) -> None:
    picture = Image.new(mode, (400, 400), 0)
    seen = read_image(encode(picture, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0), SIZE)
    assert seen.min() == 255


def test_transparent_grey_of_a_16_bit_png_becomes_white() -> None:
    deep = Image.fromarray(np.zeros((400, 400), np.uint16))
    assert read_image(encode(deep, "PNG", transparency=0), SIZE).min() == 255
