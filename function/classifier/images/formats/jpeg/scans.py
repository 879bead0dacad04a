"""The scans of a JPEG (ITU-T T.81, annexes B and G), and the CPU time that they take."""

from typing import Final, NamedTuple

from classifier.images.formats import UnusualStructure
from classifier.images.formats.jpeg.frame import COEFFICIENTS, Frame
from classifier.images.formats.jpeg.markers import (
    EOI,
    MAX_SEGMENTS,
    SOS,
    Segment,
    Truncated,
    next_segment,
)

_ALL_COEFFICIENTS: Final = (1 << COEFFICIENTS) - 1

# CPU time, as `ImageInfo.seconds`, of scans that hold next to nothing
_SECONDS_PER_BLOCK: Final = 8e-9
_SECONDS_PER_REFINED_BLOCK: Final = 60e-9
"""A refinement of AC coefficients looks at each of them."""
_SECONDS_PER_SCAN: Final = 8e-6
"""With the walk over it"""

_MAX_SCAN_SECONDS: Final = 1.5
"""The walk over scans ends here, above any limit."""


class Scan(NamedTuple):
    components: bytes
    """Their identifiers"""
    finished: int
    """Bits of the coefficients, from the first, that have their full precision after the scan"""
    refining: bool
    """Whether it refines AC coefficients"""


class Scans(NamedTuple):
    number: int
    seconds: float
    end: int
    """Offset behind EOI; without one, behind the last byte that may belong to a scan"""
    unended: bool
    complete: bool
    """Whether the scans hold every coefficient in full precision"""


def read_scans(data: bytes, frame: Frame, position: int, segments: int) -> Scans:
    """Walk over at most so many `segments` from the first SOS at `position`. Raises
    `UnusualStructure`."""
    missing = {component.identifier: _ALL_COEFFICIENTS for component in frame.components}
    blocks = {component.identifier: frame.blocks(component) for component in frame.components}
    number, seconds = 0, 0.0
    for _ in range(segments):
        try:
            segment = next_segment(data, position)
        except Truncated as truncated:
            complete = not any(missing.values())
            return Scans(number, seconds, truncated.end, unended=True, complete=complete)
        position = segment.end
        if segment.marker == EOI or seconds > _MAX_SCAN_SECONDS:
            return Scans(number, seconds, position, unended=False, complete=True)
        if segment.marker == SOS:
            scan = _parse_scan(data, segment, frame)
            number += 1
            seconds += _scan_seconds(scan, blocks)
            for identifier in scan.components:
                missing[identifier] &= ~scan.finished
    raise UnusualStructure(f"it has more than {MAX_SEGMENTS:,} segments")


def _parse_scan(data: bytes, segment: Segment, frame: Frame) -> Scan:
    """Raises `UnusualStructure`."""
    content = segment.content()
    count = data[content]
    if segment.end - content != 4 + 2 * count or not count:
        raise UnusualStructure("a scan header is damaged")
    components = data[content + 1 : content + 1 + 2 * count : 2]
    if not set(components) <= {component.identifier for component in frame.components}:
        raise UnusualStructure("a scan is of a component that it does not have")
    first, last, approximation = data[segment.end - 3 : segment.end]
    if not frame.progressive:
        return Scan(components, _ALL_COEFFICIENTS, refining=False)
    finished = 0 if approximation & 15 else (2 << last) - (1 << first)
    return Scan(components, finished, refining=first > 0 and approximation > 15)


def _scan_seconds(scan: Scan, blocks: dict[int, tuple[int, int]]) -> float:
    visited = sum(blocks[identifier][0] * blocks[identifier][1] for identifier in scan.components)
    each = _SECONDS_PER_REFINED_BLOCK if scan.refining else _SECONDS_PER_BLOCK
    return _SECONDS_PER_SCAN + visited * each
