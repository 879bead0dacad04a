"""Cropping, scaling, orientation, and files that do not decode."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from classifier.errors import UnreadableImage
from classifier.images import read_image
from tests.support.pictures import SIZE, difference, encode, encode_fast, photo

Options = dict[str, Any]
Pixels = NDArray[np.uint8]


def test_pixels_are_the_centred_square_resized(cat: Image.Image, pixels: Pixels) -> None:
    side = 0.875 * min(cat.size)
    left, top = (cat.width - side) / 2, (cat.height - side) / 2
    expected = cat.resize(
        (SIZE, SIZE), Image.Resampling.BICUBIC, (left, top, left + side, top + side)
    )
    assert pixels.shape == (SIZE, SIZE, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(expected))


def test_jpeg_is_decoded_at_a_scale_that_covers_the_input() -> None:
    """A large photo has the pixels of its copy at an eighth of the size."""
    small = photo().resize((420, 280), Image.Resampling.LANCZOS)
    large = small.resize((3360, 2240), Image.Resampling.BICUBIC)
    reduced = read_image(encode(large, "JPEG", quality=95), SIZE)
    assert difference(reduced, read_image(encode(small, "PNG"), SIZE)) < 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_is_applied(
    cat: Image.Image, pixels: Pixels, kind: str, orientation: int
) -> None:
    """Given a rotated image and the EXIF tag that undoes the rotation."""
    undo = Image.Exif()
    undo[0x0112] = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    picture = cat.copy()
    picture.info["exif"] = undo.tobytes()
    picture.getexif()[0x0112] = undo[0x0112]
    turned = ImageOps.exif_transpose(picture)
    tag = Image.Exif()
    tag[0x0112] = orientation
    quality: dict[str, Options] = {
        "JPEG": {"quality": 97},
        "AVIF": {"quality": 97},
        "WEBP": {"lossless": True},
    }
    data = encode_fast(turned, kind, exif=tag.tobytes(), **quality.get(kind, {}))
    assert difference(read_image(data, SIZE), pixels) < 4


def test_damaged_exif_is_ignored(cat: Image.Image, pixels: Pixels) -> None:
    data = encode(cat, "PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert difference(read_image(data, SIZE), pixels) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 2), (257, 31)])
def test_extreme_aspect_ratios_are_read(size: tuple[int, int]) -> None:
    for mode in ("RGB", "RGBA"):
        data = encode(Image.new(mode, size, "red"), "PNG")
        assert read_image(data, SIZE)[..., 0].min() == 255


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_truncated_file_is_unreadable(cat: Image.Image, kind: str) -> None:
    data = encode(cat, kind)
    for length in (len(data) // 2, 60, 20):
        with pytest.raises(UnreadableImage, match="cannot be decoded"):
            read_image(data[:length], SIZE)


def test_empty_file_is_unreadable() -> None:
    with pytest.raises(UnreadableImage, match="empty"):
        read_image(b"", SIZE)
