"""GIF: estimates, odd metadata, and damage."""

import struct
from io import BytesIO
from typing import Final

import numpy as np
import pytest
from PIL import Image

from classifier.errors import UnreadableImage
from classifier.images import read_image
from classifier.images.formats import ImageInfo, UnusualStructure, gif
from classifier.images.formats.memory import CONVERTED_BYTES
from tests.support.pictures import encode, photo

Options = dict[str, int]

SIZE: Final = (60, 40)
PICTURE: Final = photo().resize(SIZE).quantize(64)
PALETTE_END: Final = 13 + 3 * 64
CONTROL_BYTES: Final = 8
PIECE: Final = b"!\xfe\xff" + bytes(255) + b"\0"
"""A comment"""


def file(before: bytes = b"", options: Options | None = None) -> bytes:
    """A GIF with `before` before everything that follows the palette."""
    data = encode(PICTURE, "GIF", **(options or {}))
    return data[:PALETTE_END] + before + data[PALETTE_END:]


def info_of(data: bytes) -> ImageInfo:
    return gif.inspect(data, 16)


def pixels_of(data: bytes) -> list[int]:
    return read_image(data, 16).ravel().tolist()


ODD: Final = {
    "comments": PIECE * 3000,
    "tiny comments": b"!\xfe\1a\0" * 50_000,
    "empty comments": b"!\xfe\0" * 50_000,
    "comments of two kinds": (PIECE + b"!\xfe\1a\0") * 1000,
    "one long comment": b"!\xfe" + (b"\xff" + bytes(255)) * 3000 + b"\0",
    "one comment in tiny pieces": b"!\xfe" + b"\1a" * 50_000 + b"\0",
    "application blocks": b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0" * 5000,
    "XMP": b"!\xff\x0bXMP DataXMP" + b"<x:xmpmeta>" * 20_000 + bytes([*range(255, -1, -1), 0]),
    "plain text": b"!\1\x0c" + bytes(12) + b"\0" + PIECE * 300,
    "junk": b"Q" * 50_000,
    "one byte of junk": b"Q",
    "unknown extension": b"!\x42\1a\0" + PIECE * 300,
    "short graphic control": b"!\xf9\1\1\0",
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("options", [{}, {"transparency": 3}, {"transparency": 3, "disposal": 2}])
def test_picture_with_odd_metadata_is_read(name: str, options: Options) -> None:
    data = file(ODD[name], options)
    replacement = info_of(data).replacement
    assert replacement is not None
    assert len(replacement) <= len(file(options=options))
    assert pixels_of(data) == pixels_of(file(options=options))


@pytest.mark.parametrize("metadata", [b"", PIECE, b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"])
@pytest.mark.parametrize("options", [{}, {"transparency": 3, "disposal": 2}])
def test_ordinary_metadata_is_left_to_pillow(metadata: bytes, options: Options) -> None:
    data = file(metadata, options)
    assert info_of(data).replacement is None
    assert pixels_of(data) == pixels_of(file(options=options))


def test_replacement_has_the_first_frame_alone() -> None:
    others = [photo().resize(SIZE).quantize(colours) for colours in (8, 16, 32)] * 20
    data = encode(PICTURE, "GIF", save_all=True, append_images=others)
    many = data[:PALETTE_END] + PIECE * 300 + data[PALETTE_END:]
    replacement = info_of(many).replacement
    assert replacement is not None
    assert replacement[-1:] == b";"
    assert len(replacement) <= len(file()) + CONTROL_BYTES
    with Image.open(BytesIO(replacement)) as image, Image.open(BytesIO(data)) as original:
        assert getattr(image, "n_frames", 1) == 1
        assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(original.convert("RGB")))


def test_later_graphic_control_only_adds() -> None:
    """Given a transparent colour in the first of two extensions, and disposal in the second."""
    first, second, last = b"!\xf9\4\1\0\0\3\0", b"!\xf9\4\x08\0\0\0\0", b"!\xf9\4" + bytes(5)
    data = file(first + second + last)
    clear = file(options={"transparency": 3})
    assert info_of(data).decode_bytes == 2 * SIZE[0] * SIZE[1] + 48 + CONVERTED_BYTES
    assert pixels_of(data) == pixels_of(clear)
    assert pixels_of(file(first + second + PIECE * 300)) == pixels_of(clear)


def test_memory_counts_canvas_disposal_and_conversion() -> None:
    pixels = SIZE[0] * SIZE[1]
    control = 2 * CONTROL_BYTES
    assert info_of(file()).decode_bytes == pixels + CONVERTED_BYTES
    assert (
        info_of(file(options={"transparency": 3})).decode_bytes
        == pixels + control + CONVERTED_BYTES
    )
    for disposal, transparency, copies in ((1, 3, 1), (2, 3, 2), (3, 3, 2)):
        data = file(options={"disposal": disposal, "transparency": transparency})
        assert info_of(data).decode_bytes == copies * pixels + control + CONVERTED_BYTES
    assert (
        info_of(file(options={"disposal": 2})).decode_bytes
        == 2 * pixels + control + CONVERTED_BYTES
    )
    assert info_of(file(options={"disposal": 3})).decode_bytes == pixels + control + CONVERTED_BYTES


def test_picture_without_palette_is_resized_in_grey() -> None:
    data = bytearray(file())
    data[10] &= 0x7F
    grey = bytes(data[:13] + data[PALETTE_END:])
    assert info_of(grey).decode_bytes == SIZE[0] * SIZE[1]
    assert info_of(grey).resized_pixel_bytes == 1
    assert np.ptp(read_image(grey, 16), axis=2).max() == 0


def test_frame_beyond_the_screen_enlarges_it() -> None:
    data = bytearray(file())
    data[6:10] = b"\5\0\5\0"
    info = info_of(bytes(data))
    assert info.size == SIZE
    assert info.decode_bytes == SIZE[0] * SIZE[1] + CONVERTED_BYTES
    assert pixels_of(bytes(data)) == pixels_of(file())


def on_larger_screen(picture: Image.Image, left: int, top: int, options: Options) -> bytes:
    """A GIF whose frame covers a part of a screen of 96 x 96 pixels."""
    data = bytearray(encode(picture, "GIF", **options))
    data[6:10] = struct.pack("<HH", 96, 96)
    frame = data.index(b"," + struct.pack("<4H", 0, 0, *picture.size))
    data[frame + 1 : frame + 5] = struct.pack("<HH", left, top)
    return bytes(data)


GREYS: Final = photo().resize(SIZE).convert("L")
ALL_COLOURS: Final = Image.frombytes("P", (16, 16), bytes(range(256)))
ALL_COLOURS.putpalette([level for each in range(256) for level in (each, 255 - each, each // 2)])


@pytest.mark.parametrize(("left", "top"), [(0, 0), (36, 56), (10, 20)])
@pytest.mark.parametrize("options", [{}, {"transparency": 3}])
@pytest.mark.parametrize("picture", [PICTURE, GREYS], ids=["colours", "grey"])
def test_screen_around_the_first_frame_is_white(
    picture: Image.Image, left: int, top: int, options: Options
) -> None:
    data = on_larger_screen(picture, left, top, options)
    screen = Image.new("RGB", (96, 96), "white")
    with Image.open(BytesIO(encode(picture, "GIF", **options))) as frame:
        upright = frame.convert("RGBA")
    screen.paste(upright, (left, top), upright)
    assert np.array_equal(read_image(data, 96, 1.0), np.asarray(screen))
    odd = data[: data.index(b"," + struct.pack("<2H", left, top))]
    many = odd + PIECE * 300 + data[len(odd) :]
    assert info_of(many).replacement is not None
    assert np.array_equal(read_image(many, 96, 1.0), np.asarray(screen))


def test_lightest_colour_surrounds_a_frame_that_uses_all() -> None:
    data = on_larger_screen(ALL_COLOURS, 0, 0, {"optimize": False})
    pixels = read_image(data, 96, 1.0)
    assert np.array_equal(pixels[:16, :16], np.asarray(ALL_COLOURS.convert("RGB")))
    assert len(np.unique(pixels[16:].reshape(-1, 3), axis=0)) == 1
    assert pixels[16:].sum(axis=2).min() == np.asarray(ALL_COLOURS.convert("RGB")).sum(axis=2).max()


def test_time_grows_with_the_frame() -> None:
    with_large_frame = bytearray(file())
    frame = PALETTE_END + 5
    with_large_frame[frame : frame + 4] = b"\x88\x13" * 2
    assert info_of(bytes(with_large_frame)).seconds == pytest.approx(5000 * 5000 * 6.3e-9)
    assert info_of(file()).seconds < 0.001


def test_equal_pieces_count_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gif, "MAX_STEPS", 900)
    comments = b"".join(b"!\xfe\6%06d\0" % number for number in range(20_000))
    for metadata in (comments, ODD["one comment in tiny pieces"], ODD["junk"], PIECE * 3000):
        assert pixels_of(file(metadata)) == pixels_of(file())


def test_equal_pieces_end_where_another_begins() -> None:
    for comment in (b"!\xfe\1a\0", b"!\xfe\1a\1b\0"):
        commas = b"!\xfe\x28" + b"," * 40 + b"\0"
        assert pixels_of(file(comment * 200 + commas)) == pixels_of(file())


def test_cut_off_metadata_is_named() -> None:
    with pytest.raises(UnusualStructure, match="cut off"):
        info_of(file()[:PALETTE_END] + PIECE[:100])


def test_very_many_different_pieces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gif, "MAX_STEPS", 900)
    for metadata in (b"!\xfe\1a\0!\xfe\0" * 400, b"!\xfe" + b"\1a\2bc" * 500 + b"\0"):
        with pytest.raises(UnusualStructure, match="more than 900 pieces"):
            info_of(file(metadata))


def test_pixels_in_very_many_pieces_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gif, "MAX_STEPS", 6)
    data = file(b"Q")
    replacement = info_of(data).replacement
    assert replacement is not None
    assert replacement.endswith(b"\0;;"), "up to the end of the file"
    assert pixels_of(data) == pixels_of(file())


@pytest.mark.parametrize(
    "data",
    [
        file()[:PALETTE_END],
        file()[: PALETTE_END - 5],
        file()[:PALETTE_END] + b";",
        file()[: PALETTE_END + 5],
        file()[:-400],
        file(PIECE * 300)[:-400],
        file()[:PALETTE_END] + PIECE[:100],
        file()[:PALETTE_END] + b"!",
        file()[:PALETTE_END] + b"!\xf9\4",
        file()[:PALETTE_END] + b"Q" * 5000,
    ],
)
def test_damaged_picture_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableImage):
        read_image(data, 16)


@pytest.mark.parametrize("end", [b"", b";" * 5000, b"junk" * 5000])
def test_picture_is_read_whatever_follows_its_pixels(end: bytes) -> None:
    assert pixels_of(file()[:-1] + end) == pixels_of(file())
