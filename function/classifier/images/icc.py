"""ICC profiles: the tags that turn the colours of a file into visible ones (ICC.1:2022).

A profile holds up to a hundred tags of dozens of types, and any of them may be damaged, or made to
cost memory. Only the needed ones are copied, with a type, size and table that were checked, so that
the colour library reads nothing else.
"""

import math
import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

_CHANNELS: Final = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}
"""The colour spaces of images (7.2.6), and their number of channels"""

_HEADER_BYTES: Final = 128
_CLASS: Final = slice(12, 16)
_SPACE: Final = slice(16, 20)
_CONNECTION_SPACE: Final = slice(20, 24)
_SIGNATURE: Final = slice(36, 40)
_CLASSES: Final = (b"scnr", b"mntr", b"prtr", b"spac")
"""Input device, display, output device, colour space (7.2.5)"""
_MAX_TAGS: Final = 100
"""Little CMS reads no more either."""

_TABLES: Final = (b"A2B0", b"A2B1", b"A2B2")
"""Perceptual, colorimetric, saturation (9.2): browsers take the first that there is."""
_PRIMARIES: Final = (b"rXYZ", b"gXYZ", b"bXYZ")
_RGB_CURVES: Final = (b"rTRC", b"gTRC", b"bTRC")
_GREY_CURVE: Final = b"kTRC"
_DESCRIPTION: Final = b"desc"
_DESCRIPTION_BYTES: Final = 256
"""More than its beginning is not looked at."""

_MAX_CURVE: Final = 4096
"""Entries of a sampled curve: the limit of lut16Type (10.10), and the most that is in use"""
_MAX_POINTS: Final = {1: 256, 3: 33**3, 4: 17**4}
"""Points of a colour table by its number of channels: the most that is in use. The one for four
channels takes 2.1 MB while it is read."""
_MAX_TABLE_BYTES: Final = 1 << 20
_OUTPUTS: Final = 3
_XYZ_BYTES: Final = 20
_PARAMETERS: Final = (1, 3, 4, 5, 7)
"""Numbers in each type of parametric curve (10.18)"""


class Profile(NamedTuple):
    """A colour space, by its signature, and a profile of nothing but checked tags."""

    space: bytes
    data: bytes


def reduce_profile(profile: bytes) -> Profile | None:
    """The part of an ICC profile that a conversion from it needs, at most 1.1 MB.

    None if it is damaged, if it is not one of an image in RGB, grey or CMYK, or if its tables are
    larger than any in use.
    """
    header = profile[:_HEADER_BYTES]
    if header[_SIGNATURE] != b"acsp" or header[_CLASS] not in _CLASSES:
        return None
    if header[_SPACE] not in _CHANNELS or header[_CONNECTION_SPACE] not in (b"XYZ ", b"Lab "):
        return None
    try:
        tags = _checked_tags(profile, header)
    except (struct.error, IndexError):  # it ends early
        return None
    return Profile(header[_SPACE], _join(header, tags)) if tags else None


def is_named_srgb(profile: bytes) -> bool:
    """Whether the description of a profile (9.2.41) begins with "sRGB"."""
    try:
        tag = bytes(_find_tags(profile, {_DESCRIPTION})[_DESCRIPTION][:_DESCRIPTION_BYTES])
        if tag[:4] == b"mluc":  # multiLocalizedUnicodeType (10.15), the first text
            (start,) = struct.unpack_from(">I", tag, 24)
            return tag.startswith("sRGB".encode("utf-16-be"), start)
        return tag.startswith(b"sRGB", 12)  # textDescriptionType (ICC.1:2001, 6.5.17)
    except (struct.error, KeyError):
        return False


def _checked_tags(profile: bytes, header: bytes) -> dict[bytes, memoryview] | None:
    """The tags of the first way to convert that is complete."""
    space = header[_SPACE]
    tags = _find_tags(profile, {*_TABLES, *_PRIMARIES, *_RGB_CURVES, _GREY_CURVE})
    missing = memoryview(b"")
    for name in _TABLES:
        table = _table(tags.get(name, missing), _CHANNELS[space])
        if table:
            return {_TABLES[0]: table}
    wanted: Mapping[bytes, Callable[[memoryview], memoryview | None]] = {}
    if space == b"GRAY":
        wanted = {_GREY_CURVE: _curve}
    elif space == b"RGB " and header[_CONNECTION_SPACE] == b"XYZ ":
        wanted = dict.fromkeys(_PRIMARIES, _primary) | dict.fromkeys(_RGB_CURVES, _curve)
    checked = {name: check(tags.get(name, missing)) for name, check in wanted.items()}
    complete = {name: tag for name, tag in checked.items() if tag is not None}
    return complete if len(complete) == len(wanted) else None


def _find_tags(profile: bytes, known: set[bytes]) -> dict[bytes, memoryview]:
    """The data of the `known` tags that lie within the file (7.3)."""
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    tags: dict[bytes, memoryview] = {}
    for number in range(min(count, _MAX_TAGS)):
        name, start, size = struct.unpack_from(">4sII", profile, _HEADER_BYTES + 4 + 12 * number)
        if name in known and name not in tags and size <= _MAX_TABLE_BYTES:
            tags[name] = memoryview(profile)[start : start + size]
    return tags


def _primary(tag: memoryview) -> memoryview | None:
    """XYZType (10.31)."""
    return tag[:_XYZ_BYTES] if bytes(tag[:4]) == b"XYZ " and len(tag) >= _XYZ_BYTES else None


def _curve(tag: memoryview) -> memoryview | None:
    """curveType (10.6) or parametricCurveType (10.18), without what follows."""
    kind = bytes(tag[:4])
    if kind == b"curv":
        (entries,) = struct.unpack_from(">I", tag, 8)
        size = 12 + 2 * entries
        return tag[:size] if entries <= _MAX_CURVE and size <= len(tag) else None
    if kind == b"para":
        (function,) = struct.unpack_from(">H", tag, 8)
        size = 12 + 4 * _PARAMETERS[function]
        return tag[:size] if size <= len(tag) else None
    return None


def _table(tag: memoryview, channels: int) -> memoryview | None:
    """lut8Type (10.11), lut16Type (10.10) or lutAToBType (10.12) of `channels` inputs."""
    kind = bytes(tag[:4])
    if tag[8:10] != bytes((channels, _OUTPUTS)):
        return None
    if kind == b"mft1":
        return _fixed_table(tag, 48, 1, (256, 256))
    if kind == b"mft2":
        return _fixed_table(tag, 52, 2, struct.unpack_from(">2H", tag, 48))
    if kind == b"mAB ":
        (start,) = struct.unpack_from(">I", tag, 24)  # 0: curves and a matrix without a table
        points = math.prod(tag[start : start + channels]) if start else 0
        return tag if points <= _MAX_POINTS[channels] else None
    return None


def _fixed_table(
    tag: memoryview, start: int, width: int, curves: tuple[int, int]
) -> memoryview | None:
    """A table of numbers of `width` bytes from `start` on, with curves of `curves` entries
    before and after it, without what follows."""
    channels, points = tag[8], tag[10] ** tag[8]
    size = start + width * (channels * curves[0] + _OUTPUTS * (points + curves[1]))
    fits = points <= _MAX_POINTS[channels] and max(curves) <= _MAX_CURVE and size <= len(tag)
    return tag[:size] if fits else None


def _join(header: bytes, tags: dict[bytes, memoryview]) -> bytes:
    """A profile of these tags, each at a multiple of 4 bytes (7.3.1)."""
    start = _HEADER_BYTES + 4 + 12 * len(tags)
    table = [header[4:], struct.pack(">I", len(tags))]
    body: list[bytes | memoryview] = []
    for name, tag in tags.items():
        table.append(struct.pack(">4sII", name, start, len(tag)))
        padding = bytes(-len(tag) % 4)
        body += tag, padding
        start += len(tag) + len(padding)
    return b"".join([struct.pack(">I", start), *table, *body])
