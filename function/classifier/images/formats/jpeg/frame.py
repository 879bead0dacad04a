"""The frame header of a JPEG (ITU-T T.81, annex B): its size, components and sampling factors."""

from struct import unpack_from
from typing import Final, NamedTuple

from classifier.images.formats import UnsupportedCoding, UnusualStructure
from classifier.images.formats.jpeg.markers import DNL, SOF2

_JPEG_LS: Final = b"\xff\xd8\xff\xf7"
"""Start of a file in another format, with the frame header that it has (ITU-T T.87, C.1.1)"""

MAX_EDGE: Final = 65_500
"""Pixels; libjpeg's JPEG_MAX_DIMENSION. The format has 35 more."""

CMYK: Final = 4
_COMPONENTS: Final = {1, 3, CMYK}
"""Numbers of components that Pillow has a mode for"""
_FACTORS: Final = {1, 2, 3, 4}
"""Sampling factors (T.81, B.2.2)"""

_BLOCK: Final = 8
"""Samples a side of a DCT block"""
COEFFICIENTS: Final = _BLOCK**2


class Component(NamedTuple):
    identifier: int
    horizontal: int
    vertical: int
    """Sampling factors, 1 to 4"""


class Frame(NamedTuple):
    progressive: bool
    width: int
    height: int
    components: tuple[Component, ...]

    def blocks(self, component: Component) -> tuple[int, int]:
        """Blocks in a row and in a column of a component (T.81, A.1.1)."""
        across = _BLOCK * max(each.horizontal for each in self.components)
        down = _BLOCK * max(each.vertical for each in self.components)
        return (
            -(-self.width * component.horizontal // across),
            -(-self.height * component.vertical // down),
        )

    def padded_blocks(self, component: Component) -> int:
        """Blocks of a component, with those that fill up minimum coded units (T.81, A.2.4)."""
        across, down = self.blocks(component)
        return _round_up(across, component.horizontal) * _round_up(down, component.vertical)


def parse_frame(segment: bytes, data: bytes, first_scan: int) -> Frame:
    """Raises `UnusualStructure` and `UnsupportedCoding`."""
    if not segment:
        if data.startswith(_JPEG_LS):
            raise UnsupportedCoding("a JPEG-LS")
        raise UnusualStructure("it has no frame header before its pixels")
    count = segment[9] if len(segment) > 9 else 0
    if len(segment) != 10 + 3 * count or not count:
        raise UnusualStructure("its frame header is damaged")
    precision, height, width = unpack_from(">BHH", segment, 4)
    if precision != 8:
        raise UnsupportedCoding(f"a JPEG with {precision} bits per sample")
    if count not in _COMPONENTS:
        raise UnsupportedCoding(f"a JPEG with {count} components")
    if not height and data.find(bytes([0xFF, DNL]), first_scan) >= 0:
        raise UnsupportedCoding("a JPEG that states its height after its pixels")
    if not height or not width:
        raise UnusualStructure("its frame header says that it has no pixels")
    if max(width, height) > MAX_EDGE:
        raise UnsupportedCoding(f"a JPEG of more than {MAX_EDGE:,} pixels per side")
    components = tuple(
        Component(identifier, factors >> 4, factors & 15)
        for identifier, factors in zip(segment[10::3], segment[11::3], strict=True)
    )
    factors = {factor for component in components for factor in component[1:]}
    if not factors <= _FACTORS:
        raise UnusualStructure("its sampling factors are damaged")
    return Frame(segment[1] == SOF2, width, height, components)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
