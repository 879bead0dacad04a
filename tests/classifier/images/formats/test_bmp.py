"""BMP: estimates, and kinds that are not read."""

import struct
from io import BytesIO
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classifier.errors import TooSlowToDecode, UnreadableImage, UnsupportedFormat
from classifier.images import read_image
from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure, bmp
from classifier.images.formats.memory import CONVERTED_BYTES
from tests.support.pictures import difference, encode, photo

WIDTH, HEIGHT = 40, 30
PIXELS: Final = WIDTH * HEIGHT
PICTURE: Final = photo().resize((WIDTH, HEIGHT))
HEADERS: Final = [12, 40, 52, 56, 64, 108, 124]
BI_RGB, BI_RLE8, BI_RLE4, BI_BITFIELDS = range(4)
MASKS: Final = (0xFF0000, 0xFF00, 0xFF, 0)
BLACK_AND_WHITE: Final = bytes(4) + b"\xff\xff\xff\0"


def file(
    pixels: bytes = b"", *, header: int = 40, depth: int = 24, coding: int = BI_RGB,
    size: tuple[int, int] = (WIDTH, HEIGHT), masks: tuple[int, ...] = (), palette: bytes = b"",
    coded_bytes: int = 0, colours: int = 0,
) -> bytes:  # fmt: skip
    if header == 12:
        info = struct.pack("<I4H", header, *size, 1, depth)
    else:
        info = struct.pack(
            "<IiiHHIIiiII", header, *size, 1, depth, coding, coded_bytes, 0, 0, colours, 0
        )
    info += struct.pack(f"<{len(masks)}I", *masks)
    info = info.ljust(header, b"\0") + palette
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(info)) + info + pixels


def bottom_up(samples: NDArray[np.uint8]) -> bytes:
    """Rows of bytes, from the last to the first, each padded to 4 bytes."""
    rows = samples.reshape(HEIGHT, -1)[::-1]
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()


def colours(depth: int = 24) -> bytes:
    rgb = np.asarray(PICTURE)
    if depth == 16:
        red, green, blue = (rgb[..., band].astype(np.uint16) >> 3 for band in range(3))
        return bottom_up((red << 10 | green << 5 | blue).view(np.uint8))
    samples = rgb[..., ::-1]
    if depth == 32:
        samples = np.dstack([samples, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    return bottom_up(np.ascontiguousarray(samples))


def info_of(data: bytes) -> ImageInfo:
    return bmp.inspect(data, 16)


def plain() -> NDArray[np.uint8]:
    return read_image(encode(PICTURE, "PNG"), 16)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("depth", [16, 24, 32])
def test_colours_are_read_with_every_header(header: int, depth: int) -> None:
    data = file(colours(depth), header=header, depth=depth)
    assert info_of(data) == ImageInfo((WIDTH, HEIGHT), 4 * PIXELS)
    assert difference(read_image(data, 16), plain()) < (10 if depth == 16 else 0.1)


@pytest.mark.parametrize(("mode", "converted"), [("1", True), ("L", False), ("P", True)])
def test_memory_is_a_byte_a_pixel_with_a_palette(mode: str, converted: bool) -> None:
    data = encode(PICTURE.convert(mode), "BMP")
    with Image.open(BytesIO(data)) as image:
        assert image.mode == mode
    info = info_of(data)
    assert info.decode_bytes == PIXELS + converted * CONVERTED_BYTES
    assert info.resized_pixel_bytes == (4 if converted else 1)


def test_rows_from_the_top_are_read() -> None:
    top_down = np.asarray(PICTURE)[::-1]
    samples = np.ascontiguousarray(top_down[..., ::-1])
    data = file(bottom_up(samples), size=(WIDTH, -HEIGHT))
    assert info_of(data).size == (WIDTH, HEIGHT)
    assert difference(read_image(data, 16), plain()) < 0.1


@pytest.mark.parametrize(("opacity", "converted"), [(0, False), (0xFF000000, True)])
def test_opacity_is_converted(opacity: int, converted: bool) -> None:
    masks = (*MASKS[:3], opacity)
    data = file(colours(32), header=108, depth=32, coding=BI_BITFIELDS, masks=masks)
    assert info_of(data).decode_bytes == 4 * PIXELS + converted * CONVERTED_BYTES
    assert difference(read_image(data, 16), plain()) < 0.1


def test_bit_fields_behind_a_short_header_are_read() -> None:
    shift = (0x7C00, 0x3E0, 0x1F)
    data = file(depth=16, coding=BI_BITFIELDS)
    data = data[:10] + struct.pack("<I", 66) + data[14:] + struct.pack("<3I", *shift) + colours(16)
    assert difference(read_image(data, 16), plain()) < 10


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (file(coding=4, depth=0), "a BMP that holds a JPEG"),
        (file(coding=5, depth=0), "a BMP that holds a PNG"),
        (file(coding=6, depth=32), "a Windows CE BMP"),
        (file(coding=11, depth=32), "a BMP with CMYK colours"),
        (file(header=64, coding=3, depth=1), "an OS/2 BMP with OS/2 compression"),
        (file(header=64, coding=4, depth=24), "an OS/2 BMP with OS/2 compression"),
        (file(header=16), "an OS/2 BMP with a short header"),
        (file(depth=2), "a BMP with 2 bits per pixel"),
        (file(depth=64), "a BMP with 64 bits per pixel"),
        (
            file(header=108, depth=16, coding=3, masks=(0xF00, 0xF0, 0xF, 0xF000)),
            "a BMP with unusual bit fields",
        ),
        (
            file(header=108, depth=32, coding=3, masks=(0x3FF00000, 0xFFC00, 0x3FF, 0)),
            "a BMP with unusual bit fields",
        ),
        (file(depth=8, coding=3, masks=MASKS), "a BMP with unusual bit fields"),
    ],
)
def test_kinds_that_are_not_read_are_named(data: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedCoding) as raised:
        info_of(data)
    assert str(raised.value).startswith(kind)
    with pytest.raises(UnsupportedFormat, match=kind):
        read_image(data, 16)


@pytest.mark.parametrize(
    "data",
    [
        file(header=13), file(size=(0, 9)), file(size=(9, 0)), file(size=(-9, 9)), file(depth=7),
        file(coding=99),
    ],
)  # fmt: skip
def test_damaged_header_is_refused(data: bytes) -> None:
    with pytest.raises(UnusualStructure):
        info_of(data)


def test_missing_pixels_are_noticed() -> None:
    with pytest.raises(UnreadableImage):
        read_image(file(colours()[:-500]), 16)


def test_trailing_data_is_ignored() -> None:
    data = encode(PICTURE, "BMP")
    assert np.array_equal(read_image(data + bytes(100_000), 16), read_image(data, 16))


RUNS: Final = (bytes([WIDTH, 1]) + b"\0\0") * HEIGHT + b"\0\1"
GREY_STEPS: Final = b"".join(bytes([step, step, step, 0]) for step in range(256))


@pytest.mark.parametrize(("depth", "coding"), [(8, BI_RLE8), (4, BI_RLE4)])
def test_run_lengths_are_read(depth: int, coding: int) -> None:
    palette = (b"\0\0\xff\0" + b"\0\xff\0\0") * (1 << depth - 1)
    data = file(RUNS, depth=depth, coding=coding, palette=palette)
    info = info_of(data)
    assert 4.1 * PIXELS < info.decode_bytes - CONVERTED_BYTES < 4.2 * PIXELS
    assert info.replacement is None
    columns = read_image(data, 16).reshape(-1, 3)
    assert columns[:, 2].max() == 0
    assert columns[:, 1].max() > 0


def test_large_run_length_coded_picture_is_too_slow() -> None:
    data = file(RUNS, depth=8, coding=BI_RLE8, size=(9000, 9000), palette=GREY_STEPS)
    with pytest.raises(TooSlowToDecode, match="a run-length coded BMP"):
        read_image(data, 16)


def test_data_behind_run_lengths_costs_no_time() -> None:
    data = file(RUNS, palette=GREY_STEPS, depth=8, coding=BI_RLE8, coded_bytes=len(RUNS))
    info = info_of(data + bytes(20 << 20))
    assert info.seconds < 0.01
    assert info.replacement == data
    assert np.array_equal(read_image(data + bytes(20 << 20), 16), read_image(data, 16))
    assert info_of(data + bytes(100_000)).replacement is None


@pytest.mark.parametrize("palette", [BLACK_AND_WHITE, bytes(4) + b"\1\1\1\0"])
def test_two_colours_are_converted(palette: bytes) -> None:
    data = file(bytes(8 * HEIGHT), depth=1, palette=palette)
    assert info_of(data).decode_bytes == PIXELS + CONVERTED_BYTES
    assert info_of(data).resized_pixel_bytes == 4
