"""JPEG: markers, scans, memory, metadata, and files without an end."""

import struct
from io import BytesIO
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from classifier.errors import TooSlowToDecode, UnreadableImage, UnsupportedFormat
from classifier.images import read_image
from classifier.images.formats import UnsupportedCoding, UnusualStructure, jpeg
from classifier.images.formats.jpeg.markers import MAX_SEGMENTS
from tests.hostile.corpus.jpeg import (
    APP0,
    APP1,
    APP2,
    APP5,
    APP13,
    APP14,
    COM,
    DQT,
    EOI,
    SOF0,
    SOF2,
    SOS,
    segment,
    shared_values,
    split_scans,
)
from tests.hostile.corpus.metadata import exif_block
from tests.support.pictures import SIZE, encode

COVERING: Final = 256
END: Final = bytes([0xFF, EOI])
SCAN: Final = bytes([0xFF, SOS])
BEHIND_JFIF: Final = 20
VIDEO: Final = b"\0\0\0\x18ftypmp42" + bytes([0xFF, SOS, 0xFF, SOF2]) * 1000
ROTATED: Final = segment(APP1, exif_block())

LAYOUTS: Final[dict[str, dict[str, Any]]] = {
    "baseline": {},
    "fine": {"quality": 95, "subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 1},
    "progressive-restarts": {"restart_marker_blocks": 2, "progressive": True},
}

every_layout = pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)


def with_segments(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def with_frame(data: bytes, offset: int, value: bytes) -> bytes:
    """`value` at an offset of the frame segment."""
    frame = data.index(bytes([0xFF, SOF0])) + offset
    return data[:frame] + value + data[frame + len(value) :]


def same_pixels(left: bytes, right: bytes) -> bool:
    return np.array_equal(read_image(left, SIZE), read_image(right, SIZE))


def estimate(data: bytes) -> int:
    return jpeg.inspect(data, COVERING).decode_bytes


# The frame


@pytest.mark.parametrize("covering", [1, 37, 64, 100, 256, 1000])
@pytest.mark.parametrize("size", [(64, 64), (513, 512), (1025, 2047), (2048, 2050), (80, 3000)])
def test_scale_is_the_one_that_pillow_chooses(size: tuple[int, int], covering: int) -> None:
    with Image.open(BytesIO(encode(Image.new("L", size), "JPEG"))) as image:
        image.draft(None, (covering, covering))
        info = jpeg.inspect(encode(Image.new("L", size), "JPEG"), covering)
        assert image.size == tuple(-(-edge // info.scale) for edge in size)


@pytest.mark.parametrize("note", [b"\xff\xc2", b"\xff\xda", b"\xff\xd9\xff\xc2"])
def test_markers_in_metadata_mean_nothing(cat: Image.Image, note: bytes) -> None:
    plain = encode(cat, "JPEG")
    noted = with_segments(plain, segment(APP1, b"Exif\0\0" + note), segment(APP5, note * 99))
    assert estimate(noted) == estimate(plain)
    assert same_pixels(noted, plain)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_data_behind_the_end_mean_nothing(cat: Image.Image, options: dict[str, Any]) -> None:
    plain = encode(cat, "JPEG", **options)
    assert jpeg.inspect(plain + VIDEO, COVERING)[:4] == jpeg.inspect(plain, COVERING)[:4]
    assert same_pixels(plain + VIDEO, plain)


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_other_processes_are_unsupported(cat: Image.Image, marker: int) -> None:
    with pytest.raises(UnsupportedFormat, match="neither baseline nor progressive"):
        read_image(with_frame(encode(cat, "JPEG"), 1, bytes([marker])), SIZE)


def test_jpeg_ls_is_unsupported() -> None:
    frame = struct.pack(">BBHBHHBBBB", 0xFF, 0xF7, 11, 8, 4, 4, 1, 1, 0x11, 0)
    with pytest.raises(UnsupportedFormat, match="a JPEG-LS"):
        read_image(b"\xff\xd8" + frame + b"\xff\xda" + bytes(20) + b"\xff\xd9", SIZE)


def test_twelve_bits_a_sample_are_unsupported(cat: Image.Image) -> None:
    with pytest.raises(UnsupportedFormat, match="12 bits per sample"):
        read_image(with_frame(encode(cat, "JPEG"), 4, b"\x0c"), SIZE)


def test_two_components_are_unsupported(cat: Image.Image) -> None:
    data = encode(cat, "JPEG")
    frame = data.index(bytes([0xFF, SOF0]))
    two = struct.pack(">BBHBHHB", 0xFF, SOF0, 14, 8, 90, 90, 2) + data[frame + 10 : frame + 16]
    with pytest.raises(UnsupportedCoding, match="2 components"):
        jpeg.inspect(data[:frame] + two + data[frame + 19 :], COVERING)


def test_height_behind_the_first_scan_is_unsupported(cat: Image.Image) -> None:
    data = with_frame(encode(cat, "JPEG"), 5, b"\0\0")
    with pytest.raises(UnsupportedFormat, match="states its height after its pixels"):
        read_image(data[:-2] + segment(0xDC, b"\1\x2c") + END, SIZE)
    with pytest.raises(UnreadableImage, match="no pixels"):
        read_image(data, SIZE)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (7, b"\0\0", "no pixels"),
        (9, b"\0", "frame header is damaged"),
        (9, b"\4", "frame header is damaged"),
        (11, b"\x20", "sampling factors"),
        (11, b"\x25", "sampling factors"),
    ],
)
def test_damaged_frame_is_refused(
    cat: Image.Image, offset: int, value: bytes, message: str
) -> None:
    with pytest.raises(UnreadableImage, match=message):
        read_image(with_frame(encode(cat, "JPEG"), offset, value), SIZE)


def test_two_frames_are_refused(cat: Image.Image) -> None:
    data = encode(cat, "JPEG")
    frame = data.index(bytes([0xFF, SOF0]))
    with pytest.raises(UnusualStructure, match="two frame headers"):
        jpeg.inspect(data[:frame] + data[frame : frame + 19] + data[frame:], COVERING)


def test_scan_without_a_frame_is_refused() -> None:
    with pytest.raises(UnusualStructure, match="no frame header"):
        jpeg.inspect(b"\xff\xd8" + segment(SOS, bytes(6)) + END, COVERING)


@pytest.mark.parametrize("kept", [3, 20, 300])
def test_file_that_ends_before_its_pixels_is_truncated(cat: Image.Image, kept: int) -> None:
    with pytest.raises(UnreadableImage, match="truncated before its pixels"):
        read_image(encode(cat, "JPEG")[:kept], SIZE)


# Memory and time


@pytest.mark.parametrize(
    ("mode", "options", "coefficients"),
    [
        ("RGB", {"subsampling": 0}, 3.0),
        ("RGB", {"subsampling": 1}, 2.0),
        ("RGB", {"subsampling": 2}, 1.5),
        ("RGB", {"subsampling": "4:1:1"}, 1.5),
        ("L", {}, 1.0),
        ("CMYK", {"subsampling": 0}, 4.0),
    ],
)
def test_coefficients_of_a_progressive_jpeg_are_estimated(
    mode: str, options: dict[str, Any], coefficients: float
) -> None:
    image = Image.new(mode, (4096, 4096))
    progressive = estimate(encode(image, "JPEG", progressive=True, **options))
    pixels = (1 if mode == "L" else 4) * 512**2  # at an eighth
    expected = pixels + 2 * coefficients * 4096**2
    assert expected < progressive < 1.02 * expected
    assert pixels < estimate(encode(image, "JPEG", **options)) < pixels + (3 << 20)


def test_partial_blocks_count_as_whole_units() -> None:
    coefficients = 2 * 16 * 16_000 * 1.5  # 4:2:0 has units of 16 x 16
    thin = encode(Image.new("RGB", (1, 16_000)), "JPEG", progressive=True, subsampling=2)
    assert estimate(thin) > coefficients


def test_baseline_jpeg_with_a_scan_for_each_component_keeps_coefficients() -> None:
    data = encode(Image.new("RGB", (1600, 1600)), "JPEG", subsampling=0)
    scan = data.index(SCAN)
    apart = b"".join(segment(SOS, bytes([1, number, 0, 0, 63, 0])) for number in (1, 2, 3))
    several = jpeg.inspect(data[:scan] + apart + END, COVERING)
    assert several.decode_bytes >= estimate(data) + 2 * 3 * 1600**2
    assert several.feature == "a JPEG of 3 scans"


@pytest.mark.parametrize("subsampling", [0, 2])
def test_large_progressive_photo_is_fast_enough(subsampling: int) -> None:
    small = encode(Image.new("RGB", (16, 16)), "JPEG", progressive=True, subsampling=subsampling)
    frame = small.index(bytes([0xFF, SOF2])) + 5
    large = small[:frame] + struct.pack(">HH", 9000, 12_000) + small[frame + 4 :]
    info = jpeg.inspect(large, COVERING)
    assert info.feature == "a progressive JPEG of 10 scans"
    assert 0.1 < info.seconds < 2.0


@pytest.mark.parametrize(
    ("side", "parameters", "count"),
    [(64, (0, 0, 0), 300_000), (4000, (0, 0, 0), 2000), (4000, (1, 63, 0x10), 150)],
)
def test_many_empty_scans_are_refused(
    side: int, parameters: tuple[int, int, int], count: int
) -> None:
    data = encode(Image.new("L", (side, side)), "JPEG", progressive=True)
    scans = segment(SOS, bytes([1, 1, 0, *parameters])) * count
    with pytest.raises(TooSlowToDecode, match="progressive JPEG of"):
        read_image(data[:-2] + scans + END, SIZE)


def test_scans_of_unknown_components_are_refused(cat: Image.Image) -> None:
    data = encode(cat, "JPEG", progressive=True)
    with pytest.raises(UnreadableImage, match="component that it does not have"):
        read_image(data[:-2] + segment(SOS, b"\1\x09\0\0\0\0") + END, SIZE)


def test_damaged_scan_header_is_refused(cat: Image.Image) -> None:
    data = encode(cat, "JPEG", progressive=True)
    with pytest.raises(UnreadableImage, match="scan header is damaged"):
        read_image(data[:-2] + segment(SOS, b"\2\1\0\0\0\0") + END, SIZE)


# Metadata

ODD: Final[dict[str, bytes]] = {
    "many comments": segment(COM, b"hi") * 5000,
    "many application segments": segment(APP5, bytes(50)) * 5000,
    "EXIF in many parts": segment(APP1, b"Exif\0\0" + bytes(9000)) * 100,
    "empty EXIF": segment(APP1, b"Exif\0\0"),
    "many Photoshop segments": 99 * segment(
        APP13, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 99
    ),
    "cut Photoshop segment": segment(APP13, b"Photoshop 3.0\x008BIM\4\4"),
    "cut JFIF": segment(APP0, b"JFIF\0"),
    "cut Adobe": segment(APP14, b"Adobe"),
    "cut colour profile": segment(APP2, b"ICC_PROFILE\0"),
    "half a colour profile": segment(APP2, b"ICC_PROFILE\0\1\2" + bytes(99)),
    "resolution of one letter": segment(
        APP1, exif_block([(0x11A, 2, 1, 0x37), (0x128, 3, 1, 2)])
    ),
    "directory of MP that shares its values": segment(APP2, b"MPF\0" + shared_values()),
    "directory of MP that ends early": segment(
        APP2,
        b"MPF\0II*\0\x08\0\0\0" + struct.pack("<H", 2)
        + struct.pack("<HHLL", 0xB001, 4, 1, 9) + struct.pack("<HHLL", 0xB002, 7, 4, 0) + bytes(4),
    ),
    "junk": b"\0" * 100_000 + b"\xff\0" * 1000,
    "fill bytes": b"\xff" * 200_000,
    "reserved markers": b"\xff\xf0\xff\2\xff\xd0\xff\xd8",
    "no length": b"\xff\xe5\0\0",
    "equal tables": segment(DQT, b"\0" + bytes(range(1, 65))) * 5000,
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@every_layout
def test_odd_metadata_are_skipped(cat: Image.Image, options: dict[str, Any], odd: bytes) -> None:
    plain = encode(cat, "JPEG", **options)
    data = plain[:BEHIND_JFIF] + odd + plain[BEHIND_JFIF:]
    assert estimate(data) < estimate(plain) + 200_000
    assert same_pixels(data, plain)


@pytest.mark.parametrize("gap", [b"\xff" * 200_000, segment(COM, bytes(999)) * 50])
def test_odd_metadata_between_scans_are_skipped(cat: Image.Image, gap: bytes) -> None:
    plain = encode(cat, "JPEG", progressive=True)
    start, scans, end = split_scans(plain)
    assert same_pixels(start + gap.join(scans) + gap + end, plain)


def test_long_rows_of_fill_bytes_do_not_reach_the_decoder(cat: Image.Image) -> None:
    start, scans, end = split_scans(encode(cat, "JPEG", progressive=True))
    rows = [b"\xff" * length for length in (65_535, 65_536, 65_537, 200_000)]
    gaps = zip(scans[1:], rows, strict=False)
    data = start + scans[0] + b"".join(row + scan for scan, row in gaps) + end
    sizes = [len(part) for part in jpeg.inspect(data, COVERING).parts]
    assert sum(sizes) < len(data) - 65_536 - 65_537 - 200_000 + 10


def test_orientation_survives_odd_metadata(cat: Image.Image) -> None:
    plain = encode(cat, "JPEG")
    turned = np.rot90(read_image(plain, SIZE), -1)
    for odd in (b"", segment(COM) * 5000, segment(APP1, b"Exif\0\0" + bytes(60_000)) * 40):
        data = with_segments(plain, ROTATED, odd)
        assert np.array_equal(read_image(data, SIZE), turned)
    broken = segment(APP1, b"Exif\0\0" + bytes(99))
    assert np.array_equal(read_image(with_segments(plain, broken, ROTATED), SIZE), turned)


def test_orientation_of_a_hostile_directory_survives(cat: Image.Image) -> None:
    entries = [(274, 3, 1, 6), *((tag, 5, 5000, 8) for tag in range(280, 780))]
    exif = segment(APP1, exif_block(entries, bytes(40_000)))
    turned = np.rot90(read_image(encode(cat, "JPEG"), SIZE), -1)
    assert np.array_equal(read_image(with_segments(encode(cat, "JPEG"), exif), SIZE), turned)


def test_orientation_in_xmp_survives(cat: Image.Image) -> None:
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    data = with_segments(encode(cat, "JPEG"), segment(APP1, xmp), segment(COM) * 5000)
    turned = np.rot90(read_image(encode(cat, "JPEG"), SIZE), -1)
    assert np.array_equal(read_image(data, SIZE), turned)


def test_colours_of_the_adobe_segment_survive(cat: Image.Image) -> None:
    named = encode(cat, "JPEG", keep_rgb=True)  # its components are called R, G and B
    frame, scan = named.index(bytes([0xFF, SOF0])), named.index(SCAN)
    numbered = bytearray(named)
    for number in range(3):
        numbered[frame + 10 + 3 * number] = numbered[scan + 5 + 2 * number] = number + 1
    adobe = segment(APP14, b"Adobe\0\x64\0\0\0\0\0")  # no transformation
    assert same_pixels(with_segments(bytes(numbered), adobe), named)


def test_colour_profile_survives(cat: Image.Image) -> None:
    profile = bytes(range(256)) * 600  # in three segments
    info = jpeg.inspect(encode(cat, "JPEG", icc_profile=profile), COVERING)
    with Image.open(BytesIO(b"".join(info.parts))) as image:
        assert image.info["icc_profile"] == profile
    assert info.decode_bytes > 3 * len(profile)


def test_incomplete_colour_profile_is_left_out(cat: Image.Image) -> None:
    half = segment(APP2, b"ICC_PROFILE\0\1\2" + bytes(99))
    info = jpeg.inspect(with_segments(encode(cat, "JPEG"), half), COVERING)
    assert b"ICC_PROFILE" not in b"".join(info.parts)


def test_last_of_several_tables_counts(cat: Image.Image) -> None:
    data = encode(cat, "JPEG")
    start = data.index(bytes([0xFF, DQT]))
    table = data[start : start + 69]
    assert same_pixels(with_segments(data, table, segment(DQT, b"\0" + b"\1" * 64)), data)


def test_file_is_not_copied(cat: Image.Image) -> None:
    info = jpeg.inspect(encode(cat, "JPEG", quality=95), COVERING)
    assert info.replacement is None
    copied = [len(part) for part in info.parts if isinstance(part, bytes)]
    assert sum(copied) < 1000


@pytest.mark.parametrize("gap", [segment(COM), segment(DQT, b"\0" + bytes(64))])
def test_more_segments_than_the_maximum_are_refused(cat: Image.Image, gap: bytes) -> None:
    data = encode(cat, "JPEG", progressive=True)
    gaps = gap * (MAX_SEGMENTS + 1)
    for hostile in (with_segments(data, gaps), data[:-2] + gaps + END):
        with pytest.raises(UnusualStructure, match=f"more than {MAX_SEGMENTS:,} segments"):
            jpeg.inspect(hostile, COVERING)


def test_many_different_tables_are_refused(cat: Image.Image) -> None:
    tables = [segment(DQT, b"\0" + bytes([n % 255 + 1, n // 255 + 1]) * 32) for n in range(1000)]
    with pytest.raises(UnusualStructure, match="more tables"):
        jpeg.inspect(with_segments(encode(cat, "JPEG"), *tables), COVERING)


# Files without an end


@every_layout
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_missing_end_marker_is_accepted(
    cat: Image.Image, mode: str, options: dict[str, Any]
) -> None:
    data = encode(cat.convert(mode).resize((333, 250)), "JPEG", **options)
    for unended in (data[:-1], data[:-2], data[:-2] + bytes(1), data[:-2] + bytes(100_000)):
        assert same_pixels(unended, data)


@every_layout
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_file_that_ends_within_its_pixels_is_truncated(
    cat: Image.Image, mode: str, options: dict[str, Any]
) -> None:
    data = encode(cat.convert(mode).resize((48, 36)), "JPEG", **options)
    for end in range(data.index(SCAN), len(data) - 2):
        with pytest.raises(UnreadableImage, match="truncated"):
            read_image(data[:end], SIZE)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_pixels_replaced_by_zeros_are_truncated(cat: Image.Image, options: dict[str, Any]) -> None:
    data = encode(cat, "JPEG", **options)
    for zeros in (len(data) // 2, 1_000_000):
        with pytest.raises(UnreadableImage, match="truncated"):
            read_image(data[: len(data) // 2] + bytes(zeros), SIZE)


def test_missing_details_are_truncated_although_a_smaller_scale_does_not_show_them(
    cat: Image.Image,
) -> None:
    data = encode(cat.resize((3100, 2100)), "JPEG", progressive=True)
    with pytest.raises(UnreadableImage, match="truncated"):
        read_image(data[:-2000], SIZE)


def test_progressive_jpeg_that_ends_between_scans_is_truncated(cat: Image.Image) -> None:
    start, scans, _ = split_scans(encode(cat, "JPEG", progressive=True))
    for kept in range(1, len(scans)):
        with pytest.raises(UnreadableImage, match="scans are missing"):
            read_image(start + b"".join(scans[:kept]), SIZE)


def test_memory_and_time_of_the_comparison_are_estimated(cat: Image.Image) -> None:
    data = encode(cat.resize((3000, 2000)), "JPEG", progressive=True)
    ended, unended = jpeg.inspect(data, COVERING), jpeg.inspect(data[:-2], COVERING)
    assert unended.decode_bytes > ended.decode_bytes + 3 * 3000 * 2000
    assert unended.seconds > ended.seconds + 0.1


def test_ordinary_file_is_passed_on_as_it_is(cat: Image.Image) -> None:
    assert jpeg.inspect(encode(cat, "JPEG"), 256).parts == ()


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": exif_block()}])
def test_other_file_is_passed_on_in_parts(cat: Image.Image, options: dict[str, Any]) -> None:
    assert jpeg.inspect(encode(cat, "JPEG", **options), 256).parts


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_comment_changes_nothing_but_the_way_through_the_file(
    cat: Image.Image, mode: str, subsampling: int
) -> None:
    """A comment of two bytes makes it a file that is walked in whole."""
    data = encode(cat.convert(mode), "JPEG", subsampling=subsampling)
    plain = jpeg.inspect(data, 256)
    commented = jpeg.inspect(data[:2] + b"\xff\xfe\0\2" + data[2:], 256)
    assert (plain.size, plain.scale) == (commented.size, commented.scale)
    assert abs(plain.decode_bytes - commented.decode_bytes) < 1000
