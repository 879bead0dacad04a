"""JPEG (ITU-T T.81, annex B).

The decoder gets the frame, the tables, the metadata that means something to the pixels, and all
scans. It does not get the rest of the metadata, and nothing behind the end: so none of it can cost
anything, or make the file unreadable.
"""

from struct import unpack_from
from typing import Final, NamedTuple

from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure
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
    END,
    EOI,
    SOF0,
    SOF1,
    SOF2,
    SOS,
    find_marker,
)

SIGNATURE: Final = b"\xff\xd8\xff"

_JPEG_LS: Final = b"\xff\xd8\xff\xf7"
"""Start of a file in another format, with the frame header that it has (ITU-T T.87, C.1.1)"""

MAX_EDGE: Final = 65_500
"""Pixels; libjpeg's JPEG_MAX_DIMENSION. The format has 35 more."""

MAX_SEGMENTS: Final = 250_000
"""Segments outside of scans. They take half a second; an ordinary file has from ten to some
hundreds, with a depth map."""

MAX_TABLE_BYTES: Final = 65_536
"""Different quantization and Huffman tables before the first scan, which Pillow parses in Python.
All that a frame can use take 3 KB."""

MAX_EXIF_PARTS: Final = 16
"""Segments of EXIF that are joined. The first directory is in the first one."""

MAX_PROFILE_BYTES: Final = 4 << 20
"""A larger colour profile is left out. Those of printers have 3 MB."""

_TABLES: Final = {DQT, DHT, DAC, DRI}
_FRAMES: Final = {SOF0, SOF1, SOF2}
_METADATA: Final = {*range(APP0, APP15 + 1), COM, DNL}

_JFIF: Final = b"JFIF\0"
_ADOBE: Final = b"Adobe"
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
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

_CMYK: Final = 4
_COMPONENTS: Final = {1, 3, _CMYK}
"""Numbers of components that Pillow has a mode for"""
_FACTORS: Final = {1, 2, 3, 4}
"""Sampling factors (T.81, B.2.2)"""

_CONVERTING_BYTES: Final = 2 << 20
"""Bands of CMYK on their way to RGB; measured"""

_ROW_BYTES: Final = 20
"""For each column, libjpeg's rows on their way to pixels, as far as they are more than
`limits.WORKING_BYTES`; measured"""

_STEP: Final = 1 << 16
"""Bytes that are looked at together"""

_BLOCK: Final = 8
"""Samples a side of a DCT block"""
_BLOCK_BYTES: Final = 2 * _BLOCK**2

_ALL_COEFFICIENTS: Final = (1 << _BLOCK**2) - 1

_FILL: Final = b"\xff" * 65_536
"""Fill bytes may precede a marker. The decoder looks for the marker again with each 64 KiB that it
gets, so that a long row of them would take the square of its length."""

_PREFIX: Final = 0xFF
"""Of a marker"""
_LENGTH_BYTES: Final = 2
"""A segment's length counts itself."""

_MAX_PLAIN_BYTES: Final = 4 << 20
"""In a larger file, rows of fill bytes cost time."""
_MAX_PLAIN_SEGMENTS: Final = 32

_ZERO_PADDING: Final = 2
"""Zero bytes at the end that are not cut off: the pixels may end with as many."""

# CPU time, as `ImageInfo.seconds`, of scans that hold next to nothing
_SECONDS_PER_BLOCK: Final = 8e-9
_SECONDS_PER_REFINED_BLOCK: Final = 60e-9
"""A refinement of AC coefficients looks at each of them."""
_SECONDS_PER_SCAN: Final = 8e-6
"""With the walk over it"""
_SECONDS_PER_PIXEL: Final = 10e-9
"""Of decoding at full scale"""

_SCAN_WEIGHT: Final = 2.0
"""Such scans may take half of `limits.MAX_SECONDS`. Those that libjpeg writes take as much at 140
megapixels in 4:4:4, and at 240 in 4:2:0."""

_MAX_SCAN_SECONDS: Final = 1.5
"""The walk over scans ends here, above any limit."""


class _Component(NamedTuple):
    identifier: int
    horizontal: int
    vertical: int
    """Sampling factors, 1 to 4"""


class _Frame(NamedTuple):
    progressive: bool
    width: int
    height: int
    components: tuple[_Component, ...]

    def blocks(self, component: _Component) -> tuple[int, int]:
        """Blocks in a row and in a column of a component (T.81, A.1.1)."""
        across = _BLOCK * max(each.horizontal for each in self.components)
        down = _BLOCK * max(each.vertical for each in self.components)
        return (
            -(-self.width * component.horizontal // across),
            -(-self.height * component.vertical // down),
        )

    def padded_blocks(self, component: _Component) -> int:
        """Blocks of a component, with those that fill up minimum coded units (T.81, A.2.4)."""
        across, down = self.blocks(component)
        return _round_up(across, component.horizontal) * _round_up(down, component.vertical)


class _Scan(NamedTuple):
    components: bytes
    """Their identifiers"""
    finished: int
    """Bits of the coefficients, from the first, that have their full precision after the scan"""
    refining: bool
    """Whether it refines AC coefficients"""


class _Scans(NamedTuple):
    number: int
    seconds: float
    end: int
    """Offset behind EOI; without one, behind the last byte that may belong to a scan"""
    unended: bool
    complete: bool
    """Whether the scans hold every coefficient in full precision"""


class _Segment(NamedTuple):
    marker: int
    start: int
    end: int
    """Offsets; the marker is at the start"""

    def content(self) -> int:
        return self.start + 4


class _Truncated(Exception):
    """The file ends within a scan or segment."""

    def __init__(self, end: int) -> None:
        super().__init__(end)
        self.end = end
        """Offset of the end of what is whole"""


class _Kept:
    """The segments before the first scan that the decoder gets."""

    def __init__(self) -> None:
        self.exif: list[bytes] = []
        self.frame = b""
        self._latest: dict[bytes, bytes] = {}
        self._tables: dict[bytes, None] = {}
        self._profile: list[memoryview] = []
        self._profile_bytes = 0

    def add(self, data: bytes, segment: _Segment) -> None:
        """Raises `UnusualStructure` and `UnsupportedCoding`."""
        marker, start, end = segment
        if marker in _METADATA:
            self._add_metadata(data, segment)
        elif marker in _TABLES:
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

    def _add_metadata(self, data: bytes, segment: _Segment) -> None:
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
        elif marker == APP0 and data.startswith(_JFIF, content):
            if end - content >= _JFIF_BYTES:
                self._latest[_JFIF] = data[start:end]
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


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure` and `UnsupportedCoding`."""
    return _inspect_plain(data, covering) or _inspect_any(data, covering)


def _inspect_plain(data: bytes, covering: int) -> ImageInfo | None:
    """The facts about a baseline JPEG of one scan, with the segments that it needs and no others,
    of which the decoder gets all. None if it is not one. Takes a tenth of the other walk."""
    if len(data) > _MAX_PLAIN_BYTES or not data.endswith(END):
        return None
    header, scan = _find_plain_scan(data)
    if not header or not scan:
        return None
    frame = _parse_frame(header, data, scan)
    if data[scan + 4] != len(frame.components):
        return None
    scale = _scale(frame.width, frame.height, covering)
    memory = scan + _decode_bytes(frame, scale, multiple=False)
    return ImageInfo((frame.width, frame.height), memory, scale=scale)


def _find_plain_scan(data: bytes) -> tuple[bytes, int]:
    """The frame header and the offset of the first scan; zero if there are other segments."""
    start, header = 2, b""
    for _ in range(_MAX_PLAIN_SEGMENTS):
        if start + 4 > len(data):
            break
        prefix, marker = data[start], data[start + 1]
        length = data[start + 2] << 8 | data[start + 3]
        end = start + 2 + length
        if prefix != _PREFIX or length < _LENGTH_BYTES:
            break
        if marker == SOS:
            return header, start
        is_jfif = length >= _JFIF_BYTES + 2 and data.startswith(_JFIF, start + 4)
        is_first_frame = marker in {SOF0, SOF1} and not header
        if is_first_frame:
            header = data[start:end]
        elif marker not in _TABLES and not (marker == APP0 and is_jfif):
            break
        start = end
    return header, 0


def _inspect_any(data: bytes, covering: int) -> ImageInfo:
    kept, first_scan, segments = _read_segments(data)
    frame = _parse_frame(kept.frame, data, first_scan)
    scans = _read_scans(data, frame, first_scan, MAX_SEGMENTS - segments)
    if scans.unended and not scans.complete:
        raise UnusualStructure("the file is truncated: its last scans are missing")
    multiple = frame.progressive or data[first_scan + 4] < len(frame.components)
    scale = decoded_scale = _scale(frame.width, frame.height, covering)
    seconds = _SCAN_WEIGHT * scans.seconds if multiple else 0.0
    if scans.unended:
        decoded_scale = 1 if frame.progressive else scale
        pixels = frame.width * frame.height / decoded_scale
        seconds = max(seconds, 4 * scans.seconds + 3 * pixels * _SECONDS_PER_PIXEL)
    profile = kept.profile()
    before_scans = kept.join(profile)
    profile_bytes = sum(map(len, profile))
    kind = "progressive JPEG" if frame.progressive else "JPEG"
    return ImageInfo(
        (frame.width, frame.height),
        len(before_scans)
        + 2 * profile_bytes  # Pillow keeps its segments and joins them,
        + max(profile_bytes, _decode_bytes(frame, decoded_scale, multiple=multiple)),  # in copies
        seconds,
        f"a {kind} of {scans.number} scans" if multiple else "",
        b"".join(kept.exif),
        parts=(
            before_scans,
            *_without_fill(data, first_scan, scans.end),
            *([END] if scans.unended else []),
        ),
        scale=scale,
        unended=scans.unended,
    )


def _read_segments(data: bytes) -> tuple[_Kept, int, int]:
    """The segments before the first scan, the offset of that scan, and the number of segments.
    Raises `UnusualStructure` and `UnsupportedCoding`."""
    kept = _Kept()
    position = 2
    for number in range(MAX_SEGMENTS):
        try:
            segment = _next_segment(data, position)
        except _Truncated:
            raise UnusualStructure("the file is truncated before its pixels") from None
        if segment.marker == SOS:
            return kept, segment.start, number
        kept.add(data, segment)
        position = segment.end
    raise UnusualStructure(f"it has more than {MAX_SEGMENTS:,} segments before its pixels")


def _next_segment(data: bytes, position: int) -> _Segment:
    """Raises `_Truncated`."""
    start = find_marker(data, position)
    if start < 0:
        raise _Truncated(_end_of_bits(data, position))
    marker = data[start + 1]
    if marker == EOI:
        return _Segment(marker, start, start + 2)
    # The length counts itself. Decoders take a smaller one for 2.
    end = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
    if end > len(data):
        raise _Truncated(start)
    return _Segment(marker, start, end)


def _end_of_bits(data: bytes, start: int) -> int:
    """Where the entropy-coded data that begin at `start` end, in a file that ends there: without
    zeros that fill it up, and without half a marker."""
    zeros = _count_last(data, start, b"\0")
    if zeros:
        return len(data) - max(0, zeros - _ZERO_PADDING)
    return len(data) - _count_last(data, start, b"\xff")


def _count_last(data: bytes, start: int, value: bytes) -> int:
    """How many bytes at the end of `data`, but not before `start`, are `value`."""
    for end in range(len(data), start, -_STEP):
        begin = max(start, end - _STEP)
        rest = data[begin:end].rstrip(value)
        if rest:
            return len(data) - begin - len(rest)
    return len(data) - start


def _parse_frame(segment: bytes, data: bytes, first_scan: int) -> _Frame:
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
        _Component(identifier, factors >> 4, factors & 15)
        for identifier, factors in zip(segment[10::3], segment[11::3], strict=True)
    )
    factors = {factor for component in components for factor in component[1:]}
    if not factors <= _FACTORS:
        raise UnusualStructure("its sampling factors are damaged")
    return _Frame(segment[1] == SOF2, width, height, components)


def _read_scans(data: bytes, frame: _Frame, position: int, segments: int) -> _Scans:
    """Walk over at most so many `segments` from the first SOS at `position`. Raises
    `UnusualStructure`."""
    missing = {component.identifier: _ALL_COEFFICIENTS for component in frame.components}
    blocks = {component.identifier: frame.blocks(component) for component in frame.components}
    number, seconds = 0, 0.0
    for _ in range(segments):
        try:
            segment = _next_segment(data, position)
        except _Truncated as truncated:
            complete = not any(missing.values())
            return _Scans(number, seconds, truncated.end, unended=True, complete=complete)
        position = segment.end
        if segment.marker == EOI or seconds > _MAX_SCAN_SECONDS:
            return _Scans(number, seconds, position, unended=False, complete=True)
        if segment.marker == SOS:
            scan = _parse_scan(data, segment, frame)
            number += 1
            seconds += _scan_seconds(scan, blocks)
            for identifier in scan.components:
                missing[identifier] &= ~scan.finished
    raise UnusualStructure(f"it has more than {MAX_SEGMENTS:,} segments")


def _parse_scan(data: bytes, segment: _Segment, frame: _Frame) -> _Scan:
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
        return _Scan(components, _ALL_COEFFICIENTS, refining=False)
    finished = 0 if approximation & 15 else (2 << last) - (1 << first)
    return _Scan(components, finished, refining=first > 0 and approximation > 15)


def _scan_seconds(scan: _Scan, blocks: dict[int, tuple[int, int]]) -> float:
    visited = sum(blocks[identifier][0] * blocks[identifier][1] for identifier in scan.components)
    each = _SECONDS_PER_REFINED_BLOCK if scan.refining else _SECONDS_PER_BLOCK
    return _SECONDS_PER_SCAN + visited * each


def _without_fill(data: bytes, start: int, end: int) -> list[memoryview]:
    """The bytes from `start` to `end`, with one fill byte in place of long rows of them."""
    view = memoryview(data)
    parts = []
    while (fill := data.find(_FILL, start, end)) >= 0:
        parts.append(view[start : fill + 1])
        start = fill + len(_FILL)
        start = _skip_fill(data, start, end)
    return [*parts, view[start:end]]


def _skip_fill(data: bytes, start: int, end: int) -> int:
    while rest := data[start : min(end, start + _STEP)]:
        other = rest.lstrip(b"\xff")
        start += len(rest) - len(other)
        if other:
            break
    return start


def _decode_bytes(frame: _Frame, scale: int, *, multiple: bool) -> int:
    """Peak memory of decoding: the pixels, and all coefficients if several scans add to them."""
    count = len(frame.components)
    width, height = -(-frame.width // scale), -(-frame.height // scale)
    pixels = (1 if count == 1 else 4) * width * height
    coefficients = _BLOCK_BYTES * sum(map(frame.padded_blocks, frame.components))
    return (
        pixels
        + _ROW_BYTES * width
        + max(
            coefficients if multiple else 0,  # freed before the pixels are converted
            _CONVERTING_BYTES if count == _CMYK else 0,
        )
    )


def _scale(width: int, height: int, covering: int) -> int:
    """The DCT scale that Pillow's `draft` chooses: 1, 2, 4 or 8."""
    ratio = min(width, height) // covering
    return next((scale for scale in (8, 4, 2) if ratio >= scale), 1)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
