"""Limits on pixels, memory and time."""

import zlib
from typing import Any

import pytest
from PIL import Image

from classifier.errors import TooManyPixels
from classifier.images import MemoryBudget, read_image
from tests.support.pictures import SIZE, encode

Options = dict[str, Any]


def test_pixel_limit_is_checked_before_decoding() -> None:
    data = encode(Image.new("1", (1000, 1001)), "PNG")
    with pytest.raises(TooManyPixels, match=r"1\.0 megapixels; at most 1 are"):
        read_image(data, SIZE, max_pixels=1_000_000)
    assert read_image(data, SIZE, max_pixels=1_001_000).shape == (SIZE, SIZE, 3)


def test_header_claiming_gigapixels_is_refused() -> None:
    """Given a PNG of a few bytes whose header claims 4 gigapixels."""
    data = bytearray(encode(Image.new("L", (8, 8)), "PNG"))
    data[16:24] = (65535).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(TooManyPixels, match=r"4294\.8 megapixels"):
        read_image(bytes(data), SIZE)


def _plain(mode: str, size: tuple[int, int], kind: str, **options: Any) -> bytes:
    return encode(Image.new(mode, size), kind, **options)


@pytest.mark.parametrize(
    ("mode", "size", "kind", "options"),
    [
        ("RGB", (4032, 3024), "PNG", {"compress_level": 1}),
        ("RGBA", (4032, 3024), "PNG", {"compress_level": 1}),
        ("RGB", (8064, 6048), "JPEG", {}),
        ("RGB", (6000, 4000), "JPEG", {}),
        ("RGB", (4032, 3024), "JPEG", {"progressive": True}),
    ],
)
def test_photos_of_phones_and_cameras_are_read(
    mode: str, size: tuple[int, int], kind: str, options: Options
) -> None:
    assert read_image(_plain(mode, size, kind, **options), SIZE).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP"])
def test_image_above_the_memory_limit_is_refused(kind: str) -> None:
    data = _plain("RGB", (1000, 1000), kind)
    with pytest.raises(TooManyPixels, match="MiB of memory; this deployment has 5 MiB"):
        read_image(data, SIZE, memory=MemoryBudget(5 << 20, bodies=0))
    assert read_image(data, SIZE, memory=MemoryBudget(22 << 20, bodies=0)).shape == (SIZE, SIZE, 3)


def test_jpeg_with_many_scans_is_refused() -> None:
    data = _plain("L", (2000, 2000), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    message = r"progressive JPEG of .* scans: decoding its 4\.0 megapixels would take about"
    with pytest.raises(TooManyPixels, match=message):
        read_image(data[:-2] + data[scan:-2] * 400 + b"\xff\xd9", SIZE)
