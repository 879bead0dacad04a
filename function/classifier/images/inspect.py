"""What an image file says about itself before any decoder runs: a short walk over its structure.

Pillow's parsers walk it too, in Python and without a limit: a file of twenty megabytes can hold
millions of empty chunks. Here each walk has an end, and what no ordinary file has is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack_from
from typing import Final

SEGMENTS: Final = 1000
"""Segments before a JPEG's first scan; an ordinary one has about ten, one with a large colour
profile and depth map some hundreds."""

CHUNKS: Final = 20_000
"""Chunks of a PNG or WebP, frames of an AVIF sequence; writers cut a PNG's pixels into chunks of
8 KiB or more."""

BLOCKS: Final = 4000
"""Blocks of a GIF before its first frame, comments among them: a mebibyte. Pillow joins them one by
one."""

PACKED_TEXTS: Final = 32
"""Compressed texts and profiles in a PNG; each may grow to a mebibyte."""

TEXT: Final = 2 * 1024 * 1024
"""Bytes of text in a PNG, packed or not."""

JUNK: Final = 64 * 1024
"""Bytes between the segments of a JPEG that belong to none."""

PARSED_SEGMENTS: Final = 32
"""Segments that a JPEG's EXIF may be spread over, and as many of Photoshop's: Pillow joins the ones
one by one, and takes the others apart."""

_FILL: Final = b"\xff" * 65_536
"""Bytes that may stand before a marker; what Pillow reads is kept until there is one."""

_LARGE: Final = 4 << 20

TAGS: Final = 512
"""Entries of one directory in a TIFF file or in EXIF; cameras write about fifty."""

TAG_VALUES: Final = 65_536
"""Numbers in one entry; each becomes a Python object. The longest are the offsets of strips."""

_TIFF_CODINGS: Final = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, CCITT, LZW, JPEG, deflate and PackBits (TIFF 6.0; Adobe's Technical Note 2). The rest that
libtiff knows is rare in photos, and sizes its memory by numbers in the file."""

_TIFF_UNIT: Final = dict(
    zip([*range(1, 14), 16, 17, 18], [1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 8, 8, 8], strict=True)
)
"""Bytes of a value of each type (TIFF 6.0, section 2; the last four are BigTIFF's and EXIF's)."""

_BYTES: Final = {1, 2, 6, 7}
"""The types whose values stay together as bytes."""

_START_OF_FRAME: Final = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = {0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}


class HeaderError(ValueError):
    """The structure is not one that an ordinary image has; the message says what it is."""


class UnusualCoding(HeaderError):
    """The pixels are coded in a way that is not decoded here."""


@dataclass(frozen=True)
class Header:
    """What costs memory or time, and is not in the size of the image."""

    kept: int = 0
    """Bytes of metadata, which Pillow copies."""
    scans: int = 1
    """How often the decoder goes over the whole image."""
    coefficients: float = 0.0
    """Bytes for each pixel that libjpeg keeps between scans."""
    strip_rows: int = 0
    """Rows of a TIFF that libtiff decodes at once; 0: it is not asked."""
    size: tuple[int, int] | None = None
    """Width and height, where Pillow would use them before they can be compared."""
    opening: int = 0
    """Bytes that Pillow takes to open the file, before it decodes."""


def read_header(data: bytes) -> Header:
    """The header of an encoded image; of what is no image, an empty one. Raises `HeaderError`."""
    for recognise, walk in _WALKS:
        if recognise(data):
            try:
                return walk(data)
            except (IndexError, ValueError) as error:
                if isinstance(error, HeaderError):
                    raise
                return Header()
            except Exception:  # struct.error: it ends early, which its decoder says better
                return Header()
    return Header()


def check_exif(exif: bytes) -> None:
    """Raises `HeaderError` if the directories of `exif` are not such as a camera writes."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    if exif[:2] in (b"II", b"MM"):
        _directories(exif)


def _jpeg(data: bytes) -> Header:  # noqa: PLR0912
    position, junk, coefficients = 2, 0, 0.0
    exif: list[bytes] = []
    photoshop = layers = 0
    for _ in range(SEGMENTS):
        if data[position] != 0xFF:
            found = data.index(b"\xff", position)
            junk += found - position
            if junk > JUNK:
                raise HeaderError("it has much in it that belongs to no part of a JPEG")
            position = found
        marker = data[position + 1]
        if marker in (0x00, 0xFF):
            position += 1
            continue
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        length = data[position + 2] << 8 | data[position + 3]
        if marker in _START_OF_FRAME:
            if marker > 0xC2:
                raise UnusualCoding("a JPEG that is neither baseline nor progressive")
            layers = data[position + 9]
            factors = data[position + 11 : position + 10 + 3 * layers : 3]
            coefficients = _coefficients(factors)
        elif marker == 0xE1 and data.startswith(b"Exif\0\0", position + 4):
            exif.append(data[position + 10 : position + 2 + length])
        elif marker == 0xED:
            photoshop += 1
        elif marker == 0xDA:
            break
        position += 2 + length
    else:
        raise HeaderError(f"it has more than {SEGMENTS} segments before its pixels")
    if max(len(exif), photoshop) > PARSED_SEGMENTS:
        raise HeaderError(f"its metadata is in more than {PARSED_SEGMENTS} segments of a kind")
    if len(data) > _LARGE and _FILL in data:
        raise HeaderError("it has much in it that belongs to no part of a JPEG")
    check_exif(b"".join(exif))
    scans_follow = data.find(b"\xff\xc2", 0, position) >= 0 or data[position + 4] < layers
    if not scans_follow:
        return Header(kept=2 * position)
    scans = data.count(b"\xff\xda", position)
    return Header(kept=2 * position, scans=scans, coefficients=coefficients)


def _coefficients(factors: bytes) -> float:
    """Two bytes for each coefficient of each component, which may be sampled less densely."""
    across, down = [each >> 4 for each in factors], [each & 15 for each in factors]
    densest = max(across, default=1) * max(down, default=1)
    return 2 * sum(h * v for h, v in zip(across, down, strict=True)) / max(1, densest)


def _png(data: bytes) -> Header:
    position, kept, packed, text = 8, 0, 0, 0
    for _ in range(CHUNKS):
        if position + 8 > len(data):
            break
        length, kind = unpack_from(">I4s", data, position)
        if kind == b"IEND":
            break
        position += 12 + length
        if kind in (b"iCCP", b"zTXt", b"iTXt"):
            packed += 1
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            text += length
        kept += length if kind not in (b"IDAT", b"fdAT") else 0
    else:
        raise HeaderError(f"it has more than {CHUNKS} chunks")
    if packed > PACKED_TEXTS:
        raise HeaderError(f"it has more than {PACKED_TEXTS} compressed texts")
    if text > TEXT:
        raise HeaderError(f"it has more than {TEXT / 2**20:g} MiB of text")
    return Header(kept=min(kept, len(data)))


def _gif(data: bytes) -> Header:
    """Up to the first frame; what comes after is not read."""
    start = position = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    blocks = 0
    while data[position] not in (0x2C, 0x3B):
        if data[position] == 0x21:
            position += 2
            while data[position]:
                position += 1 + data[position]
                blocks += 1
                if blocks > BLOCKS:
                    break
        position += 1
        blocks += 1
        if blocks > BLOCKS:
            raise HeaderError(f"it has more than {BLOCKS} blocks before its first frame")
    width, height = unpack_from("<HH", data, 6)
    if data[position] == 0x2C:  # a frame may go beyond the screen, which then grows
        left, top, across, down = unpack_from("<4H", data, position + 1)
        width, height = max(width, left + across), max(height, top + down)
    # Pillow also makes what the frame leaves behind, as large.
    return Header(kept=position - start, size=(width, height), opening=2 * width * height)


def _tiff(data: bytes) -> Header:
    tags, kept = _directories(data)
    if tags.get(259, 1) not in _TIFF_CODINGS:
        raise UnusualCoding(f"a TIFF with the compression {tags[259]}")
    height = tags.get(257, 0)
    if tags.get(259, 1) == 1:
        return Header(kept=kept)
    rows = tags.get(323) or min(tags.get(278, height), height)
    scans = data.count(b"\xff\xda") if tags[259] == 7 and b"\xff\xc2" in data else 1
    return Header(kept=kept, strip_rows=rows, scans=min(scans, 100))


def _webp(data: bytes) -> Header:
    position, kept = 12, 0
    size = None
    for _ in range(CHUNKS):
        if position + 8 > len(data):
            break
        kind, length = unpack_from("<4sI", data, position)
        if kind == b"VP8X" and size is None:
            size = (
                1 + int.from_bytes(data[position + 12 : position + 15], "little"),
                1 + int.from_bytes(data[position + 15 : position + 18], "little"),
            )
        kept += length if kind in (b"ICCP", b"EXIF", b"XMP ") else 0
        position += 8 + length + (length & 1)
    else:
        raise HeaderError(f"it has more than {CHUNKS} chunks")
    return Header(kept=2 * min(kept, len(data)), size=size)


def _isobmff(data: bytes) -> Header:
    """AVIF and HEIF. Its tables may claim any number of frames, for each of which there is memory
    before the first is decoded; they are found by their names wherever they are."""
    in_chunk = max(_entries(data, b"stsc", 12, 4), default=0)
    chunks = max([*_counts(data, b"stco"), *_counts(data, b"co64")], default=0)
    if max([in_chunk * chunks, *_entries(data, b"stts", 8, 0)], default=0) > CHUNKS:
        raise HeaderError(f"it has more than {CHUNKS} frames")
    for order in (b"II*\0", b"MM\0*"):
        found = data.find(order)
        while found >= 0:
            check_exif(data[found : found + 1_000_000])
            found = data.find(order, found + 4)
    return Header()


def _counts(data: bytes, name: bytes) -> list[int]:
    found, counts = data.find(name), []
    while found >= 0 and found + 12 <= len(data):
        counts.append(int.from_bytes(data[found + 8 : found + 12], "big"))
        if len(counts) > TAGS:
            raise HeaderError(f"it has more than {TAGS} tables")
        found = data.find(name, found + 4)
    return counts


def _entries(data: bytes, name: bytes, width: int, at: int) -> list[int]:
    """The number at `at` in every entry of every table of that `name`."""
    found, values = data.find(name), []
    for count in _counts(data, name):
        if count > CHUNKS:
            raise HeaderError(f"it has more than {CHUNKS} entries in a table")
        first = found + 12 + at
        values += [
            int.from_bytes(data[each : each + 4], "big")
            for each in range(first, first + count * width, width)
        ]
        found = data.find(name, found + 4)
    return values


def _directories(data: bytes) -> tuple[dict[int, int], int]:
    """The first value of each tag in the first directory, and the bytes in all that it leads to."""
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    entry = order + ("HHQQ" if big else "HHLL")
    first: int = unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)[0]
    tags: dict[int, int] = {}
    kept = 0
    directories = [first]
    for number, start in enumerate(directories):
        count: int = unpack_from(order + ("Q" if big else "H"), data, start)[0]
        if count > TAGS:
            raise HeaderError(f"it has a directory of more than {TAGS} entries")
        size = 20 if big else 12
        for position in range(start + (8 if big else 2), len(data) - size + 1, size)[:count]:
            tag, kind, values, value = unpack_from(entry, data, position)
            length = values * _TIFF_UNIT.get(kind, 0)
            if kind not in _BYTES and values > TAG_VALUES:
                raise HeaderError(f"it has a directory entry of more than {TAG_VALUES} numbers")
            kept += length if length <= len(data) else 0
            if kind == 3 and length <= (8 if big else 4):
                value = unpack_from(order + "H", data, position + size - (8 if big else 4))[0]
            if tag in (34665, 34853, 40965) and len(directories) < 4:
                directories.append(value)
            elif number == 0:
                tags.setdefault(tag, value)
    return tags, kept


_WALKS: Final[list[tuple[Callable[[bytes], bool], Callable[[bytes], Header]]]] = [
    (lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    (lambda data: data[:6] in (b"GIF87a", b"GIF89a"), _gif),
    (lambda data: data[:2] in (b"II", b"MM") and (42 in data[2:4] or 43 in data[2:4]), _tiff),
    (lambda data: data[4:8] == b"ftyp", _isobmff),
]
