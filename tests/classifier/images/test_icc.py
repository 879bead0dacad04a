"""The part of an ICC profile that a conversion needs."""

import struct

import numpy as np
import pytest

from classifier.images.icc import is_named_srgb, reduce_profile
from tests.support import profiles
from tests.support.profiles import DISPLAY_P3, Colours, profile, table_tag

MATRIX_TAGS = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
HUGE_CURVE = b"curv" + bytes(4) + struct.pack(">I", 30_000) + bytes(60_000)


def reverse(colours: Colours) -> Colours:
    return colours[:, 2::-1]


def to_grey(colours: Colours) -> Colours:
    return np.repeat(colours[:, :1], 3, axis=1)


def tags_of(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, 128)
    entries = [struct.unpack_from(">4sII", data, 132 + 12 * number) for number in range(count)]
    return {name: data[start : start + size] for name, start, size in entries}


def matrix_tags() -> dict[bytes, bytes]:
    return tags_of(DISPLAY_P3)


def long_curves(table: bytes) -> bytes:
    """A lut16Type whose curves have 5000 entries, all of which are there."""
    return table[:48] + struct.pack(">2H", 5000, 5000) + bytes(6 * 10_000) + table[52:]


def reduced_tags(data: bytes) -> dict[bytes, bytes] | None:
    reduced = reduce_profile(data)
    return tags_of(reduced.data) if reduced else None


def test_profile_of_needed_tags_stays() -> None:
    reduced = reduce_profile(DISPLAY_P3)
    assert reduced == (b"RGB ", DISPLAY_P3)


@pytest.mark.parametrize(
    ("place", "value"),
    [(36, b"acs\0"), (12, b"link"), (12, b"abst"), (16, b"Lab "), (16, b"7CLR"), (20, b"RGB ")],
)
def test_profile_of_another_kind_is_unusable(place: int, value: bytes) -> None:
    assert reduce_profile(DISPLAY_P3[:place] + value + DISPLAY_P3[place + 4 :]) is None


def test_other_tags_are_left_out() -> None:
    """Little CMS would take D2B0 before all others."""
    others = {b"desc": bytes(9000), b"D2B0": b"mpet" + bytes(400), b"B2A0": bytes(90_000)}
    assert reduced_tags(profile(b"RGB ", b"XYZ ", others | matrix_tags())) == matrix_tags()


def test_tags_begin_at_multiples_of_four_bytes() -> None:
    """The curve is one of 14 bytes."""
    reduced = reduce_profile(profiles.ADOBE_RGB)
    assert reduced
    count = len(MATRIX_TAGS)
    starts = [struct.unpack_from(">I", reduced.data, 136 + 12 * number) for number in range(count)]
    assert [start % 4 for (start,) in starts] == [0] * count
    assert len(reduced.data) % 4 == 0


def test_tags_beyond_the_first_hundred_do_not_count() -> None:
    """As in Little CMS, and so that a long list takes no time."""
    for others, usable in ((90, True), (100, False)):
        fillers = {number.to_bytes(4, "big"): b"" for number in range(others)}
        reduced = reduce_profile(profile(b"RGB ", b"XYZ ", fillers | matrix_tags()))
        assert bool(reduced) == usable


@pytest.mark.parametrize("kind", [b"mft1", b"mft2", b"mAB "])
@pytest.mark.parametrize("name", [b"A2B0", b"A2B1", b"A2B2"])
def test_table_of_any_intent_serves_before_primaries(kind: bytes, name: bytes) -> None:
    table = table_tag(3, 5, reverse, kind)
    found = reduced_tags(profile(b"RGB ", b"Lab ", matrix_tags() | {name: table}))
    assert found == {b"A2B0": table}


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"mpet" + bytes(400),
        table_tag(3, 5, reverse, b"mft1")[:-1],
        table_tag(3, 5, reverse, b"mft2")[:-1],
        table_tag(3, 34, reverse, b"mft2"),
        table_tag(3, 34, reverse, b"mAB "),
        table_tag(3, 5, reverse, b"mAB ") + bytes(1 << 20),
        long_curves(table_tag(3, 5, reverse, b"mft2")),
        table_tag(4, 3, reverse, b"mft2"),
    ],
    ids=[
        "missing",
        "unknown",
        "short lut8",
        "short lut16",
        "large lut16",
        "large mAB",
        "long mAB",
        "long curves",
        "inks",
    ],
)
def test_primaries_serve_where_the_table_is_unusable(table: bytes) -> None:
    data = profile(b"RGB ", b"XYZ ", matrix_tags() | {b"A2B0": table})
    assert reduced_tags(data) == matrix_tags()


@pytest.mark.parametrize(
    ("place", "claim"),
    [(10, b"\xff"), (48, b"\xff\xff"), (50, b"\xff\xff")],
    ids=["points", "curves before", "curves after"],
)
def test_table_that_claims_more_than_it_holds_is_unusable(place: int, claim: bytes) -> None:
    table = table_tag(4, 3, reverse, b"mft2")
    claiming = table[:place] + claim + table[place + len(claim) :]
    data = profile(b"CMYK", b"Lab ", {b"A2B0": claiming})
    assert reduce_profile(data) is None


def test_table_of_seventeen_points_for_each_ink_is_usable() -> None:
    table = table_tag(4, 17, reverse, b"mft2")
    assert reduced_tags(profile(b"CMYK", b"Lab ", {b"A2B0": table})) == {b"A2B0": table}


@pytest.mark.parametrize(
    "curve",
    [
        HUGE_CURVE,
        HUGE_CURVE[:100],
        b"",
        b"curv",
        b"para" + bytes(4),
        profiles.parametric_curve(4, 1, 1, 1),
        profiles.parametric_curve(9, 1, 1, 1),
    ],
    ids=["long", "cut off", "missing", "no count", "no function", "short", "unknown"],
)
def test_damaged_curve_makes_the_profile_unusable(curve: bytes) -> None:
    data = profile(b"RGB ", b"XYZ ", matrix_tags() | {b"gTRC": curve})
    assert reduce_profile(data) is None


def test_primaries_need_xyz() -> None:
    assert reduce_profile(profile(b"RGB ", b"Lab ", matrix_tags())) is None


def test_inks_need_a_table() -> None:
    assert reduce_profile(profile(b"CMYK", b"XYZ ", matrix_tags())) is None


def test_grey_has_a_curve_or_a_table() -> None:
    curve = {b"kTRC": profiles.gamma_curve(1.8)}
    table = {b"A2B0": table_tag(1, 9, to_grey, b"mft2")}
    assert reduced_tags(profile(b"GRAY", b"XYZ ", curve)) == curve
    assert reduced_tags(profile(b"GRAY", b"Lab ", table)) == table
    assert reduce_profile(profile(b"GRAY", b"XYZ ", matrix_tags())) is None


def test_first_of_two_tags_of_a_name_counts() -> None:
    """Little CMS refuses the profile."""
    assert reduced_tags(DISPLAY_P3) == reduced_tags(doubled(DISPLAY_P3)) == matrix_tags()


def doubled(data: bytes) -> bytes:
    """A profile whose tags are listed twice, the second time in the wrong places."""
    count = len(matrix_tags())
    size = 12 * count
    entries = [struct.unpack_from(">4sII", data, 132 + 12 * number) for number in range(count)]
    right = b"".join(struct.pack(">4sII", name, at + size, length) for name, at, length in entries)
    wrong = b"".join(struct.pack(">4sII", name, 0, length) for name, _, length in entries)
    table = struct.pack(">I", 2 * count) + right + wrong
    return data[:128] + table + data[132 + size :]


def _named(description: bytes) -> bytes:
    return profile(b"RGB ", b"XYZ ", matrix_tags() | {b"desc": description})


def _old_description(text: bytes) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text)) + text


def _new_description(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xIIHHII", 1, 12, 0x656E, 0x5553, len(encoded), 28) + encoded


def test_description_names_srgb() -> None:
    assert is_named_srgb(_named(_old_description(b"sRGB Profile\0")))
    assert is_named_srgb(_named(_new_description("sRGB IEC61966-2.1")))


@pytest.mark.parametrize(
    "description",
    [
        _old_description(b"Adobe RGB (1998)\0"),
        _new_description("Display P3"),
        _old_description(b"Not sRGB\0"),
        b"desc",
        b"mluc" + bytes(4),
        b"mluc" + struct.pack(">4xIIHHII", 1, 12, 0, 0, 8, 1 << 31),
    ],
)
def test_other_descriptions_do_not_name_srgb(description: bytes) -> None:
    assert not is_named_srgb(_named(description))
    assert not is_named_srgb(DISPLAY_P3)
    assert not is_named_srgb(DISPLAY_P3[:131])
