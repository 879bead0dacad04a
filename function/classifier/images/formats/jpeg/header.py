"""The segments of a JPEG before its first scan (ITU-T T.81, annex B): the frame header, the tables
and the metadata that the decoder gets."""

from typing import Final

from classifier.images.formats import UnsupportedCoding, UnusualStructure
from classifier.images.formats.jpeg.markers import (
    APP0,
    APP1,
    APP2,
    APP14,
    APP15,
    COM,
    DAC,
    DHT,
    DNL,
    DQT,
    DRI,
    EOI,
    MAX_SEGMENTS,
    SOF0,
    SOF1,
    SOF2,
    SOS,
    Segment,
    Truncated,
    next_segment,
)

SIGNATURE: Final = b"\xff\xd8\xff"

MAX_TABLE_BYTES: Final = 65_536
"""Different quantization and Huffman tables before the first scan, which Pillow parses in Python.
All that a frame can use take 3 KB."""

MAX_EXIF_PARTS: Final = 16
"""Segments of EXIF that are joined. The first directory is in the first one."""

MAX_PROFILE_BYTES: Final = 4 << 20
"""A larger colour profile is left out. Those of printers have 3 MB."""

TABLES: Final = {DQT, DHT, DAC, DRI}
_FRAMES: Final = {SOF0, SOF1, SOF2}
_METADATA: Final = {*range(APP0, APP15 + 1), COM, DNL}

JFIF: Final = b"JFIF\0"
_ADOBE: Final = b"Adobe"
JFIF_BYTES, _ADOBE_BYTES = 14, 12
"""libjpeg ignores shorter segments; they make Pillow refuse the file."""
_EXIF: Final = b"Exif\0\0"
_EXIF_STARTS: Final = (b"II", b"MM", _EXIF)
"""Of a TIFF header; some writers put the name twice."""
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_PROFILE: Final = b"ICC_PROFILE\0"
_PROFILE_NUMBER: Final = 4 + len(_PROFILE)
"""Offset in a segment of the part's number; the number of parts follows (ICC.1:2022, B.4)"""
_PROFILE_HEADER: Final = _PROFILE_NUMBER + 2
MAX_PROFILE_PARTS: Final = 255


class Kept:
    """The segments before the first scan that the decoder gets."""

    def __init__(self) -> None:
        self.exif: list[bytes] = []
        self.frame = b""
        self._latest: dict[bytes, bytes] = {}
        self._tables: dict[bytes, None] = {}
        self._profile: list[memoryview] = []
        self._profile_bytes = 0

    def add(self, data: bytes, segment: Segment) -> None:
        """Raises `UnusualStructure` and `UnsupportedCoding`."""
        marker, start, end = segment
        if marker in _METADATA:
            self._add_metadata(data, segment)
        elif marker in TABLES:
            table = data[start:end]
            self._tables.pop(table, None)  # the last of equal ones counts
            self._tables[table] = None
        elif marker == EOI:
            raise UnusualStructure("it ends before its pixels")
        elif marker not in _FRAMES:
            raise UnsupportedCoding("a JPEG that is neither baseline nor progressive")
        elif self.frame:
            raise UnusualStructure("it has two frame headers")
        else:
            self.frame = data[start:end]

    def _add_metadata(self, data: bytes, segment: Segment) -> None:
        marker, start, end = segment
        content = segment.content()
        if marker == APP1 and data.startswith(_EXIF, content):
            part = data[content + len(_EXIF) : end]
            if len(self.exif) < MAX_EXIF_PARTS and (self.exif or part.startswith(_EXIF_STARTS)):
                self.exif.append(part)
        elif marker == APP1 and data.startswith(_XMP, content):
            self._latest[_XMP] = data[start:end]
        elif marker == APP2 and data.startswith(_PROFILE, content):
            self._profile_bytes += end - start
            if len(self._profile) <= MAX_PROFILE_PARTS:
                self._profile.append(memoryview(data)[start:end])
        elif marker == APP0 and data.startswith(JFIF, content):
            if end - content >= JFIF_BYTES:
                self._latest[JFIF] = data[start:end]
        elif marker == APP14 and data.startswith(_ADOBE, content) and end - content >= _ADOBE_BYTES:
            self._latest[_ADOBE] = data[start:end]

    def profile(self) -> list[memoryview]:
        """The segments of the colour profile; none unless all of them are there."""
        parts = self._profile
        complete = (
            len(parts) <= MAX_PROFILE_PARTS
            and self._profile_bytes <= MAX_PROFILE_BYTES
            and all(len(part) >= _PROFILE_HEADER for part in parts)
            and sorted(part[_PROFILE_NUMBER] for part in parts) == [*range(1, len(parts) + 1)]
            and all(part[_PROFILE_NUMBER + 1] == len(parts) for part in parts)
        )
        return parts if complete else []

    def join(self, profile: list[memoryview]) -> bytes:
        """A JPEG up to its first scan. Raises `UnusualStructure`."""
        if sum(map(len, self._tables)) > MAX_TABLE_BYTES:
            raise UnusualStructure("it has more tables before its pixels than it can use")
        # Pillow wants the profile before the frame.
        return b"".join(
            [SIGNATURE[:2], *self._latest.values(), *profile, *self._tables, self.frame]
        )


def read_segments(data: bytes) -> tuple[Kept, int, int]:
    """The segments before the first scan, the offset of that scan, and the number of segments.
    Raises `UnusualStructure` and `UnsupportedCoding`."""
    kept = Kept()
    position = 2
    for number in range(MAX_SEGMENTS):
        try:
            segment = next_segment(data, position)
        except Truncated:
            raise UnusualStructure("the file is truncated before its pixels") from None
        if segment.marker == SOS:
            return kept, segment.start, number
        kept.add(data, segment)
        position = segment.end
    raise UnusualStructure(f"it has more than {MAX_SEGMENTS:,} segments before its pixels")
