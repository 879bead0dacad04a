"""The images that every server gets."""

from io import BytesIO

from PIL import Image

from local.bench import pictures


def test_typical_images_are_what_the_web_has() -> None:
    images = pictures.typical_jpegs()
    for image, size in zip(images, pictures.TYPICAL_SIZES, strict=True):
        with Image.open(BytesIO(image)) as opened:
            assert (opened.format, opened.size, opened.mode) == ("JPEG", size, "RGB")
        assert 0.8 * pictures.TYPICAL_BYTES <= len(image) <= pictures.TYPICAL_BYTES


def test_they_are_the_same_each_time() -> None:
    assert pictures.typical_jpegs() == pictures.typical_jpegs()


def test_the_large_one_is_a_phone_s() -> None:
    image = pictures.large_jpeg()
    with Image.open(BytesIO(image)) as opened:
        assert opened.width * opened.height == 12_000_000
    assert 2e6 < len(image) < 8e6
