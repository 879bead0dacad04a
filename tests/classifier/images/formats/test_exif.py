"""The orientation in an EXIF block, and blocks that Pillow would read too long."""

import struct
from typing import Final

import numpy as np
import pytest
from PIL import Image
from PIL.TiffTags import (
    ASCII,
    BYTE,
    DOUBLE,
    FLOAT,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    SIGNED_RATIONAL,
    UNDEFINED,
)

from classifier.images.formats import exif
from tests.hostile.corpus.tiff import Entries

ORDERS: Final = "<>"


def block(entries: Entries, data: bytes = b"", order: str = "<", *, prefix: bytes = b"") -> bytes:
    """EXIF whose directory comes after `data`, which begins at offset 8."""
    header = {"<": b"II*\0", ">": b"MM\0*"}[order]
    directory = struct.pack(order + "H", len(entries)) + b"".join(
        struct.pack(order + "HHL", *entry[:3])
        + struct.pack(order + ("HH" if entry[1:3] == (SHORT, 1) else "L"),
                      *((entry[3], 0) if entry[1:3] == (SHORT, 1) else (entry[3],)))
        for entry in entries
    )  # fmt: skip
    return prefix + header + struct.pack(order + "L", 8 + len(data)) + data + directory + bytes(4)


def pillow_orientation(data: bytes) -> int:
    try:
        directory = Image.Exif()
        directory.load(data)
        value = int(directory.get(exif.ORIENTATION, 1))
    except Exception:
        return 1
    return value if 1 <= value <= 8 else 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_the_one_of_the_first_directory(
    order: str, prefix: bytes, value: int
) -> None:
    data = block([(271, ASCII, 3, 0), (exif.ORIENTATION, SHORT, 1, value)], b"", order,
                 prefix=prefix)  # fmt: skip
    assert exif.orientation(data) == value


@pytest.mark.parametrize(
    "data",
    [b"", b"Exif\0\0", b"II*\0", b"MM\0*\0\0\0\x08", b"no EXIF at all", block([])],
)
def test_orientation_is_upright_without_one(data: bytes) -> None:
    assert exif.orientation(data) == 1


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_orientation_is_upright_if_the_number_means_nothing(value: int) -> None:
    assert exif.orientation(block([(exif.ORIENTATION, SHORT, 1, value)])) == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("kind", "packed"),
    [
        (RATIONAL, "LL"), (SIGNED_RATIONAL, "ll"), (DOUBLE, "dx"), (LONG8, "Qx"),
    ],
)  # fmt: skip
def test_orientation_may_be_any_kind_of_number(order: str, kind: int, packed: str) -> None:
    values = (6, 1) if len(packed.strip("x")) > 1 else (6,)
    data = struct.pack(order + packed, *values)
    found = block([(exif.ORIENTATION, kind, 1, 8)], data, order)
    assert pillow_orientation(found) == 6
    assert exif.orientation(found) == 6


@pytest.mark.parametrize("kind", [BYTE, ASCII, UNDEFINED])
def test_orientation_may_be_a_digit(kind: int) -> None:
    found = block([(exif.ORIENTATION, kind, 2, struct.unpack("<L", b"6\0\0\0")[0])])
    assert exif.orientation(found) == pillow_orientation(found)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e30])
def test_orientation_survives_numbers_that_are_none(value: float) -> None:
    bits = struct.unpack("<L", struct.pack("<f", value))[0]
    assert exif.orientation(block([(exif.ORIENTATION, FLOAT, 1, bits)])) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damage
def test_orientation_agrees_with_pillow_on_damaged_blocks() -> None:
    rng = np.random.default_rng(274)
    orientation = (exif.ORIENTATION, SHORT, 1, 6)
    entries = [(271, ASCII, 8, 8), (282, RATIONAL, 1, 8), orientation, (305, ASCII, 300, 8),
               orientation, (exif.ORIENTATION, LONG, 2, 8)]  # fmt: skip
    read = 0
    for _ in range(3000):
        order = ORDERS[rng.integers(2)]
        chosen = [entries[number] for number in rng.integers(0, len(entries), 4)]
        damaged = bytearray(block(chosen, b"\0\3" * 4, order))
        for at in rng.integers(0, len(damaged), rng.integers(0, 4)):
            damaged[at] = rng.integers(256)
        data = bytes(damaged[: rng.integers(1, 2 * len(damaged))])
        found = pillow_orientation(data)
        read += found != 1
        assert exif.orientation(data) == found, data
    assert read > 100


@pytest.mark.parametrize(
    "xmp",
    [
        b'<x tiff:Orientation="8"/>', '<x tiff:Orientation="8"/>',
        b"<tiff:Orientation>8</tiff:Orientation>",
    ],
)  # fmt: skip
def test_orientation_of_xmp_counts_where_exif_has_none(xmp: bytes | str) -> None:
    assert exif.orientation(b"", xmp) == 8
    assert exif.orientation(block([]), xmp) == 8
    assert exif.orientation(block([(exif.ORIENTATION, SHORT, 1, 3)]), xmp) == 3


def test_orientation_of_xmp_may_mean_nothing() -> None:
    assert exif.orientation(b"", b'tiff:Orientation="9"') == 1


@pytest.mark.parametrize("order", ORDERS)
def test_block_of_a_camera_is_ordinary(order: str) -> None:
    note = bytes(60_000)
    entries = [(tag, SHORT, 1, 1) for tag in range(256, 310)] + [(37500, UNDEFINED, 60_000, 8)]
    assert exif.is_ordinary(block(entries, note, order, prefix=b"Exif\0\0"))


@pytest.mark.parametrize("data", [b"", b"II", b"Exif\0\0", b"garbage", b"II*\0" + b"\xff" * 90])
def test_damaged_block_is_soon_read(data: bytes) -> None:
    assert exif.is_ordinary(data)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([(tag, SHORT, 1, 1) for tag in range(1, 600)], id="many entries"),
        pytest.param([(282, RATIONAL, 90_000, 8)], id="long array"),
        pytest.param([(tag, RATIONAL, 9000, 8) for tag in range(300, 310)], id="many arrays"),
        pytest.param([(282, SHORT, 90_000, 8), (282, SHORT, 1, 0)], id="hidden array"),
    ],
)
def test_block_of_many_numbers_is_not_ordinary(entries: Entries, order: str) -> None:
    assert not exif.is_ordinary(block(entries, bytes(800_000), order))


@pytest.mark.parametrize("pointer", [34665, 34853, 40965])
def test_numbers_in_the_second_directory_count(pointer: int) -> None:
    directory = struct.pack("<HHHLL", 1, 300, RATIONAL, 90_000, 40) + bytes(4)
    inner = directory + bytes(800_000)
    assert exif.is_ordinary(block([(pointer, LONG, 1, 900_000)], inner))
    assert not exif.is_ordinary(block([(pointer, LONG, 1, 8)], inner))


def test_directories_that_refer_to_each_other_have_an_end() -> None:
    assert exif.is_ordinary(block([(tag, LONG, 1, 8) for tag in (34665, 34853, 40965)]))
