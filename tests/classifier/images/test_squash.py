"""The resize "squash": the whole photo becomes square, whatever its aspect ratio."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from classifier.errors import TooMuchMemory
from classifier.images import MemoryBudget, read_image
from tests.support.pictures import SIZE, difference, encode, photo


@pytest.fixture(scope="module")
def wide() -> Image.Image:
    """Twice as wide as high."""
    return photo().crop((0, 40, 440, 260))


def test_the_whole_photo_is_resized(wide: Image.Image) -> None:
    pixels = read_image(encode(wide, "PNG"), SIZE, 1, resize="squash")
    assert np.array_equal(pixels, np.asarray(wide.resize((SIZE, SIZE), Image.Resampling.BICUBIC)))


def test_crop_fraction_is_of_width_and_height(wide: Image.Image) -> None:
    pixels = read_image(encode(wide, "PNG"), SIZE, 0.5, resize="squash")
    part = (110, 55, 330, 165)
    expected = wide.resize((SIZE, SIZE), Image.Resampling.BICUBIC, part)
    assert np.array_equal(pixels, np.asarray(expected))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16"])
@pytest.mark.parametrize("turned", [False, True], ids=["wide", "high"])
def test_bands_of_other_modes_cover_the_whole_photo(
    wide: Image.Image, mode: str, turned: bool
) -> None:
    # given a photo that is converted in bands
    picture = wide.transpose(Image.Transpose.ROTATE_90) if turned else wide
    grey = picture.convert("L")
    other = (
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        if mode == "I;16"
        else (picture if mode == "RGBA" else grey).convert(mode)
    )
    # when it is squashed, with and without a crop
    for fraction in (1, 0.6):
        seen = read_image(encode(other, "PNG"), SIZE, fraction, resize="squash")
        # then its pixels are those of the same photo without a conversion
        plain = encode((picture if mode == "RGBA" else grey).convert("RGB"), "PNG")
        assert difference(seen, read_image(plain, SIZE, fraction, resize="squash")) < 0.6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_photos_that_are_not_square(
    wide: Image.Image, orientation: int
) -> None:
    tag = Image.Exif()
    tag[0x0112] = orientation
    data = encode(wide, "PNG", exif=tag.tobytes())
    stored = wide.copy()
    stored.getexif()[0x0112] = orientation
    upright = encode(ImageOps.exif_transpose(stored), "PNG")
    expected = read_image(upright, SIZE, 1, resize="squash")
    assert difference(read_image(data, SIZE, 1, resize="squash"), expected) < 0.5


def test_jpeg_is_decoded_at_a_scale_that_covers_the_input() -> None:
    """A large photo has the pixels of its copy at a fifth of the size."""
    small = photo().resize((672, 240), Image.Resampling.LANCZOS)
    large = small.resize((3360, 1200), Image.Resampling.BICUBIC)
    expected = read_image(encode(small, "PNG"), SIZE, 1, resize="squash")
    reduced = read_image(encode(large, "JPEG", quality=95), SIZE, 1, resize="squash")
    assert difference(reduced, expected) < 2


def test_memory_is_reserved_for_all_rows_of_a_high_photo() -> None:
    """A crop of it resizes the rows of a square; squashing resizes all 6,000, 4 MiB more."""
    data = encode(Image.new("RGB", (300, 6000)), "PNG")
    room = MemoryBudget(11 << 20, bodies=0)
    assert read_image(data, SIZE, memory=room).shape == (SIZE, SIZE, 3)
    with pytest.raises(TooMuchMemory, match="takes 15 MiB of memory"):
        read_image(data, SIZE, 1, resize="squash", memory=room)
