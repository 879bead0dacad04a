"""Colours with an ICC profile -> sRGB."""

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL._util import DeferredError

from classifier.images import colour, read_image
from tests.support import profiles
from tests.support.pictures import SIZE, difference, encode, encode_fast
from tests.support.profiles import ADOBE_RGB, DISPLAY_P3, PROPHOTO, Colours

Pixels = NDArray[np.uint8]
Colour = tuple[int, ...]

WIDE = {"Display P3": DISPLAY_P3, "Adobe RGB": ADOBE_RGB, "ProPhoto": PROPHOTO}
each_wide_profile = pytest.mark.parametrize("profile", WIDE.values(), ids=WIDE)

KINDS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "JPEG": {"quality": 97, "subsampling": 0},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}


@pytest.fixture(autouse=True)
def no_conversions() -> Iterator[None]:
    """No test finds the conversions of another."""
    colour._conversions.clear()
    yield
    colour._conversions.clear()


@pytest.fixture(scope="module")
def kitten(cat: Image.Image) -> Image.Image:
    """A small picture of many colours."""
    return cat.resize((90, 60))


def from_srgb(picture: Image.Image, profile: bytes, mode: str = "RGB") -> Image.Image:
    """The same colours as seen, in the profile's numbers."""
    converted = ImageCms.profileToProfile(
        picture,
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        outputMode=mode,
    )
    assert converted
    return converted


def solid(mode: str, value: Colour) -> Image.Image:
    return Image.new(mode, (60, 60), value if len(value) > 1 else value[0])


def seen(picture: Image.Image, profile: bytes, kind: str = "PNG") -> Colour:
    """The colour of a picture of one colour."""
    return tuple(read_image(encode(picture, kind, icc_profile=profile), SIZE)[100, 100].tolist())


def assert_near(found: Colour, expected: Colour, levels: int) -> None:
    assert max(abs(f - e) for f, e in zip(found, expected, strict=True)) <= levels, found


# The sRGB values follow from the primaries and curves, by the formulas of CSS Color 4 (10).
@pytest.mark.parametrize(
    ("profile", "value", "expected"),
    [
        (DISPLAY_P3, (255, 255, 255), (255, 255, 255)),
        (DISPLAY_P3, (0, 0, 0), (0, 0, 0)),
        (DISPLAY_P3, (128, 128, 128), (128, 128, 128)),
        (DISPLAY_P3, (200, 100, 50), (215, 93, 31)),
        (DISPLAY_P3, (100, 160, 90), (78, 162, 81)),
        (ADOBE_RGB, (128, 128, 128), (129, 129, 129)),
        (ADOBE_RGB, (200, 100, 50), (227, 100, 42)),
        (ADOBE_RGB, (100, 160, 90), (53, 161, 85)),
        (PROPHOTO, (128, 128, 128), (146, 146, 146)),
        (PROPHOTO, (100, 160, 90), (34, 186, 93)),
    ],
)
def test_colours_of_a_wide_profile_become_srgb(
    profile: bytes, value: Colour, expected: Colour
) -> None:
    assert_near(seen(solid("RGB", value), profile), expected, 2)


@each_wide_profile
@pytest.mark.parametrize("kind", KINDS)
def test_photo_in_a_wide_profile_looks_the_same(
    cat: Image.Image, pixels: Pixels, profile: bytes, kind: str
) -> None:
    wide = from_srgb(cat, profile)
    data = encode_fast(wide, kind, icc_profile=profile, **KINDS[kind])
    assert difference(read_image(data, SIZE), pixels) < 2
    assert difference(read_image(encode(wide, "PNG", icc_profile=b""), SIZE), pixels) > 4


def test_palette_has_the_profile_of_its_colours() -> None:
    picture = solid("RGB", (200, 100, 50)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert_near(seen(picture, DISPLAY_P3), (215, 93, 31), 2)


def test_transparent_colours_are_converted_before_they_are_laid_over_white() -> None:
    half = seen(solid("RGBA", (200, 100, 50, 128)), DISPLAY_P3)
    assert_near(half, (235, 174, 143), 2)
    assert seen(solid("RGBA", (200, 100, 50, 0)), DISPLAY_P3) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_profile_changes_greys(mode: str) -> None:
    """100 of 255 with a gamma of 1.0 is sRGB's 168: (100 / 255) ^ (1 / 2.4), nearly."""
    linear = profiles.grey_profile(profiles.gamma_curve(1.0))
    value = {"L": (100,), "LA": (100, 255), "I;16": (100 * 257,)}[mode]
    assert_near(seen(solid(mode, value), linear), (168, 168, 168), 2)


def light_inks(inks: Colours) -> Colours:
    """Colours of inks that leave a quarter of the light that they absorb, in another order than
    Pillow's formula has them."""
    colours: Colours = (1 - 0.75 * inks[:, [1, 2, 0]]) * (1 - 0.75 * inks[:, 3:])
    return colours


@pytest.mark.parametrize("table", [b"mft1", b"mft2", b"mAB "])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("inks", [(0, 0, 0, 0), (255, 0, 0, 0), (30, 200, 120, 160)])
def test_inks_have_the_colours_of_their_profile(table: bytes, kind: str, inks: Colour) -> None:
    expected = 255 * light_inks(np.array([inks]) / 255)[0]
    profile = profiles.cmyk_profile(light_inks, table)
    found = seen(solid("CMYK", inks), profile, kind)
    assert_near(found, tuple(expected.round().astype(int).tolist()), 4)


def test_lab_stays_lab(cat: Image.Image, pixels: Pixels) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(cat, srgb, lab, outputMode="LAB")
    assert converted
    data = encode(converted, "TIFF", icc_profile=DISPLAY_P3)
    assert difference(read_image(data, SIZE), pixels) < 2


SRGB = {
    **profiles.SRGB_PROFILES,
    "Little CMS": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
}


@pytest.mark.parametrize("profile", SRGB.values(), ids=SRGB)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_srgb_profile_leaves_every_bit(kitten: Image.Image, profile: bytes, mode: str) -> None:
    picture = kitten.convert(mode)
    tagged, plain = (encode(picture, "PNG", icc_profile=icc) for icc in (profile, b""))
    assert len(tagged) > len(plain)
    assert np.array_equal(read_image(tagged, SIZE), read_image(plain, SIZE))


def test_grey_profile_with_srgbs_curve_leaves_every_bit(kitten: Image.Image) -> None:
    grey = kitten.convert("L")
    profile = profiles.grey_profile(profiles.SRGB_CURVE)
    tagged = read_image(encode(grey, "PNG", icc_profile=profile), SIZE)
    assert np.array_equal(tagged, read_image(encode(grey, "PNG"), SIZE))


def replaced(profile: bytes, start: int, data: bytes) -> bytes:
    return profile[:start] + data + profile[start + len(data) :]


def tag_start(profile: bytes, name: bytes) -> int:
    return int.from_bytes(profile[(entry := profile.index(name, 128) + 4) : entry + 4], "big")


CURVE = tag_start(ADOBE_RGB, b"gTRC")
RED = tag_start(DISPLAY_P3, b"rXYZ") + 8

UNUSABLE = {
    "empty": b"",
    "text": b"Adobe RGB (1998)",
    "zeros": bytes(3000),
    "header": DISPLAY_P3[:128],
    "cut off": DISPLAY_P3[:-8],
    "no signature": replaced(DISPLAY_P3, 36, b"acs\0"),
    "link": replaced(DISPLAY_P3, 12, b"link"),
    "seven colours": replaced(DISPLAY_P3, 16, b"7CLR"),
    "grey": profiles.grey_profile(profiles.gamma_curve(1.0)),
    "inks": profiles.cmyk_profile(light_inks),
    "no tags": replaced(DISPLAY_P3, 128, bytes(4)),
    "tags outside": replaced(DISPLAY_P3, 136, b"\xff" * 4),
    "long curve": replaced(ADOBE_RGB, CURVE + 8, b"\x7f\xff\xff\xff"),
    "unknown curve": replaced(ADOBE_RGB, CURVE, b"crv2"),
    "unknown function": replaced(DISPLAY_P3, tag_start(DISPLAY_P3, b"gTRC") + 8, b"\0\x09"),
    "no red": replaced(DISPLAY_P3, RED, bytes(12)),
    "green is red": replaced(DISPLAY_P3, tag_start(DISPLAY_P3, b"gXYZ") + 8, bytes(12)),
}


@pytest.mark.parametrize("profile", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damaged_profile_and_one_of_another_kind_are_ignored(
    kitten: Image.Image, profile: bytes, kind: str
) -> None:
    tagged = read_image(encode(kitten, kind, icc_profile=profile), SIZE)
    assert np.array_equal(tagged, read_image(encode(kitten, kind), SIZE))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_rgb_profile_of_an_image_in_another_mode_is_ignored(kitten: Image.Image, mode: str) -> None:
    picture = kitten.convert(mode)
    tagged = read_image(encode(picture, "JPEG", icc_profile=DISPLAY_P3), SIZE)
    assert np.array_equal(tagged, read_image(encode(picture, "JPEG"), SIZE))


@pytest.mark.parametrize(
    "profile",
    [
        replaced(DISPLAY_P3, 0, b"\0\0\0\x09"),
        replaced(DISPLAY_P3, 0, b"\xff" * 4),
        DISPLAY_P3 + bytes(5000),
        replaced(DISPLAY_P3, 64, b"\1\0\0\0"),  # rendering intent, in the wrong byte order
    ],
    ids=["small size", "large size", "padding", "intent"],
)
def test_harmless_damage_does_not_matter(profile: bytes) -> None:
    assert_near(seen(solid("RGB", (200, 100, 50)), profile), (215, 93, 31), 2)


def test_profile_that_is_too_long_is_ignored() -> None:
    long = DISPLAY_P3 + bytes(colour.MAX_PROFILE_BYTES)
    picture = solid("RGB", (200, 100, 50))
    assert seen(picture, long, "TIFF") == (200, 100, 50)


def test_metadata_of_the_wrong_type_is_ignored() -> None:
    picture = solid("RGB", (200, 100, 50))
    for value in (None, "Display P3", 7, (1, 2)):
        picture.info["icc_profile"] = value
        assert colour.find_conversion(picture) is None


def test_without_little_cms_colours_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow is then built without its module, and reports that when it is used."""
    monkeypatch.setattr(ImageCms, "core", DeferredError(ImportError("no module _imagingcms")))
    assert seen(solid("RGB", (200, 100, 50)), DISPLAY_P3) == (200, 100, 50)


def test_threads_share_conversions(kitten: Image.Image) -> None:
    """Each of 8 threads reads pictures of 3 profiles, none of which is known yet."""
    files = [encode(kitten, "JPEG", icc_profile=profile) for profile in WIDE.values()] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda data: read_image(data, SIZE), files))
    assert len(colour._conversions) == len(WIDE)
    for number, read in enumerate(found):
        assert np.array_equal(read, found[number % len(WIDE)])
        assert not np.array_equal(read, found[(number + 1) % len(WIDE)])


def test_number_of_kept_conversions_is_bounded() -> None:
    picture = solid("RGB", (200, 100, 50))
    count = colour.MAX_CONVERSIONS + 3
    for number in range(count):
        assert_near(seen(picture, DISPLAY_P3 + struct.pack(">I", number)), (215, 93, 31), 2)
        assert len(colour._conversions) <= colour.MAX_CONVERSIONS
    assert_near(seen(picture, DISPLAY_P3 + struct.pack(">I", 0)), (215, 93, 31), 2)


def test_known_profile_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = solid("RGB", (200, 100, 50))
    first = seen(picture, DISPLAY_P3)
    monkeypatch.setattr(colour, "reduce_profile", lambda _: pytest.fail("read again"))
    assert seen(picture, DISPLAY_P3) == first
