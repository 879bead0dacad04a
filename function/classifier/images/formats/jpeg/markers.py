"""The markers of a JPEG (ITU-T T.81, annex B), and the search for them."""

import re
from typing import Final

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
