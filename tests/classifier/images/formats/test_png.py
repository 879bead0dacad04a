"""PNG: estimates, odd metadata, and damage."""

import struct
import zlib
from io import BytesIO
from typing import Final

import numpy as np
import pytest
from PIL import Image

from classifier.errors import UnreadableImage, UnsupportedFormat
from classifier.images import MemoryBudget, read_image
from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure, exif, png
from classifier.images.formats.memory import CONVERTED_BYTES, DEEP_GREY_BYTES
from classifier.images.formats.png import metadata as png_metadata
from classifier.images.formats.png import walk as png_chunks
from tests.hostile.corpus.png import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk
from tests.hostile.corpus.png import png as png_file

WIDTH, HEIGHT = 37, 29
SAMPLES: Final = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
KINDS: Final = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)), (RGB, 8), (RGB, 16),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)), (GREY_ALPHA, 8), (GREY_ALPHA, 16), (RGBA, 8),
    (RGBA, 16),
]  # fmt: skip
CHANCE: Final = np.random.default_rng(5).integers(0, 256, 100_000, np.uint8).tobytes()
BOMB: Final = zlib.compress(bytes(8 << 20), 9)
ORIENTATION: Final = 6
PLACES: Final = ["before", "after"]
"""Of metadata: the pixels"""


def rows(colour: int = RGB, depth: int = 8) -> bytes:
    """The inflated pixels of a small noisy picture."""
    length = (WIDTH * SAMPLES[colour] * depth + 7) // 8
    return b"".join(
        b"\1" + CHANCE[start : start + length] for start in range(0, HEIGHT * length, length)
    )


def picture(
    before: bytes = b"", after: bytes = b"", *, colour: int = RGB, depth: int = 8,
    pixels: bytes | None = None,
) -> bytes:  # fmt: skip
    palette = chunk(b"PLTE", CHANCE[: 3 << depth]) if colour == PALETTE else b""
    data = chunk(b"IDAT", zlib.compress(rows(colour, depth))) if pixels is None else pixels
    return png_file((WIDTH, HEIGHT), data, depth=depth, colour=colour, before=palette + before,
                    after=after)  # fmt: skip


def picture_with(metadata: bytes, place: str) -> bytes:
    return picture(metadata) if place == "before" else picture(after=metadata)


def info_of(data: bytes) -> ImageInfo:
    return png.inspect(data, 16)


def pixels_of(data: bytes) -> list[int]:
    return read_image(data, 16).ravel().tolist()


def exif_block(order: str = "<", *, far: int = 0) -> bytes:
    """EXIF whose directory begins after `far` bytes of other data."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHLHH", exif.ORIENTATION, 3, 1, ORIENTATION, 0)
    return mark + struct.pack(f"{order}L", 8 + far) + bytes(far) + struct.pack(
        f"{order}H", 1
    ) + entry + bytes(4)  # fmt: skip


def raw_exif() -> bytes:
    block = b"Exif\0\0" + exif_block()
    return b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"


MANY: Final = chunk(b"tEXt", b"a\0b") * (png_metadata.MAX_CHUNKS + 1)

PLAIN: Final = {
    "none": b"",
    "texts": b"".join(
        chunk(b"iTXt", b"exif:Tag%d\0\0\0\0\0value" % number) for number in range(61)
    ),
    "compressed text": chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b" * 1000)),
    "compressed international text": chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"b" * 1000)),
    "profile": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(3000))),
    "gamma": chunk(b"gAMA", bytes(4)),
    "unknown": chunk(b"prVt", bytes(5000)),
    "exif": chunk(b"eXIf", exif_block()),
}

ODD: Final = {
    "many": MANY,
    "very many": chunk(b"prVt") * 50_000,
    "many of two kinds": (chunk(b"prVt") + chunk(b"tEXt", b"a")) * 2000,
    "long text": chunk(b"tEXt", b"a\0" + bytes(3 << 20)),
    "bomb": chunk(b"zTXt", b"a\0\0" + BOMB),
    "international bomb": chunk(b"iTXt", b"a\0\1\0\0\0" + BOMB),
    "profile bomb": chunk(b"iCCP", b"a\0\0" + BOMB),
    "two profiles": chunk(b"iCCP", b"a\0\0" + zlib.compress(b"b")) * 2,
    "profile without name": chunk(b"iCCP", b"abc"),
    "empty profile": chunk(b"iCCP"),
    "unknown compression": chunk(b"zTXt", b"a\0\1b"),
    "wrong checksum": chunk(b"tEXt", b"a\0b")[:-1] + b"~",
    "wrong checksum of a profile": chunk(b"iCCP", b"a\0\0" + zlib.compress(b"b"))[:-1] + b"~",
    "short gamma": chunk(b"gAMA", b"1"),
    "short chromaticities": chunk(b"cHRM", b"1"),
    "short intent": chunk(b"sRGB"),
    "short resolution": chunk(b"pHYs", b"1"),
    "digit in the kind": chunk(b"ab1d"),
    "sign in the kind": chunk(b"a-Bd"),
    "long exif": chunk(b"eXIf", exif_block(far=1 << 20)),
    "animation control": chunk(b"acTL", b"1"),
    "frames out of order": chunk(b"fcTL", bytes(26)) + chunk(b"fcTL", bytes(26)),
    "pixels of another frame": chunk(b"fdAT", bytes(9)),
    "text called transparency": chunk(b"tEXt", b"transparency\0no"),
    "text called interlace": chunk(b"tEXt", b"interlace\0no"),
    "text called bbox": chunk(b"zTXt", b"bbox\0\0" + zlib.compress(b"no")),
    "text called exif": chunk(b"zTXt", b"exif\0\0" + zlib.compress(b"no")),
}


@pytest.mark.parametrize(
    ("name", "place"),
    [(name, place) for name in PLAIN for place in PLACES if (name, place) != ("profile", "after")],
)
def test_ordinary_metadata_is_left_to_pillow(name: str, place: str) -> None:
    data = picture_with(PLAIN[name], place)
    info = info_of(data)
    assert info.replacement is None
    assert info.exif == b""
    if name != "exif":
        assert pixels_of(data) == pixels_of(picture())


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("place", PLACES)
def test_picture_with_odd_metadata_is_read(name: str, place: str) -> None:
    data = picture_with(ODD[name], place)
    replacement = info_of(data).replacement
    assert replacement is not None
    assert len(replacement) < len(picture()) + 100
    if name != "long exif":
        assert pixels_of(data) == pixels_of(picture())


@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_pixels_without_odd_metadata_are_the_same(colour: int, depth: int) -> None:
    clear = {GREY: bytes(2), RGB: bytes(6), PALETTE: b"\1\0"}.get(colour)
    transparency = b"" if clear is None else chunk(b"tRNS", clear)
    for before in (b"", transparency):
        data = picture(before + MANY, colour=colour, depth=depth)
        plain = picture(before, colour=colour, depth=depth)
        assert info_of(data).replacement == plain
        assert pixels_of(data) == pixels_of(plain)


@pytest.mark.parametrize(
    "source",
    [
        chunk(b"eXIf", exif_block()),
        chunk(b"eXIf", exif_block(">")),
        chunk(b"eXIf", exif_block(far=1 << 20)),
        chunk(b"tEXt", b"Raw profile type exif\0" + raw_exif()),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_exif())),
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'),
        chunk(
            b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b'<x tiff:Orientation="6"/>')
        ),
    ],
)
def test_orientation_survives_odd_metadata(source: bytes) -> None:
    upright = pixels_of(picture())
    for data in (picture(source + MANY), picture(MANY + source), picture(MANY, source)):
        assert exif.orientation(info_of(data).exif) == ORIENTATION
        turned = np.rot90(np.reshape(upright, (16, 16, 3)), -1)
        assert np.array_equal(read_image(data, 16), turned)


@pytest.mark.parametrize(
    "source",
    [
        chunk(b"eXIf"),
        chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff\x12\x01"),
        chunk(b"eXIf", exif_block())[:-1] + b"~",
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n10\nxyz"),
        chunk(b"tEXt", b"Raw profile type exif"),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0"),
    ],
)
def test_damaged_exif_beside_odd_metadata_is_ignored(source: bytes) -> None:
    assert pixels_of(picture(MANY + source)) == pixels_of(picture())


def test_sensible_colour_profile_survives_odd_metadata() -> None:
    profile = CHANCE[:3000]
    data = picture(chunk(b"iCCP", b"a\0\0" + zlib.compress(profile)) + MANY)
    replacement = info_of(data).replacement
    assert replacement is not None
    with Image.open(BytesIO(replacement)) as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("size", [0, 1, 2])
def test_pixels_in_tiny_chunks_are_joined(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "MAX_PIXEL_CHUNKS", 100)
    packed = zlib.compress(rows())
    step = max(1, size)
    pieces = [chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step)]
    pieces[0:0] = [chunk(b"IDAT")] * (1000 if size == 0 else 0)
    data = picture(pixels=b"".join(pieces))
    assert info_of(data).replacement == picture()
    assert pixels_of(data) == pixels_of(picture())


def test_pixels_in_very_many_uneven_chunks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "MAX_PIXEL_STEPS", 100)
    uneven = (chunk(b"IDAT") + chunk(b"IDAT", b"a")) * 51
    with pytest.raises(UnusualStructure, match="more than 100 pieces"):
        info_of(picture(pixels=uneven))


def test_equal_chunks_count_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_chunks, "MAX_STEPS", 200)
    texts = b"".join(chunk(b"tEXt", b"%06d\0a" % number) for number in range(20_000))
    assert pixels_of(picture(texts)) == pixels_of(picture())


def test_very_many_different_chunks_are_refused_before_the_pixels_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(png_chunks, "MAX_STEPS", 200)
    uneven = (chunk(b"prVt") + chunk(b"prVt", b"a")) * 101
    with pytest.raises(UnusualStructure, match="more than 200 chunks"):
        info_of(picture(uneven))
    assert pixels_of(picture(after=uneven)) == pixels_of(picture())


def test_animation_gives_its_default_picture() -> None:
    control = chunk(b"acTL", struct.pack(">II", 3, 0))
    frame = struct.pack(">IIIIHHBB", WIDTH, HEIGHT, 0, 0, 1, 1, 0, 0)
    frames = b"".join(
        chunk(b"fcTL", struct.pack(">I", 2 * number + 1) + frame)
        + chunk(b"fdAT", struct.pack(">I", 2 * number + 2) + zlib.compress(bytes(len(rows()))))
        for number in range(3000)
    )
    first = chunk(b"fcTL", struct.pack(">I", 0) + frame)
    assert pixels_of(picture(control + first, frames)) == pixels_of(picture())


@pytest.mark.parametrize(
    "data",
    [
        picture()[:-12],
        picture()[:-10],
        picture()[:-16],
        picture() + bytes(3000),
        picture() + picture(),
        picture(after=chunk(b"tEXt", b"a\0b"))[:-18],
        picture(after=struct.pack(">I", 2**31) + b"tEXt"),
        picture(after=b"\0\0\0\0????"),
        picture(after=chunk(b"tRNS", bytes(6))),
        picture(after=chunk(b"PLTE", bytes(6))),
        picture(MANY)[:-12],
        picture(MANY, b"\0\0\0\0????"),
    ],
)
def test_picture_is_read_whatever_follows_its_pixels(data: bytes) -> None:
    assert pixels_of(data) == pixels_of(picture())


def test_metadata_before_the_header_is_ignored() -> None:
    data = picture()
    assert pixels_of(data[:8] + chunk(b"prVt", b"1") + data[8:]) == pixels_of(data)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"PLTE", bytes(6)),
        chunk(b"PLTE", bytes(9000)),
        chunk(b"tRNS"),
        chunk(b"tRNS", b"1234"),
    ],
)
def test_palette_and_transparency_that_do_not_fit_are_ignored(extra: bytes) -> None:
    assert pixels_of(picture(extra)) == pixels_of(picture())
    data = picture(chunk(b"tRNS", bytes(300)), colour=PALETTE, depth=4)
    assert pixels_of(data) == pixels_of(picture(colour=PALETTE, depth=4))


def test_transparency_is_the_first_before_the_pixels() -> None:
    black, white = chunk(b"tRNS", b"\0\0"), chunk(b"tRNS", b"\0\1")
    clear = pixels_of(picture(black, colour=GREY, depth=1))
    plain = pixels_of(picture(colour=GREY, depth=1))
    assert clear != plain
    assert pixels_of(picture(black + white, colour=GREY, depth=1)) == clear
    assert pixels_of(picture(after=black, colour=GREY, depth=1)) == plain


@pytest.mark.parametrize(("depth", "level"), [(1, 1), (2, 1), (2, 2), (4, 1), (4, 7), (4, 14)])
def test_the_clear_level_of_grey_has_the_bits_of_the_pixels(depth: int, level: int) -> None:
    packed = level * 0xFF // ((1 << depth) - 1)
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + bytes([packed]) * WIDTH) * HEIGHT))
    for value, expected in ((level, 255), (level ^ 1, packed)):
        clear = chunk(b"tRNS", struct.pack(">H", value))
        size = 8 * WIDTH // depth, HEIGHT
        data = png_file(size, pixels, depth=depth, colour=GREY, before=clear)
        assert set(pixels_of(data)) == {expected}


@pytest.mark.parametrize("clear", [(0x1234, 0x5600, 0x78FF), (0x1212, 0x5656, 0x7878)])
def test_the_clear_colour_of_48_bits_is_that_of_the_pixels(clear: tuple[int, int, int]) -> None:
    colour = struct.pack(">3H", *clear)
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + colour * WIDTH) * HEIGHT))
    for value, expected in ((colour, {255}), (b"\x13" + colour[1:], {0x12, 0x56, 0x78})):
        before = chunk(b"tRNS", value)
        data = png_file((WIDTH, HEIGHT), pixels, depth=16, colour=RGB, before=before)
        assert set(pixels_of(data)) == expected


PACKED: Final = zlib.compress(rows())


@pytest.mark.parametrize(
    "data",
    [
        picture(pixels=chunk(b"IDAT", PACKED)[:-1] + b"~"),
        picture(pixels=chunk(b"IDAT", PACKED[:-300])),
        picture(MANY, pixels=chunk(b"IDAT", PACKED[:-300])),
        picture()[:-300],
        picture(MANY)[:-300],
        picture(pixels=b""),
        picture(chunk(b"IHDR", bytes(13))),
        picture(chunk(b"ABCD")),
        picture(chunk(b"PLTE", bytes(6)) * 2),
        picture(b"????????????"),
        picture()[:20],
        picture()[:40],
        png_file((0, 9), chunk(b"IDAT", PACKED)),
        png_file((9, 9), chunk(b"IDAT", PACKED), depth=7),
        png_file((9, 9), chunk(b"IDAT", PACKED), interlace=2),
        png_file((9, 9), chunk(b"IDAT", PACKED), colour=PALETTE),
        png_file((9, 9), chunk(b"IDAT", PACKED), colour=PALETTE, before=chunk(b"PLTE", b"1234")),
        picture()[:29] + b"\0\0\0\0" + picture()[33:],
    ],
)
def test_damaged_picture_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableImage):
        read_image(data, 16)


def test_variant_of_apple_is_unsupported() -> None:
    data = picture()
    variant = data[:8] + chunk(b"CgBI", bytes(4)) + data[8:]
    with pytest.raises(UnsupportedCoding, match="CgBI"):
        info_of(variant)
    with pytest.raises(UnsupportedFormat, match="PNG in Apple's own variant"):
        read_image(variant, 16)


@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_memory_is_that_of_pillows_mode(colour: int, depth: int) -> None:
    data = picture(colour=colour, depth=depth)
    with Image.open(BytesIO(data)) as image:
        mode = image.mode
    per_pixel = {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(mode, 4)
    extra = {"L": 0, "RGB": 0, "I;16": DEEP_GREY_BYTES}.get(mode, CONVERTED_BYTES)
    info = info_of(data)
    row_bytes = len(rows(colour, depth)) // HEIGHT
    assert info.decode_bytes == per_pixel * WIDTH * HEIGHT + 2 * row_bytes + extra
    assert info.resized_pixel_bytes == (1 if mode in ("L", "I;16") else 4)


def test_memory_counts_metadata_and_conversion() -> None:
    plain = info_of(picture()).decode_bytes
    text = info_of(picture(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000)))))
    profile = info_of(picture(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000)))))
    assert text.decode_bytes > plain + 800_000
    assert profile.decode_bytes > plain + 1_000_000
    assert info_of(picture(chunk(b"tRNS", bytes(6)))).decode_bytes == plain + CONVERTED_BYTES


def test_resizing_a_tall_picture_takes_memory_for_its_square_alone() -> None:
    size = 20, 60_000
    data = png_file(size, chunk(b"IDAT", zlib.compress(bytes((3 * size[0] + 1) * size[1]))))
    pixels = read_image(data, 224, memory=MemoryBudget(8 << 20, bodies=0))
    assert pixels.shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("size", "colour", "depth"),
    [
        ((7680, 4320), RGB, 8), ((7680, 4320), RGBA, 8), ((7680, 4320), RGBA, 16),
        ((10_000, 10_000), RGB, 8), ((14_000, 14_000), GREY, 8), ((65_535, 1), RGB, 8),
        ((1, 65_535), RGBA, 16),
    ],
)  # fmt: skip
def test_screenshots_and_large_pictures_are_fast_enough(
    size: tuple[int, int], colour: int, depth: int
) -> None:
    for interlace in (0, 1):
        data = png_file(size, chunk(b"IDAT", b"1"), colour=colour, depth=depth, interlace=interlace)
        info = info_of(data)
        assert info.size == size
        assert 0 < info.seconds < 2.5
    assert "interlaced" in info.feature


def test_time_grows_with_bytes_and_interlacing() -> None:
    def seconds(colour: int, depth: int, interlace: int = 0) -> float:
        pixels = chunk(b"IDAT", b"1")
        return info_of(
            png_file((900, 900), pixels, colour=colour, depth=depth, interlace=interlace)
        ).seconds

    assert seconds(GREY, 1) < seconds(GREY, 8) < seconds(RGB, 8) < seconds(RGBA, 16)
    assert seconds(RGB, 8) < seconds(RGB, 8, 1)
