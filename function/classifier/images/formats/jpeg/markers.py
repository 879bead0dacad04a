"""The markers and segments of a JPEG (ITU-T T.81, annex B), and the search for them."""

import re
from typing import Final, NamedTuple

import numpy as np

# Codes (table B.1): the byte after 0xFF
SOF0, SOF1, SOF2 = 0xC0, 0xC1, 0xC2
DHT, DAC = 0xC4, 0xCC
RST0 = 0xD0
EOI, SOS, DQT, DNL, DRI = 0xD9, 0xDA, 0xDB, 0xDC, 0xDD
APP0, APP1, APP2, APP14, APP15, COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE

END: Final = bytes([0xFF, EOI])

_FOUND: Final = rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]"
"""Those with a segment, and EOI. Restart markers belong to a scan; the rest is reserved."""

_NEAR: Final = re.compile(_FOUND)
_CODES: Final = np.array([re.fullmatch(_FOUND, bytes([0xFF, code])) for code in range(256)], bool)

_NEAR_BYTES: Final = 4096
_CHUNK_BYTES: Final = 1 << 16
"""Bytes that NumPy searches at a time. The regular expression takes 9 ns for a byte at worst,
NumPy 4 ns, but 20 us for a call."""

MAX_SEGMENTS: Final = 250_000
"""Segments outside of scans. They take half a second; an ordinary file has from ten to some
hundreds, with a depth map."""

_ZERO_PADDING: Final = 2
"""Zero bytes at the end that are not cut off: the pixels may end with as many."""

STEP: Final = 1 << 16
"""Bytes that are looked at together"""


class Segment(NamedTuple):
    marker: int
    start: int
    end: int
    """Offsets; the marker is at the start"""

    def content(self) -> int:
        return self.start + 4


class Truncated(Exception):
    """The file ends within a scan or segment."""

    def __init__(self, end: int) -> None:
        super().__init__(end)
        self.end = end
        """Offset of the end of what is whole"""


def find_marker(data: bytes, position: int) -> int:
    """The offset of the first marker at or after `position` that has a segment or is EOI; -1 if
    there is none. Entropy-coded data, fill bytes and bytes that belong to nothing are skipped."""
    far = position + _NEAR_BYTES
    if found := _NEAR.search(data, position, far + 1):
        return found.start()
    if far >= len(data):
        return -1
    values = np.frombuffer(data, np.uint8)
    for start in range(far, len(data), _CHUNK_BYTES):
        chunk = values[start : start + _CHUNK_BYTES + 1]
        starts = np.flatnonzero(chunk[:-1] == 0xFF)
        markers = starts[_CODES[chunk[starts + 1]]]
        if markers.size:
            return start + int(markers[0])
    return -1


def next_segment(data: bytes, position: int) -> Segment:
    """Raises `Truncated`."""
    start = find_marker(data, position)
    if start < 0:
        raise Truncated(_end_of_bits(data, position))
    marker = data[start + 1]
    if marker == EOI:
        return Segment(marker, start, start + 2)
    # The length counts itself. Decoders take a smaller one for 2.
    end = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
    if end > len(data):
        raise Truncated(start)
    return Segment(marker, start, end)


def _end_of_bits(data: bytes, start: int) -> int:
    """Where the entropy-coded data that begin at `start` end, in a file that ends there: without
    zeros that fill it up, and without half a marker."""
    zeros = _count_last(data, start, b"\0")
    if zeros:
        return len(data) - max(0, zeros - _ZERO_PADDING)
    return len(data) - _count_last(data, start, b"\xff")


def _count_last(data: bytes, start: int, value: bytes) -> int:
    """How many bytes at the end of `data`, but not before `start`, are `value`."""
    for end in range(len(data), start, -STEP):
        begin = max(start, end - STEP)
        rest = data[begin:end].rstrip(value)
        if rest:
            return len(data) - begin - len(rest)
    return len(data) - start
