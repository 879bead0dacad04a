"""The sequence parameter sets of HEVC (ITU-T H.265, section 7.3)."""

from struct import unpack_from
from typing import Final

from classifier.images.formats import UnusualStructure
from classifier.images.formats.isobmff.bits import Bits
from classifier.images.formats.isobmff.coded import MAX_UNITS, Coded

_SEQUENCE_PARAMETERS: Final = 33
_FIRST_NOT_A_SLICE: Final = 32
"""Kinds of units (table 7-1)"""

_UNIT_HEADER: Final = 2
_SET_BYTES: Final = 512
"""More than what is read of a parameter set takes"""

_SAMPLES: Final = {0: 1.0, 1: 1.5, 2: 2.0, 3: 3.0}
"""Samples per pixel, by chroma_format_idc (table 6-1)"""

_CONFIGURATION_HEADER: Final = 22
"""Bytes of an `hvcC` box before the number of arrays (ISO/IEC 14496-15, 8.3.2.1)"""


def read_configuration(data: bytes, start: int, end: int) -> tuple[list[Coded], int]:
    """The pictures of the parameter sets in an `hvcC` box, and the bytes of the length before each
    unit of the item."""
    length_size = (data[start + _CONFIGURATION_HEADER - 1] & 3) + 1
    position = start + _CONFIGURATION_HEADER
    arrays = data[position]
    position += 1
    found: list[Coded] = []
    for _ in range(arrays):
        count = unpack_from(">H", data, position + 1)[0]
        position += 3
        for _ in range(count):
            if position >= end:
                return found, length_size
            length = unpack_from(">H", data, position)[0]
            position += 2
            if _kind(data, position) == _SEQUENCE_PARAMETERS:
                found.append(_read_unit(data, position, min(end, position + length)))
            position += length
    return found, length_size


def read(data: bytes, start: int, end: int, length_size: int) -> tuple[list[Coded], int, int]:
    """The pictures of the parameter sets among the units of an item, how many pictures the item
    has, and how many units. Raises `UnusualStructure`."""
    found: list[Coded] = []
    pictures, position = 0, start
    for number in range(MAX_UNITS):
        if position + length_size + _UNIT_HEADER >= end:
            return found, pictures, number
        length = int.from_bytes(data[position : position + length_size], "big")
        position += length_size
        kind = _kind(data, position)
        if kind == _SEQUENCE_PARAMETERS:
            found.append(_read_unit(data, position, min(end, position + length)))
        elif kind < _FIRST_NOT_A_SLICE:
            pictures += data[position + _UNIT_HEADER] >> 7  # first_slice_segment_in_pic_flag
        position += length
    raise UnusualStructure(f"it has more than {MAX_UNITS} units of pixels")


def _kind(data: bytes, position: int) -> int:
    return data[position] >> 1 & 0x3F


def _read_unit(data: bytes, start: int, end: int) -> Coded:
    return read_sequence_parameters(data[start + _UNIT_HEADER : min(end, start + _SET_BYTES)])


def read_sequence_parameters(unit: bytes) -> Coded:
    """Section 7.3.2.2; `unit` is what follows the header of the unit."""
    bits = Bits(unit.replace(b"\0\0\3", b"\0\0"))  # emulation prevention (7.3.1.1)
    bits.read(4)  # sps_video_parameter_set_id
    sub_layers = bits.read(3)
    bits.read(1)
    _skip_profiles(bits, sub_layers)
    bits.read_exp_golomb()  # sps_seq_parameter_set_id
    chroma = bits.read_exp_golomb()
    if chroma == 3:
        bits.read(1)  # separate_colour_plane_flag
    width, height = bits.read_exp_golomb(), bits.read_exp_golomb()
    if bits.read(1):  # conformance_window_flag
        for _ in range(4):
            bits.read_exp_golomb()
    deep = bits.read_exp_golomb() + bits.read_exp_golomb() > 0  # bits beyond 8, luma and chroma
    return Coded(width, height, _SAMPLES.get(chroma, 3.0), deep)


def _skip_profiles(bits: Bits, sub_layers: int) -> None:
    """Section 7.3.3"""
    bits.read(96)
    present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.read(2 * (8 - sub_layers))
    for profile, level in present:
        bits.read(88 * profile + 8 * level)
