"""TIFFs of all kinds are read correctly, or refused with a message that names the kind."""

import io
import math
import struct
from itertools import product
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from PIL.ExifTags import IFD, Base

from classifier.errors import UnreadableImage, UnsupportedFormat
from classifier.images import read_image
from classifier.images.formats import ImageInfo, UnusualStructure, tiff
from classifier.images.limits import MAX_SECONDS
from tests.support import tiffs
from tests.support.pictures import SIZE, difference, encode, photo
from tests.support.tiffs import (
    CMYK,
    DEFLATE,
    FLOAT,
    GREY,
    LAB,
    PALETTE,
    RAW,
    RGB,
    SIGNED,
    YCBCR,
    make_tiff,
)

Pixels = NDArray[np.uint8]

MIB: Final = 1 << 20
WIDTH, HEIGHT = 90, 60
COVERING: Final = 256
ALPHA, PREMULTIPLIED, UNSPECIFIED = 2, 1, 0
"""ExtraSamples"""


def planes(picture: Image.Image) -> NDArray[np.uint8]:
    array = np.asarray(picture)
    return np.moveaxis(array, 2, 0) if array.ndim == 3 else array[None]


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return photo().resize((WIDTH, HEIGHT))


@pytest.fixture(scope="module")
def pixels(cat: Image.Image) -> Pixels:
    return read_image(encode(cat, "PNG"), SIZE)


@pytest.fixture(scope="module")
def grey(cat: Image.Image) -> Pixels:
    return read_image(encode(cat.convert("L"), "PNG"), SIZE)


def inspect(data: bytes) -> ImageInfo:
    return tiff.inspect(data, COVERING)


def arrangements() -> list[dict[str, Any]]:
    """Strips and tiles, compressed and not, in both byte orders."""
    return [
        {"rows": 7, "tile": tile, "compression": compression, "order": order}
        for tile, compression, order in product((None, (32, 16)), (RAW, DEFLATE), "<>")
    ]


@pytest.mark.parametrize("arrangement", arrangements())
def test_rgb_is_read_in_strips_and_tiles(
    cat: Image.Image, pixels: Pixels, arrangement: dict[str, Any]
) -> None:
    for separate, big in product((False, True), (False, True)):
        data = make_tiff(planes(cat), separate=separate, big=big, **arrangement)
        assert np.array_equal(read_image(data, SIZE), pixels)


@pytest.mark.parametrize("arrangement", arrangements())
def test_rgb_of_16_bits_is_read_where_samples_are_together(
    cat: Image.Image, pixels: Pixels, arrangement: dict[str, Any]
) -> None:
    deep = planes(cat).astype(np.uint16) * 257
    assert difference(read_image(make_tiff(deep, 16, **arrangement), SIZE), pixels) < 1


@pytest.mark.parametrize("order", "<>")
def test_16_bits_in_separate_planes_are_read_or_refused(
    cat: Image.Image, pixels: Pixels, order: str
) -> None:
    deep = planes(cat).astype(np.uint16) * 257
    data = make_tiff(deep, 16, separate=True, order=order, compression=DEFLATE)
    assert difference(read_image(data, SIZE), pixels) < 1
    with pytest.raises(UnsupportedFormat, match="RGB with 3 samples of 16 bits in separate planes"):
        read_image(make_tiff(deep, 16, separate=True, order=order), SIZE)


@pytest.mark.parametrize("arrangement", arrangements())
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_grey_of_few_bits_is_read(
    cat: Image.Image, arrangement: dict[str, Any], bits: int, white_is_zero: bool
) -> None:
    most = 2**bits - 1
    levels = np.asarray(cat.convert("L")) >> (8 - bits)
    shown = Image.fromarray((levels.astype(float) * 255 / most).round().astype(np.uint8))
    expected = read_image(encode(shown, "PNG"), SIZE)
    stored = (most - levels if white_is_zero else levels)[None]
    for separate in (False, True):  # of one sample, both mean the same
        data = make_tiff(
            stored, bits, photometric=1 - white_is_zero, separate=separate, **arrangement
        )
        assert difference(read_image(data, SIZE), expected) < 1


@pytest.mark.parametrize("arrangement", arrangements())
def test_deep_grey_is_read(grey: Pixels, cat: Image.Image, arrangement: dict[str, Any]) -> None:
    level = planes(cat.convert("L"))
    data = make_tiff(level.astype(np.uint16) * 257, 16, photometric=GREY, **arrangement)
    assert difference(read_image(data, SIZE), grey) < 1
    for values, bits, kind in (
        ((level / 255).astype(np.float32), 32, FLOAT),
        (level.astype(np.int32) * 257, 32, SIGNED),
        (level.astype(np.int16), 16, SIGNED),
    ):
        data = make_tiff(values, bits, photometric=GREY, sample_format=kind, **arrangement)
        assert difference(read_image(data, SIZE), grey) < 1


@pytest.mark.parametrize("arrangement", arrangements())
@pytest.mark.parametrize("bits", [4, 8])
def test_palette_is_read(cat: Image.Image, arrangement: dict[str, Any], bits: int) -> None:
    indexed = cat.quantize(2**bits)
    colours = np.zeros((2**bits, 3), np.uint16)
    found = np.array(indexed.getpalette()).reshape(-1, 3)
    colours[: len(found)] = found
    expected = read_image(encode(indexed.convert("RGB"), "PNG"), SIZE)
    for scale in (257, 1):  # some writers wrote 8 bits where 16 belong
        table = [int(value) for value in colours.T.ravel() * scale]
        data = make_tiff(
            planes(indexed), bits, photometric=PALETTE, more={Base.ColorMap: (tiffs.SHORT, table)},
            **arrangement,
        )  # fmt: skip
        assert difference(read_image(data, SIZE), expected) < 1


@pytest.mark.parametrize("arrangement", arrangements())
def test_alpha_is_read(cat: Image.Image, arrangement: dict[str, Any]) -> None:
    alpha = np.linspace(0, 255, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint8)
    seen = cat.copy()
    seen.putalpha(Image.fromarray(alpha))
    expected = read_image(encode(seen, "PNG"), SIZE)
    data = make_tiff(planes(seen), extra=(ALPHA,), **arrangement)
    assert difference(read_image(data, SIZE), expected) < 1
    multiplied = (planes(cat) * (alpha / 255)).astype(np.uint8)
    data = make_tiff(np.concatenate([multiplied, alpha[None]]), extra=(PREMULTIPLIED,),
                     **arrangement)  # fmt: skip
    assert difference(read_image(data, SIZE), expected) < 3


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("arrangement", arrangements())
def test_unspecified_samples_are_left_out(
    cat: Image.Image, pixels: Pixels, grey: Pixels, arrangement: dict[str, Any], separate: bool
) -> None:
    other = np.full((1, HEIGHT, WIDTH), 99, np.uint8)
    data = make_tiff(np.concatenate([planes(cat), other]), extra=(UNSPECIFIED,),
                     separate=separate, **arrangement)  # fmt: skip
    assert np.array_equal(read_image(data, SIZE), pixels)
    data = make_tiff(np.concatenate([planes(cat.convert("L")), other]), photometric=GREY,
                     extra=(UNSPECIFIED,), separate=separate, **arrangement)  # fmt: skip
    assert np.array_equal(read_image(data, SIZE), grey)


@pytest.mark.parametrize("arrangement", arrangements())
@pytest.mark.parametrize("bits", [8, 16])
def test_cmyk_is_read(
    cat: Image.Image, pixels: Pixels, arrangement: dict[str, Any], bits: int
) -> None:
    inks = np.concatenate([255 - planes(cat), np.zeros((1, HEIGHT, WIDTH), np.uint8)])
    deep = inks.astype(np.uint16) * 257 if bits == 16 else inks
    data = make_tiff(deep, bits, photometric=CMYK, **arrangement)
    assert difference(read_image(data, SIZE), pixels) < 1


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_other_colour_spaces_are_read(cat: Image.Image, mode: str, compression: str) -> None:
    if mode == "LAB":
        from PIL import ImageCms

        spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        stored = ImageCms.buildTransform(*spaces, "RGB", "LAB").apply(cat)
    else:
        stored = cat.convert(mode)
    data = encode(stored, "TIFF", compression=compression)
    assert difference(read_image(data, SIZE), read_image(encode(cat, "PNG"), SIZE)) < 3


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_in_a_tiff_is_read(
    cat: Image.Image, pixels: Pixels, subsampling: int, progressive: bool
) -> None:
    jpeg = encode(cat, "JPEG", quality=95, subsampling=subsampling, progressive=progressive)
    assert difference(read_image(jpeg_tiff(jpeg, cat.size, subsampling), SIZE), pixels) < 3


def jpeg_tiff(jpeg: bytes, size: tuple[int, int], subsampling: int) -> bytes:
    factors = [2, 2] if subsampling else [1, 1]
    tags: dict[int, tiffs.Tag] = {
        Base.ImageWidth: (tiffs.LONG, [size[0]]), Base.ImageLength: (tiffs.LONG, [size[1]]),
        Base.BitsPerSample: (tiffs.SHORT, [8] * 3), Base.Compression: (tiffs.SHORT, [tiffs.JPEG]),
        Base.PhotometricInterpretation: (tiffs.SHORT, [YCBCR]),
        Base.StripOffsets: (tiffs.LONG, [tiffs.START]), Base.SamplesPerPixel: (tiffs.SHORT, [3]),
        Base.StripByteCounts: (tiffs.LONG, [len(jpeg)]),
        Base.YCbCrSubSampling: (tiffs.SHORT, factors),
    }  # fmt: skip
    return tiffs.directory(tags, jpeg)


UNREAD: Final[dict[str, dict[str, Any]]] = {
    "floating-point RGB with 3 samples of 32 bits": {"bits": 32, "sample_format": FLOAT},
    "floating-point RGB with 3 samples of 16 bits": {"bits": 16, "sample_format": FLOAT},
    "floating-point RGB with 3 samples of 64 bits": {"bits": 64, "sample_format": FLOAT},
    "RGB with 3 samples of 32 bits": {"bits": 32},
    "signed RGB with 3 samples of 8 bits": {"sample_format": SIGNED},
    "complex grey": {"samples": 1, "bits": 64, "sample_format": 6, "photometric": GREY},
    "signed grey with 1 sample of 8 bits": {
        "samples": 1, "sample_format": SIGNED, "photometric": GREY,
    },
    "white-is-zero grey with 1 sample of 16 bits": {"samples": 1, "bits": 16, "photometric": 0},
    "grey with 1 sample of 12 bits": {"samples": 1, "bits": 12, "photometric": GREY},
    "grey with 1 sample of 32 bits": {"samples": 1, "bits": 32, "photometric": GREY},
    "floating-point white-is-zero grey with 1 sample of 32 bits": {
        "samples": 1, "bits": 32, "photometric": 0, "sample_format": FLOAT,
    },
    "grey with 2 samples of 8 bits": {
        "samples": 2, "photometric": GREY, "extra": (PREMULTIPLIED,),
    },
    "YCbCr with 3 samples of 8 bits": {"photometric": YCBCR},
    "CIELAB with 3 samples of 8 bits in separate planes": {"photometric": LAB, "separate": True},
    "CIELAB with 3 samples of 16 bits": {"photometric": LAB, "bits": 16},
    "ICCLAB": {"photometric": 9},
    "mask": {"photometric": 4, "samples": 1, "bits": 1},
    "photometric 77": {"photometric": 77},
    "9 samples per pixel": {"samples": 9},
    "CMYK with 4 samples of 8 bits": {
        "photometric": CMYK, "samples": 4, "more": {Base.InkSet: (tiffs.SHORT, [2])},
    },
    "white-is-zero grey with 1 sample of 8 bits in reverse order": {
        "photometric": 0, "samples": 1, "reverse": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", UNREAD)
def test_kinds_that_are_not_read_are_refused_by_name(name: str) -> None:
    options = {"photometric": RGB, "bits": 8, "samples": 3, **UNREAD[name]}
    bits = options["bits"]
    depth = {64: np.uint64, 32: np.uint32, 16: np.uint16, 12: np.uint16}.get(bits, np.uint8)
    stored = np.zeros((options.pop("samples"), HEIGHT, WIDTH), depth)
    with pytest.raises(UnsupportedFormat, match=f"This is a TIFF of {name}.*Convert it"):
        read_image(make_tiff(stored, **options), SIZE)


@pytest.mark.parametrize(
    ("compression", "name"),
    [
        (6, "old-style JPEG"), (34887, "LERC"), (34925, "LZMA"), (50000, "Zstandard"),
        (50001, "WebP"), (34676, "SGI LogLuv"), (34712, "JPEG 2000"), (12345, "12345"),
    ],
)  # fmt: skip
def test_compressions_that_are_not_read_are_refused_by_name(
    cat: Image.Image, compression: int, name: str
) -> None:
    with pytest.raises(UnsupportedFormat, match=f"a TIFF with the compression {name},"):
        read_image(make_tiff(planes(cat), compression=compression), SIZE)


def test_format_undefined_counts_as_unsigned(cat: Image.Image, pixels: Pixels) -> None:
    assert np.array_equal(read_image(make_tiff(planes(cat), sample_format=4), SIZE), pixels)


LONG_ARRAY: Final = [7] * 300_000
ODD: Final[dict[str, dict[int, tiffs.Tag]]] = {
    "private bytes": {50_000: (tiffs.UNDEFINED, bytes(MIB))},
    "private numbers": {50_000: (tiffs.LONG, LONG_ARRAY)},
    "private rationals": {50_000: (tiffs.RATIONAL, LONG_ARRAY)},
    "resolution": {Base.XResolution: (tiffs.RATIONAL, LONG_ARRAY)},
    "bits": {Base.BitsPerSample: (tiffs.SHORT, [8] * 300_000)},
    "XMP": {700: (tiffs.BYTE, b"<x:xmpmeta>" + bytes(MIB))},
    "XMP of numbers": {700: (tiffs.LONG, LONG_ARRAY)},
    "ICC profile of numbers": {34_675: (tiffs.LONG, LONG_ARRAY)},
    "Photoshop": {34_377: (tiffs.UNDEFINED, b"8BIM" + bytes(MIB))},
    "layers": {37_724: (tiffs.UNDEFINED, bytes(MIB))},
    "many tags": {tag: (tiffs.SHORT, [1]) for tag in range(40_000, 42_000)},
    "bytes for numbers": {
        Base.SamplesPerPixel: (tiffs.BYTE, b"\3"), tiffs.PLANAR: (tiffs.BYTE, b"\1"),
    },
}  # fmt: skip


@pytest.mark.parametrize("compression", [RAW, DEFLATE])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_odd_metadata_is_left_out(
    cat: Image.Image, pixels: Pixels, name: str, big: bool, compression: int
) -> None:
    data = make_tiff(planes(cat), rows=7, big=big, compression=compression, more=ODD[name])
    info = inspect(data)
    assert info.replacement is not None
    assert len(info.replacement) < 2 * 3 * WIDTH * HEIGHT
    assert info.decode_bytes < MIB
    assert np.array_equal(read_image(data, SIZE), pixels)


@pytest.mark.parametrize(
    "more",
    [
        {}, {IFD.Exif: (tiffs.LONG, [2**31])}, {IFD.Exif: (tiffs.LONG, [tiffs.START])},
        {IFD.GPSInfo: (tiffs.UNDEFINED, b"GPS ")}, {Base.SubIFDs: (tiffs.LONG, [9] * 90)},
        {34_735: (tiffs.SHORT, [1, 1, 0, 7] * 40)}, {Base.Software: (tiffs.ASCII, b"scanner\0")},
    ],
)  # fmt: skip
def test_ordinary_metadata_stays(
    cat: Image.Image, pixels: Pixels, more: dict[int, tiffs.Tag]
) -> None:
    data = make_tiff(planes(cat), rows=7, more=more)
    assert inspect(data).replacement is None
    assert np.array_equal(read_image(data, SIZE), pixels)


def test_offsets_beyond_those_of_the_picture_are_ignored(cat: Image.Image, pixels: Pixels) -> None:
    size = 3 * WIDTH * HEIGHT
    for compression in (RAW, DEFLATE):
        plain = make_tiff(planes(cat), compression=compression)
        offsets = [tiffs.START] + [4] * 90_000
        more: dict[int, tiffs.Tag] = {Base.StripOffsets: (tiffs.LONG, offsets)}
        data = make_tiff(planes(cat), compression=compression, more=more)
        assert inspect(plain).replacement is None
        assert inspect(data).decode_bytes < 2 * (4 * WIDTH * HEIGHT + size) + 70_000
        assert np.array_equal(read_image(data, SIZE), pixels)


@pytest.mark.parametrize("odd", [{}, {50_000: (tiffs.UNDEFINED, bytes(MIB))}])
@pytest.mark.parametrize("compression", [RAW, DEFLATE])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(
    cat: Image.Image, odd: dict[int, tiffs.Tag], compression: int, orientation: int
) -> None:
    method = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    upright = cat if method is None else cat.transpose(Image.Transpose(method))
    expected = read_image(encode(upright, "PNG"), SIZE)
    tag = {Base.Orientation: (tiffs.SHORT, [orientation])}
    data = make_tiff(planes(cat), compression=compression, more=tag | odd)
    assert difference(read_image(data, SIZE), expected) < 1
    packet = f'<x tiff:Orientation="{orientation}"/>'.encode()
    data = make_tiff(planes(cat), compression=compression, more={700: (tiffs.BYTE, packet)} | odd)
    assert difference(read_image(data, SIZE), expected) < 1


def test_orientation_takes_no_memory(cat: Image.Image) -> None:
    turned = make_tiff(planes(cat), more={Base.Orientation: (tiffs.SHORT, [6])})
    assert inspect(turned).decode_bytes == pytest.approx(
        inspect(make_tiff(planes(cat))).decode_bytes, abs=100
    )


def test_only_the_first_page_counts(cat: Image.Image, pixels: Pixels) -> None:
    pages = [Image.new("RGB", (999, 999), "red")] * 3
    data = encode(cat, "TIFF", save_all=True, append_images=pages, compression="tiff_lzw")
    assert inspect(data).size == cat.size
    assert np.array_equal(read_image(data, SIZE), pixels)


def huge(size: tuple[int, int], mode: str, compression: str, strip: int = 1 << 30) -> bytes:
    """A plain picture in strips of at most `strip` bytes."""
    kept = TiffImagePlugin.STRIP_SIZE
    TiffImagePlugin.STRIP_SIZE = strip
    try:
        return encode(Image.new(mode, size), "TIFF", compression=compression)
    finally:
        TiffImagePlugin.STRIP_SIZE = kept


@pytest.mark.parametrize(
    ("mode", "compression", "per_pixel"),
    [
        ("1", "group4", 1 + 1 / 8), ("1", "group3", 1 + 1 / 8), ("L", "tiff_lzw", 1 + 1),
        ("P", "packbits", 1 + 1), ("RGB", "tiff_lzw", 4 + 3), ("RGB", "raw", 4),
        ("CMYK", "tiff_adobe_deflate", 4 + 4), ("I;16", "tiff_lzw", 2 + 2), ("L", "raw", 1),
        ("1", "raw", 1), ("F", "raw", 4), ("RGB", "jpeg", 4 + 3),
    ],
)  # fmt: skip
def test_memory_is_that_of_image_and_strip(mode: str, compression: str, per_pixel: float) -> None:
    side = 3000
    expected = per_pixel * side * side
    one = inspect(huge((side, side), mode, compression)).decode_bytes
    assert expected - 2 * MIB <= one <= expected + 5 * MIB
    image = side * side * {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(mode, 4)
    many = inspect(huge((side, side), mode, compression, 65_536)).decode_bytes
    assert image <= many <= image + 5 * MIB


@pytest.mark.parametrize("dpi", [300, 600])
@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_scanned_page_takes_a_byte_for_each_pixel(dpi: int, compression: str) -> None:
    size = math.ceil(8.27 * dpi), math.ceil(11.69 * dpi)
    info = inspect(huge(size, "1", compression))
    assert info.decode_bytes < 1.2 * size[0] * size[1] + 5 * MIB
    assert info.seconds < 0.5


def test_progressive_jpeg_keeps_its_coefficients() -> None:
    side = 2000
    plain = Image.new("RGB", (side, side))
    sizes = [
        inspect(
            jpeg_tiff(encode(plain, "JPEG", subsampling=0, progressive=progressive), plain.size, 0)
        ).decode_bytes
        for progressive in (False, True)
    ]
    assert sizes[1] - sizes[0] >= (6 - 4) * side * side


def test_bytes_of_a_frame_marker_do_not_make_a_jpeg_progressive() -> None:
    plain = encode(Image.new("RGB", (2000, 2000)), "JPEG", subsampling=0)
    noted = encode(Image.new("RGB", (2000, 2000)), "JPEG", subsampling=0, comment=b"\xff\xc2" * 9)
    costs = [inspect(jpeg_tiff(data, (2000, 2000), 0)) for data in (plain, noted)]
    assert costs[0].decode_bytes == costs[1].decode_bytes


def shared(count: int, block: bytes, compression: int, rows: int = 8, width: int = 8) -> bytes:
    """`count` strips of the same bytes."""
    tags: dict[int, tiffs.Tag] = {
        Base.ImageWidth: (tiffs.LONG, [width]), Base.ImageLength: (tiffs.LONG, [count * rows]),
        Base.BitsPerSample: (tiffs.SHORT, [8] * 3), Base.Compression: (tiffs.SHORT, [compression]),
        Base.PhotometricInterpretation: (tiffs.SHORT, [RGB]),
        Base.StripOffsets: (tiffs.LONG, [tiffs.START] * count),
        Base.SamplesPerPixel: (tiffs.SHORT, [3]), Base.RowsPerStrip: (tiffs.LONG, [rows]),
        Base.StripByteCounts: (tiffs.LONG, [len(block)] * count),
    }  # fmt: skip
    return tiffs.directory(tags, block)


def test_bytes_that_strips_share_count_each_time() -> None:
    once = inspect(shared(1, bytes(900_000), DEFLATE)).seconds
    often = inspect(shared(8000, bytes(900_000), DEFLATE)).seconds
    assert once < 0.1
    assert often > MAX_SECONDS


def test_scans_that_strips_share_count_each_time() -> None:
    jpeg = encode(photo().resize((1000, 1000)), "JPEG", progressive=True)
    start = jpeg.rindex(b"\xff\xda")
    many = jpeg[:-2] + jpeg[start:-2] * 80 + jpeg[-2:]
    assert inspect(shared(20, jpeg, tiffs.JPEG, 1000, 1000)).seconds < 1
    assert inspect(shared(60, many, tiffs.JPEG, 1000, 1000)).seconds > MAX_SECONDS


def test_24_megapixels_in_small_tiles_are_accepted() -> None:
    across, down = 6000 // 16, 4000 // 16
    tags: dict[int, tiffs.Tag] = {
        Base.ImageWidth: (tiffs.LONG, [6000]), Base.ImageLength: (tiffs.LONG, [4000]),
        Base.BitsPerSample: (tiffs.SHORT, [8] * 3), Base.Compression: (tiffs.SHORT, [DEFLATE]),
        Base.PhotometricInterpretation: (tiffs.SHORT, [RGB]),
        Base.SamplesPerPixel: (tiffs.SHORT, [3]), Base.TileWidth: (tiffs.LONG, [16]),
        Base.TileLength: (tiffs.LONG, [16]),
        Base.TileOffsets: (tiffs.LONG, [tiffs.START] * across * down),
        Base.TileByteCounts: (tiffs.LONG, [20] * across * down),
    }  # fmt: skip
    info = inspect(tiffs.directory(tags, bytes(20)))
    assert info.seconds < MAX_SECONDS
    assert info.replacement is None
    assert info.decode_bytes < 4.4 * 24_000_000


def test_too_many_tiles_are_refused_by_number() -> None:
    tile = {tag: (tiffs.LONG, [1]) for tag in (Base.TileWidth, Base.TileLength, Base.TileOffsets)}
    size: dict[int, tiffs.Tag] = {
        tag: (tiffs.LONG, [1000]) for tag in (Base.ImageWidth, Base.ImageLength)
    }
    data = make_tiff(np.zeros((3, 1, 1), np.uint8), compression=DEFLATE, more=size | tile)
    with pytest.raises(UnsupportedFormat, match="a TIFF with 1000000 strips or tiles"):
        read_image(data, SIZE)


DAMAGED: Final[dict[str, bytes]] = {
    "header": b"II*\0\x08",
    "directory beyond the end": b"II*\0" + struct.pack("<L", 2**31),
    "empty directory": b"II*\0" + struct.pack("<LH", 8, 0),
    "no size": tiffs.directory({Base.ImageWidth: (tiffs.LONG, [0])}, b""),
    "no strips": tiffs.directory(
        {Base.ImageWidth: (tiffs.LONG, [9]), Base.ImageLength: (tiffs.LONG, [9])}, b""
    ),
    "big directory beyond the end": b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63),
    "big directory of many": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**62),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_directory_is_unreadable(name: str) -> None:
    with pytest.raises(UnusualStructure):
        inspect(DAMAGED[name])
    with pytest.raises(UnreadableImage):
        read_image(DAMAGED[name], SIZE)


@pytest.mark.parametrize(
    "more",
    [
        {Base.RowsPerStrip: (tiffs.LONG, [1])},  # and one offset only
        {Base.RowsPerStrip: (tiffs.LONG, [0])},
        {Base.StripOffsets: (tiffs.ASCII, b"none")},
        {Base.BitsPerSample: (tiffs.SHORT, [8, 8])},
        {Base.ImageWidth: (tiffs.RATIONAL, [1, 2])},
    ],
)
def test_contradictory_directory_is_unreadable(
    cat: Image.Image, more: dict[int, tiffs.Tag]
) -> None:
    with pytest.raises(UnreadableImage):
        read_image(make_tiff(planes(cat), more=more), SIZE)


@pytest.mark.parametrize("compression", [RAW, DEFLATE])
def test_cut_off_pixels_are_unreadable(cat: Image.Image, compression: int) -> None:
    more: dict[int, tiffs.Tag] = {Base.StripOffsets: (tiffs.LONG, [2**30])}
    with pytest.raises(UnreadableImage):
        read_image(make_tiff(planes(cat), compression=compression, more=more), SIZE)


def test_directory_of_two_layouts_is_read(cat: Image.Image, pixels: Pixels) -> None:
    strips = make_tiff(planes(cat), compression=DEFLATE)
    tiled = make_tiff(planes(cat), compression=DEFLATE, tile=(96, 64), more={
        Base.StripOffsets: (tiffs.LONG, [4]), Base.StripByteCounts: (tiffs.LONG, [9]),
    })  # fmt: skip
    assert np.array_equal(read_image(strips, SIZE), pixels)
    assert np.array_equal(read_image(tiled, SIZE), pixels)


@pytest.mark.parametrize("tag", [Base.TileWidth, Base.TileLength])
@pytest.mark.parametrize("compression", [RAW, DEFLATE])
def test_strips_are_not_read_as_tiles(
    cat: Image.Image, pixels: Pixels, tag: int, compression: int
) -> None:
    more: dict[int, tiffs.Tag] = {tag: (tiffs.LONG, [1_000_000])}
    data = make_tiff(planes(cat), compression=compression, more=more)
    assert inspect(data).replacement is not None
    assert np.array_equal(read_image(data, SIZE), pixels)


@pytest.mark.parametrize("kind", [tiffs.IFD8, 99])
@pytest.mark.parametrize("compression", [RAW, DEFLATE])
def test_entries_that_pillow_skips_are_left_out(
    cat: Image.Image, pixels: Pixels, kind: int, compression: int
) -> None:
    """libtiff would read an entry of type IFD8."""
    more: dict[int, tiffs.Tag] = {Base.TileLength: (tiffs.LONG8, [1_000_000])}
    data = make_tiff(planes(cat), compression=compression, big=True, more=more)
    entry = struct.pack("<HH", Base.TileLength, tiffs.LONG8)
    skipped = data.replace(entry, struct.pack("<HH", Base.TileLength, kind))
    assert inspect(skipped).replacement is not None
    assert np.array_equal(read_image(skipped, SIZE), pixels)


def test_pillow_opens_what_replaces_an_odd_file(cat: Image.Image) -> None:
    data = make_tiff(planes(cat), order=">", big=True, rows=7)
    replacement = inspect(data).replacement
    assert replacement is not None
    with Image.open(io.BytesIO(replacement)) as image:
        assert np.array_equal(np.asarray(image), np.asarray(cat))
