"""The sequence headers of AV1 (AV1 specification, sections 5.3 to 5.5)."""

from typing import Final

from classifier.images.formats import UnusualStructure
from classifier.images.formats.isobmff.bits import Bits
from classifier.images.formats.isobmff.coded import MAX_UNITS, Coded

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
"""Kinds of units (6.2.2)"""

MAX_SEQUENCE_HEADERS: Final = 1000
"""In an item, of 10 us each"""

_HEADER_BYTES: Final = 256
"""More than a sequence header has"""

_IDENTITY: Final = (1, 13, 0)
"""Colour description of sRGB (6.4.2)"""


def read_configuration(data: bytes, start: int) -> Coded:
    """What an `av1C` box says, which is not the size (AV1 in ISO base media files, 2.3.3)."""
    flags = data[start + 2]
    deep, grey, half_width, half_height = flags & 0x40, flags & 0x10, flags & 8, flags & 4
    samples = 1.0 if grey else 1 + (1 if half_width else 2) / (2 if half_height else 1)
    return Coded(0, 0, samples, bool(deep))


def read(data: bytes, start: int, end: int) -> tuple[list[Coded], int, int]:
    """The pictures by the sequence headers, the number of frames, and that of units. Raises
    `UnusualStructure`."""
    found: list[Coded] = []
    frames, position = 0, start
    for number in range(MAX_UNITS):
        if position >= end:
            return found, frames, number
        header = data[position]
        kind, extended, sized = header >> 3 & 15, header >> 2 & 1, header >> 1 & 1
        position += 1 + extended
        length, position = _leb128(data, position) if sized else (end - position, position)
        if kind == _SEQUENCE_HEADER:
            found.append(read_sequence_header(data[position : min(end, position + _HEADER_BYTES)]))
            if len(found) > MAX_SEQUENCE_HEADERS:
                break
        frames += kind in (_FRAME_HEADER, _FRAME)
        position += length
    raise UnusualStructure(f"it has more than {MAX_UNITS} units of pixels")


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """A number (4.10.5), and the position after it."""
    value = 0
    for index in range(8):
        byte = data[position] if position < len(data) else 0
        position += 1
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            break
    return value, position


def read_sequence_header(unit: bytes) -> Coded:
    """Section 5.5.1"""
    bits = Bits(unit)
    profile = bits.read(3)
    bits.read(1)  # still_picture
    reduced = bits.read(1)
    if reduced:
        bits.read(5)  # seq_level_idx
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    width, height = bits.read(width_bits) + 1, bits.read(height_bits) + 1
    _skip_tools(bits, reduced)
    may_scale = bits.read(1)  # enable_superres
    bits.read(2)
    samples, deep, limited = _read_colours(bits, profile)
    has_film_grain = bits.read(1)
    return Coded(
        width, height, samples, deep, limited=limited, is_copied=bool(may_scale or has_film_grain)
    )


def _skip_operating_points(bits: Bits) -> None:
    decoder_model = delay_bits = 0
    if bits.read(1):  # timing_info_present_flag
        bits.read(64)
        if bits.read(1):  # equal_picture_interval
            bits.read_exp_golomb()
        decoder_model = bits.read(1)
        if decoder_model:
            delay_bits = bits.read(5) + 1
            bits.read(42)
    initial_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:  # seq_level_idx
            bits.read(1)
        if decoder_model and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if initial_delay and bits.read(1):
            bits.read(4)


def _skip_tools(bits: Bits, reduced: int) -> None:
    if not reduced and bits.read(1):  # frame_id_numbers_present_flag
        bits.read(7)
    bits.read(3)
    if not reduced:
        bits.read(4)
        order_hint = bits.read(1)
        if order_hint:
            bits.read(2)
        screen_content = 2 if bits.read(1) else bits.read(1)
        if screen_content and not bits.read(1):  # seq_choose_integer_mv
            bits.read(1)
        if order_hint:
            bits.read(3)


def _read_colours(bits: Bits, profile: int) -> tuple[float, bool, bool]:
    """Samples per pixel, whether they have more than 8 bits, and whether they are of the limited
    range (5.5.2)."""
    deep = bits.read(1)
    twelve = bits.read(1) if profile == 2 and deep else 0
    grey = bits.read(1) if profile != 1 else 0
    described = bits.read(1)
    description = (bits.read(8), bits.read(8), bits.read(8)) if described else ()
    if grey:
        return 1, bool(deep), not bits.read(1)
    if description == _IDENTITY:
        bits.read(1)  # separate_uv_delta_q
        return 3, bool(deep), False
    limited = not bits.read(1)
    half_width, half_height = {0: (1, 1), 1: (0, 0)}.get(profile, (1, 0))
    if profile == 2 and twelve:
        half_width = bits.read(1)
        half_height = bits.read(1) if half_width else 0
    if half_width and half_height:
        bits.read(2)  # chroma_sample_position
    bits.read(1)  # separate_uv_delta_q
    return 1 + 2 / ((1 + half_width) * (1 + half_height)), bool(deep), limited
