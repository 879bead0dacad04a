"""The images sent to every server."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from classifier.images import read_image
from classifier.images.resize import resize_visible
from local.benchmark.images import TYPICAL_BYTES, TYPICAL_SIZES, large_jpeg, typical_jpegs


def test_typical_images_have_web_sizes() -> None:
    images = typical_jpegs()
    for image, size in zip(images, TYPICAL_SIZES, strict=True):
        with Image.open(BytesIO(image)) as opened:
            assert (opened.format, opened.size, opened.mode) == ("JPEG", size, "RGB")
        assert 0.8 * TYPICAL_BYTES <= len(image) <= TYPICAL_BYTES


def test_images_are_deterministic() -> None:
    assert typical_jpegs() == typical_jpegs()


@pytest.fixture(scope="module")
def large() -> bytes:
    return large_jpeg()


def test_large_image_has_the_size_of_a_phone_photo(large: bytes) -> None:
    with Image.open(BytesIO(large)) as opened:
        assert opened.width * opened.height == 12_000_000
    assert 2e6 < len(large) < 8e6


def test_service_decodes_the_large_image_at_an_eighth_of_its_size(
    large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    decoded: list[tuple[int, int]] = []

    def resize(image: Image.Image, *arguments: Any, **options: Any) -> Image.Image:
        decoded.append(image.size)
        return resize_visible(image, *arguments, **options)

    monkeypatch.setattr("classifier.images.read.resize_visible", resize)
    # when
    read_image(large, 224)
    # then: JPEG's smallest scale, of which 224 pixels are seven eighths of the shorter side or less
    assert decoded == [(4000 // 8, 3000 // 8)]
