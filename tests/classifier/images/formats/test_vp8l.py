"""What the beginning of a lossless WebP stream says about the memory of decoding it."""

import numpy as np
import pytest
from PIL import Image

from classifier.images.formats import webp
from classifier.images.formats.webp import vp8l
from tests.hostile.corpus.webp import many_groups, webp_chunks
from tests.support.pictures import encode, encode_fast, photo

HEADER = 5
"""Bytes of signature and size"""


def lossless(image: Image.Image, **options: int) -> bytes:
    data = encode_fast(image, "WEBP", lossless=True, **options)
    return data[data.index(b"VP8L") + 8 :]


def transparency(alpha: Image.Image, **options: int) -> bytes:
    """The stream of the transparency of a lossy picture, without the byte before it."""
    picture = photo().resize(alpha.size)
    picture.putalpha(alpha)
    data = encode(picture, "WEBP", **options)
    at = data.index(b"ALPH") + 8
    assert data[at] & 3 == 1
    return data[at + 1 :]


@pytest.mark.parametrize("side", [4, 64, 128])
def test_groups_of_codes_are_counted(side: int) -> None:
    stream = many_groups(side)
    assert vp8l.count_groups(stream, HEADER, len(stream), (side, side)) == (side // 4) ** 2


def test_photo_has_few_groups() -> None:
    stream = lossless(photo())
    assert 1 <= vp8l.count_groups(stream, HEADER, len(stream), photo().size) < 100


def test_palette_image_has_few_groups() -> None:
    stream = lossless(photo().quantize(12).convert("RGB"))
    assert 1 <= vp8l.count_groups(stream, HEADER, len(stream), photo().size) < 100


def test_damaged_stream_counts_as_many_groups_as_it_could_have() -> None:
    stream = lossless(photo())
    damaged = stream[:HEADER] + b"\xff" * 100 + stream[HEADER + 100 :]
    width, height = photo().size
    groups = vp8l.count_groups(damaged, HEADER, len(damaged), photo().size)
    assert groups == 1 + min(width * height // 16, (len(damaged) - HEADER) * 8 // 20)


def test_stream_of_large_parts_counts_as_many_groups_as_it_could_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vp8l, "_MAX_PIXELS", 10)
    stream = many_groups(64)
    assert vp8l.count_groups(stream, HEADER, len(stream), (64, 64)) == 1 + 64 * 64 // 16


def test_transparency_of_few_levels_is_of_indices() -> None:
    mask = Image.new("L", (400, 300))
    mask.paste(255, (50, 50, 300, 200))
    assert vp8l.is_of_indices(transparency(mask), 0, mask.size)


def test_transparency_with_a_predictor_is_not_of_indices() -> None:
    columns = np.mgrid[:300, :400][1]
    smooth = Image.fromarray((columns * 255 // 400).astype(np.uint8))
    assert not vp8l.is_of_indices(transparency(smooth, method=4), 0, smooth.size)


def test_transparency_of_other_colours_than_green_is_not_of_indices() -> None:
    assert not vp8l.is_of_indices(many_groups(64, alpha=True), 0, (64, 64))
    assert not vp8l.is_of_indices(b"", 0, (64, 64))


def test_estimate_counts_groups() -> None:
    """Given 65,536 groups in 300 KB, whose tables have 364 MB."""
    files = dict(webp_chunks())
    for name in ("groups-1024", "groups-alpha"):
        assert webp.inspect(files[name], 256).decode_bytes > 364e6
