"""Colours that a file states as numbers: HDR and wide gamuts."""

import struct
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classifier.images import read_image
from tests.hostile.corpus.avif import avif_item
from tests.hostile.corpus.boxes import Item, box, grid, link, size_property, still
from tests.hostile.corpus.heic import heic_item
from tests.hostile.corpus.png import chunk
from tests.support.pictures import SIZE, difference, encode, encode_fast, photo
from tests.support.profiles import DISPLAY_P3

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

SRGB_PRIMARIES, BT2020, P3 = 1, 9, 12
BT709, SRGB, PQ, HLG = 1, 13, 16, 18
COLOURS: Final = 4
"""Mean difference of pixels that another lossy coding makes"""

XYZ: Final = {
    SRGB_PRIMARIES: [(0.640, 0.330), (0.300, 0.600), (0.150, 0.060)],
    BT2020: [(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)],
    P3: [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)],
}
"""Chromaticities of red, green and blue (H.273, table 2); white is D65."""


def to_xyz(primaries: int) -> Floats:
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in XYZ[primaries]]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return np.asarray(columns * np.linalg.solve(columns, white))


def coded(primaries: int, transfer: int) -> Image.Image:
    """The photo, with a white of 203 nits (ITU-R BT.2408), in other numbers (ITU-R BT.2100)."""
    level = np.asarray(photo()) / 255
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ (np.linalg.inv(to_xyz(primaries)) @ to_xyz(SRGB_PRIMARIES)).T, 0, 1)
    if transfer == PQ:
        power = (light * 203 / 10_000) ** 0.1593017578125
        numbers = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    elif transfer == HLG:
        shown = light * 0.203
        luminance = np.maximum(shown @ (0.2627, 0.6780, 0.0593), 1e-9)[..., np.newaxis]
        scene = shown * luminance ** (1 / 1.2 - 1)
        upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        numbers = np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)
    else:
        numbers = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray((255 * np.clip(numbers, 0, 1) + 0.5).astype(np.uint8))


def colr(primaries: int, transfer: int) -> bytes:
    return box(b"colr", b"nclx" + struct.pack(">HHHB", primaries, transfer, 6, 0x80))


def avif(image: Image.Image, primaries: int, transfer: int) -> bytes:
    return _still(b"avif", avif_item(image), primaries, transfer)


def heic(image: Image.Image, primaries: int, transfer: int) -> bytes:
    return _still(b"heic", heic_item(image), primaries, transfer)


def _still(brand: bytes, item: Item, primaries: int, transfer: int) -> bytes:
    numbers = colr(primaries, transfer)
    others = [each for each in item.properties if each[4:8] != b"colr"]
    return still((brand, b"mif1"), [item._replace(properties=[*others, numbers])])


def png(image: Image.Image, primaries: int, transfer: int) -> bytes:
    return with_numbers(encode(image, "PNG"), primaries, transfer)


def with_numbers(data: bytes, primaries: int, transfer: int) -> bytes:
    """A PNG with a cICP chunk behind its header."""
    return data[:33] + chunk(b"cICP", bytes((primaries, transfer, 0, 1))) + data[33:]


WRITERS: Final = {"avif": avif, "heic": heic, "png": png}


@pytest.fixture(scope="module")
def plain() -> Pixels:
    return read_image(encode(photo(), "PNG"), SIZE)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("primaries", "transfer"), [(BT2020, PQ), (BT2020, HLG), (BT2020, SRGB), (P3, PQ), (P3, SRGB)]
)
def test_photo_in_other_colours_looks_the_same(
    plain: Pixels, kind: str, primaries: int, transfer: int
) -> None:
    image = coded(primaries, transfer)
    given = read_image(WRITERS[kind](image, primaries, transfer), SIZE)
    assert difference(given, plain) < COLOURS
    unconverted = read_image(encode(image, "PNG"), SIZE)
    assert difference(given, plain) < difference(unconverted, plain)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("transfer", [BT709, SRGB, 2, 8])
def test_other_numbers_change_nothing(kind: str, transfer: int) -> None:
    given = read_image(WRITERS[kind](photo(), SRGB_PRIMARIES, transfer), SIZE)
    same = read_image(WRITERS[kind](photo(), 2, 2), SIZE)
    assert np.array_equal(given, same)


def test_profile_has_precedence() -> None:
    with_profile = encode(photo(), "PNG", icc_profile=DISPLAY_P3)
    both = with_numbers(with_profile, BT2020, PQ)
    assert np.array_equal(read_image(both, SIZE), read_image(with_profile, SIZE))


@pytest.mark.parametrize("damage", ["checksum", "length", "place"])
def test_damaged_numbers_of_a_png_are_ignored(plain: Pixels, damage: str) -> None:
    data, numbers = encode(photo(), "PNG"), bytes((BT2020, PQ, 0, 1))
    start, piece = 33, chunk(b"cICP", numbers)
    if damage == "checksum":
        piece = piece[:-1] + bytes([piece[-1] ^ 1])
    elif damage == "length":
        piece = chunk(b"cICP", numbers[:3])
    else:
        start = data.rindex(b"IEND") - 4
    assert np.array_equal(read_image(data[:start] + piece + data[start:], SIZE), plain)


def test_transparency_stays() -> None:
    clear = coded(BT2020, PQ)
    clear.putalpha(0)
    assert read_image(png(clear, BT2020, PQ), SIZE).min() == 255


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_light_above_white_is_white(transfer: int) -> None:
    bright = Image.new("RGB", (64, 64), "white")
    assert read_image(png(bright, BT2020, transfer), SIZE).min() == 255


@pytest.mark.parametrize("on_tile", [True, False])
def test_colours_of_a_grid_may_be_stated_by_its_tile(plain: Pixels, on_tile: bool) -> None:
    image = coded(BT2020, PQ)
    tile, numbers = heic_item(image), colr(BT2020, PQ)
    size = size_property(*image.size)
    whole = Item(2, b"grid", grid(1, 1, *image.size), [size], references=[link(b"dimg", 1)])
    stated = tile if on_tile else whole
    items = [
        each._replace(properties=[*each.properties, *([numbers] if each is stated else [])])
        for each in (tile, whole)
    ]
    assert difference(read_image(still((b"heic",), items, primary=2), SIZE), plain) < COLOURS


def test_colours_of_a_sequence_are_those_of_its_track(plain: Pixels) -> None:
    frames = [coded(BT2020, PQ)] * 2
    data = encode_fast(frames[0], "AVIF", quality=95, save_all=True, append_images=frames[1:])
    assert data[8:12] == b"avis"
    numbers = b"nclx" + struct.pack(">HH", SRGB_PRIMARIES, SRGB)
    assert numbers in data
    stated = data.replace(numbers, b"nclx" + struct.pack(">HH", BT2020, PQ))
    assert difference(read_image(stated, SIZE), plain) < COLOURS


def test_grey_in_hdr_is_converted(plain: Pixels) -> None:
    image = coded(SRGB_PRIMARIES, PQ).convert("L")
    given = read_image(png(image, BT2020, PQ), SIZE)
    assert difference(given, np.asarray(Image.fromarray(plain).convert("L").convert("RGB"))) < 9
