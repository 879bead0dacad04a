"""Malformed and malicious image files, generated from the formats' specifications.

Each function in `MAKERS` yields the names and bytes of one kind.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final

from tests.hostile.corpus.avif import avif_boxes, avif_items, avifs
from tests.hostile.corpus.bmp import bmps
from tests.hostile.corpus.damaged import KINDS as KINDS
from tests.hostile.corpus.damaged import flipped, noise, not_images, truncated, wrong_headers
from tests.hostile.corpus.damaged import ordinary as ordinary
from tests.hostile.corpus.files import Files as Files
from tests.hostile.corpus.gif import gifs
from tests.hostile.corpus.heic import heic_boxes, heics
from tests.hostile.corpus.icc import icc_profiles
from tests.hostile.corpus.jpeg import jpeg_frames, jpeg_segments, progressive_jpegs, unended_jpegs
from tests.hostile.corpus.metadata import animations, exif_bombs
from tests.hostile.corpus.png import png_bombs, png_chunks
from tests.hostile.corpus.tiff import tiff_codings, tiff_directories, tiff_strips, tiffs
from tests.hostile.corpus.webp import webp_chunks, webps

Maker = Callable[[], Files]

MAKERS: Final[list[Maker]] = [
    truncated, flipped, wrong_headers, not_images, png_bombs, png_chunks,
    progressive_jpegs, jpeg_frames, jpeg_segments, unended_jpegs, gifs, bmps, webps, webp_chunks,
    tiffs, tiff_codings, tiff_directories, tiff_strips, avifs, avif_boxes, avif_items, heics,
    heic_boxes, exif_bombs, icc_profiles, animations, noise,
]  # fmt: skip

FIRST: Final[dict[Maker, int]] = {
    png_bombs: 36, progressive_jpegs: 16, jpeg_frames: 64, webps: 16, webp_chunks: 15, tiffs: 90,
    tiff_codings: 16, avifs: 8, heics: 3, animations: 3,
}  # fmt: skip
"""The number of files before the slow ones, for makers that have slow ones."""

EVERY: Final = 20


def quick_files(make: Maker) -> Files:
    """The files of a maker, without the slow ones."""
    return islice(make(), FIRST.get(make))


def selection(make: Maker) -> Files:
    """Every 20th of the quick files of a maker, and the last; always the same ones."""
    number, last = 0, ("", b"")
    for number, last in enumerate(quick_files(make)):
        if number % EVERY == 0:
            yield last
    if number % EVERY:
        yield last
