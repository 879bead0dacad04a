"""Accepted formats, and the refusal of all others."""

from io import BytesIO
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features

from classifier.errors import UnsupportedFormat
from classifier.images import read_image
from tests.support.pictures import SIZE, difference, encode, encode_fast

Options = dict[str, Any]
Pixels = NDArray[np.uint8]

LOSSLESS: Final[dict[str, Options]] = {
    "PNG": {},
    "BMP": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
}
LOSSY: Final[dict[str, Options]] = {
    "JPEG": {"quality": 95},
    "AVIF": {"quality": 95},
    "HEIF": {"quality": 95},
    "GIF": {},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "jpeg"},
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_the_same_pixels(cat: Image.Image, pixels: Pixels, kind: str) -> None:
    assert np.array_equal(read_image(encode_fast(cat, kind, **LOSSLESS[kind]), SIZE), pixels)


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_give_nearly_the_same_pixels(
    cat: Image.Image, pixels: Pixels, kind: str
) -> None:
    assert difference(read_image(encode_fast(cat, kind, **LOSSY[kind]), SIZE), pixels) < 6


def test_pillow_supports_every_accepted_format() -> None:
    assert features.check("webp")
    assert features.check("avif")
    assert features.check("libtiff")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_first_frame_of_an_animation_is_read(cat: Image.Image, kind: str) -> None:
    black = Image.new("RGB", cat.size)
    options = {"lossless": True} if kind == "WEBP" else {}
    animation = encode_fast(cat, kind, save_all=True, append_images=[black, black], **options)
    expected = read_image(encode_fast(cat, kind, **options), SIZE)
    assert difference(read_image(animation, SIZE), expected) < 3


def test_first_picture_of_an_mpo_is_read(cat: Image.Image, pixels: Pixels) -> None:
    data = encode(cat, "MPO", save_all=True, append_images=[Image.new("RGB", cat.size)], quality=95)
    with Image.open(BytesIO(data)) as image:
        assert image.format == "MPO"
    assert difference(read_image(data, SIZE), pixels) < 3


@pytest.mark.parametrize(
    "data",
    [
        b"not an image",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<!doctype html><title>cat</title>",
        bytes(4096),
    ],
)
def test_other_files_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="Convert it to JPEG or PNG"):
        read_image(data, SIZE)


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "PCX", "JPEG2000"])
def test_other_image_formats_are_unsupported(cat: Image.Image, kind: str) -> None:
    with pytest.raises(UnsupportedFormat):
        read_image(encode(cat, kind), SIZE)
