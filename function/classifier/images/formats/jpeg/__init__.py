"""JPEG (ITU-T T.81, annex B).

The decoder gets the frame, the tables, the metadata that means something to the pixels, and all
scans. It does not get the rest of the metadata, and nothing behind the end: so none of it can cost
anything, or make the file unreadable.
"""

from typing import Final

from classifier.images.formats import ImageInfo, UnusualStructure
from classifier.images.formats.jpeg.frame import CMYK, COEFFICIENTS, Frame, parse_frame
from classifier.images.formats.jpeg.header import (
    JFIF,
    JFIF_BYTES,
    SIGNATURE,
    TABLES,
    read_segments,
)
from classifier.images.formats.jpeg.markers import APP0, END, MAX_SEGMENTS, SOF0, SOF1, SOS, STEP
from classifier.images.formats.jpeg.scans import read_scans

__all__ = ["SIGNATURE", "inspect"]

_CONVERTING_BYTES: Final = 2 << 20
"""Bands of CMYK on their way to RGB; measured"""

_ROW_BYTES: Final = 20
"""For each column, libjpeg's rows on their way to pixels, as far as they are more than
`limits.WORKING_BYTES`; measured"""

_COEFFICIENT_BYTES: Final = 2

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

_SECONDS_PER_PIXEL: Final = 10e-9
"""Of decoding at full scale"""

_SCAN_WEIGHT: Final = 2.0
"""Such scans may take half of `limits.MAX_SECONDS`. Those that libjpeg writes take as much at 140
megapixels in 4:4:4, and at 240 in 4:2:0."""


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
    frame = parse_frame(header, data, scan)
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
        is_jfif = length >= JFIF_BYTES + 2 and data.startswith(JFIF, start + 4)
        is_first_frame = marker in {SOF0, SOF1} and not header
        if is_first_frame:
            header = data[start:end]
        elif marker not in TABLES and not (marker == APP0 and is_jfif):
            break
        start = end
    return header, 0


def _inspect_any(data: bytes, covering: int) -> ImageInfo:
    kept, first_scan, segments = read_segments(data)
    frame = parse_frame(kept.frame, data, first_scan)
    scans = read_scans(data, frame, first_scan, MAX_SEGMENTS - segments)
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
    while rest := data[start : min(end, start + STEP)]:
        other = rest.lstrip(b"\xff")
        start += len(rest) - len(other)
        if other:
            break
    return start


def _decode_bytes(frame: Frame, scale: int, *, multiple: bool) -> int:
    """Peak memory of decoding: the pixels, and all coefficients if several scans add to them."""
    count = len(frame.components)
    width, height = -(-frame.width // scale), -(-frame.height // scale)
    pixels = (1 if count == 1 else 4) * width * height
    coefficients = (
        _COEFFICIENT_BYTES * COEFFICIENTS * sum(map(frame.padded_blocks, frame.components))
    )
    return (
        pixels
        + _ROW_BYTES * width
        + max(
            coefficients if multiple else 0,  # freed before the pixels are converted
            _CONVERTING_BYTES if count == CMYK else 0,
        )
    )


def _scale(width: int, height: int, covering: int) -> int:
    """The DCT scale that Pillow's `draft` chooses: 1, 2, 4 or 8."""
    ratio = min(width, height) // covering
    return next((scale for scale in (8, 4, 2) if ratio >= scale), 1)
