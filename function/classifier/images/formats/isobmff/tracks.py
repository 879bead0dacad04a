"""AVIF sequences: the tracks of a `moov` box (ISO/IEC 14496-12, section 8).

The sample tables may claim any number of frames, and decoders allocate memory for each before the
first is decoded.
"""

from struct import unpack_from
from typing import Final, NamedTuple

from classifier.images.formats import CodedColours, UnsupportedCoding, UnusualStructure
from classifier.images.formats.isobmff import av1
from classifier.images.formats.isobmff.boxes import Box, find, walk
from classifier.images.formats.isobmff.coded import Coded, largest
from classifier.images.formats.isobmff.colours import find_colours
from classifier.images.formats.isobmff.still import Layer, Still

MAX_FRAMES: Final = 20_000

MAX_TRACKS: Final = 16

_FULL: Final = 4
"""Bytes of version and flags"""

_ENTRY_BYTES: Final = 78
"""Of the description of a picture before its boxes (ISO/IEC 14496-12, 12.1.3)"""


class _Track(NamedTuple):
    coded: Coded
    is_alpha: bool


def read(data: bytes, moov: Box) -> Still:
    """The first frame. Raises `UnusualStructure`, `UnsupportedCoding`."""
    found: list[_Track] = []
    boxes = [box for box in walk(data, moov.start, moov.end) if box.kind == b"trak"]
    if len(boxes) > MAX_TRACKS:
        raise UnsupportedCoding(f"an AVIF sequence with more than {MAX_TRACKS} tracks")
    for box in boxes:
        table = find(data, box, b"mdia", b"minf", b"stbl")
        if table is not None:
            coded = _read_table(data, table)
            if coded is not None:
                found.append(_Track(coded, is_alpha=find(data, box, b"tref", b"auxl") is not None))
    colours = [track.coded for track in found if not track.is_alpha]
    if not colours:
        raise UnusualStructure("it has no track of AV1 pictures")
    alpha = [track.coded for track in found if track.is_alpha]
    picture = largest(*colours)
    return Still(
        (picture.width, picture.height),
        picture.pixels(),
        Layer(picture, picture.pixels() * picture.frames),
        Layer(largest(*alpha), picture.pixels() * picture.frames) if alpha else None,
    )


def read_colours(data: bytes, moov: Box) -> CodedColours | None:
    """The numbers that the first track states. Raises `UnusualStructure`."""
    description = find(data, moov, b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    if description is None:
        return None
    entry = next(walk(data, description.start + _FULL + 4, description.end), None)
    if entry is None:
        return None
    return find_colours(data, walk(data, entry.start + _ENTRY_BYTES, entry.end))


def _read_table(data: bytes, table: Box) -> Coded | None:
    """The picture of a track; None if it is not AV1."""
    boxes: dict[bytes, Box] = {}
    for box in walk(data, table.start, table.end):
        boxes.setdefault(box.kind, box)
    _check_frames(data, boxes)
    description = boxes.get(b"stsd")
    if description is None:
        return None
    entries = walk(data, description.start + _FULL + 4, description.end)
    entry = next((box for box in entries if box.kind == b"av01"), None)
    if entry is None:
        return None
    width, height = unpack_from(">HH", data, entry.start + 24)
    inside = walk(data, entry.start + _ENTRY_BYTES, entry.end)
    configuration = next((box for box in inside if box.kind == b"av1C"), None)
    if configuration is None:
        raise UnusualStructure("it does not say how its pixels are coded")
    declared = av1.read_configuration(data, configuration.start)
    start, end = _first_sample(data, boxes)
    in_sample, frames, _ = av1.read(data, start, end)
    return largest(declared, *in_sample, Coded(width, height, 1, deep=False, frames=max(1, frames)))


def _check_frames(data: bytes, boxes: dict[bytes, Box]) -> None:
    """Raises `UnsupportedCoding` if the tables claim too many."""
    chunks = max(_count(data, boxes, b"stco"), _count(data, boxes, b"co64"))
    in_chunk = max(_values(data, boxes, b"stsc", entry=12, offset=4), default=0)
    shown = sum(_values(data, boxes, b"stts", entry=8, offset=0))
    samples = _count(data, boxes, b"stsz", at=8) if b"stsz" in boxes else 0
    if max(in_chunk * chunks, shown, samples) > MAX_FRAMES:
        raise UnsupportedCoding(f"an AVIF sequence with more than {MAX_FRAMES} frames")


def _count(data: bytes, boxes: dict[bytes, Box], kind: bytes, at: int = 4) -> int:
    return unpack_from(">I", data, boxes[kind].start + at)[0] if kind in boxes else 0


def _values(
    data: bytes, boxes: dict[bytes, Box], kind: bytes, *, entry: int, offset: int
) -> list[int]:
    """The number at `offset` in each entry of `entry` bytes."""
    count = _count(data, boxes, kind)
    if count > MAX_FRAMES:
        raise UnsupportedCoding(f"an AVIF sequence with more than {MAX_FRAMES} frames")
    if kind not in boxes:
        return []
    first = boxes[kind].start + 2 * _FULL + offset
    positions = range(first, min(first + count * entry, boxes[kind].end - 3), entry)
    return [unpack_from(">I", data, position)[0] for position in positions]


def _first_sample(data: bytes, boxes: dict[bytes, Box]) -> tuple[int, int]:
    """Where the first frame begins and ends."""
    if b"stsz" not in boxes:
        raise UnusualStructure("it has no table of its frames")
    size, _, first = unpack_from(">III", data, boxes[b"stsz"].start + _FULL)
    if b"co64" in boxes:
        (start,) = unpack_from(">Q", data, boxes[b"co64"].start + 2 * _FULL)
    elif b"stco" in boxes:
        (start,) = unpack_from(">I", data, boxes[b"stco"].start + 2 * _FULL)
    else:
        raise UnusualStructure("it has no table of its frames")
    return start, min(start + (size or first), len(data))
