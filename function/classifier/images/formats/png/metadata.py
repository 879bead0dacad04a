"""The metadata of a PNG, and what Pillow would make of it.

Pillow reads all of it in Python, holds it several times, and refuses the picture if one piece is
broken.
"""

import zlib
from struct import error as struct_error
from struct import iter_unpack, pack, unpack_from
from typing import Final

from classifier.images.formats import CodedColours, exif
from classifier.images.formats.png.walk import Chunk, is_intact

MAX_CHUNKS: Final = 1000
"""Pieces of metadata; Pillow takes some microseconds for each."""

MAX_BYTES: Final = 256 * 1024
"""Bytes of metadata, texts as they are after decompression; XMP of photos has 5 to 60 KiB."""

MAX_PROFILE_BYTES: Final = 2 * 1024 * 1024
"""Bytes of a colour profile after decompression. Displays have 1 to 20 KiB, printers up to 2 MiB
(of CMYK, which PNG has not)."""

_HELD: Final = 9
"""Bytes that Pillow takes for a byte of text at most (measured: 8.4): it decodes international text
twice, to 4 bytes a character if one of them is beyond Unicode's basic plane."""

_MAX_XMP: Final = 1 << 20
"""Bytes of XMP that are searched for the orientation, if there is more than Pillow should read"""

_LEAST_BYTES: Final = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
"""Pillow refuses a picture where these have fewer bytes."""

_CODED_COLOURS_BYTES: Final = 4
"""Primaries, transfer characteristics, matrix and range (PNG, third edition, 11.3.2.6)"""

_ANIMATION: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
"""APNG. Without these the picture is the first frame, or the one that stands for all of them."""

_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})

_RESERVED_KEYWORDS: Final = frozenset({
    b"transparency", b"interlace", b"bbox", b"default_image", b"icc_profile", b"exif", b"xmp",
    b"gamma", b"chromaticity", b"srgb", b"dpi", b"aspect", b"loop", b"duration", b"disposal",
    b"blend",
})  # fmt: skip
"""Pillow keeps texts beside the values of other chunks, and takes these for them."""

_RAW_EXIF: Final = b"Raw profile type exif"
"""Keyword of a text with EXIF: three lines, then hexadecimal digits (ImageMagick before 2017)"""

_XMP: Final = b"XML:com.adobe.xmp"

_SOURCES: Final = _TEXTS | {b"eXIf"}
"""Kinds of chunks that may have the orientation"""

_DIRECTORY_ENTRY_BYTES: Final = 12


class Metadata:
    """Gathers the ancillary chunks."""

    def __init__(self, data: bytes) -> None:
        self.odd = False
        """Whether Pillow would take long for a piece of it, or refuse the picture because of it"""
        self.profile: Chunk | None = None
        """The colour profile, if it is of a sensible size"""
        self.colours: CodedColours | None = None
        """Those that the file states as numbers"""
        self._data = data
        self._chunks = self._bytes = self._profile_memory = 0
        self._has_profile = False
        self._sources: dict[bytes, Chunk] = {}

    def add(self, chunk: Chunk, *, after_pixels: bool) -> None:
        """Adds chunks of one kind and length."""
        if chunk.kind in _SOURCES:
            self._note_source(chunk)
        if chunk.kind == b"cICP" and not after_pixels:
            self._add_colours(chunk)
        if chunk.kind == b"iCCP":
            self._add_profile(chunk, after_pixels=after_pixels)
        elif not self.odd:
            self._chunks += chunk.repeats
            self._bytes += chunk.repeats * chunk.length
            few = self._chunks <= MAX_CHUNKS and self._bytes <= MAX_BYTES
            self.odd = not (few and self._is_plain(chunk))

    def memory(self, *, replaced: bool) -> int:
        """Bytes that Pillow takes for it, or for that part of it which a replacement has."""
        return self._profile_memory + (0 if replaced else _HELD * self._bytes)

    def orientation(self) -> bytes:
        """EXIF that has the orientation alone, from its TIFF header on."""
        value = exif.orientation(self._exif_entry(), self._xmp())
        return b"II*\0" + pack("<LHHHLHHL", 8, 1, exif.ORIENTATION, 3, 1, value, 0, 0)

    def _add_colours(self, chunk: Chunk) -> None:
        """Takes the first."""
        fits = chunk.length == _CODED_COLOURS_BYTES and is_intact(self._data, chunk)
        if fits and self.colours is None:
            self.colours = CodedColours(*self._body(chunk, 2))

    def _add_profile(self, chunk: Chunk, *, after_pixels: bool) -> None:
        """Takes the first profile alone, so that only one is ever decompressed."""
        misplaced = self._has_profile or after_pixels
        self._has_profile = True
        if misplaced or chunk.length > MAX_PROFILE_BYTES or not is_intact(self._data, chunk):
            self.odd = True
            return
        rest = self._body(chunk, MAX_PROFILE_BYTES).partition(b"\0")[2]
        inflated = len(_inflated(rest[1:], MAX_PROFILE_BYTES))
        self._profile_memory = chunk.length + inflated
        if rest[:1] == b"\0" and inflated < MAX_PROFILE_BYTES:
            self.profile = chunk
        else:
            self.odd = True

    def _note_source(self, chunk: Chunk) -> None:
        """Remembers the first of each chunk that may have the orientation."""
        source = chunk.kind
        if chunk.kind in _TEXTS:
            source = self._body(chunk, len(_RAW_EXIF) + 1).partition(b"\0")[0]
        if (
            source in (b"eXIf", _RAW_EXIF, _XMP)
            and source not in self._sources
            and is_intact(self._data, chunk)
        ):
            self._sources[source] = chunk

    def _is_plain(self, chunk: Chunk) -> bool:
        """Whether Pillow reads the chunk in little time, and without objecting."""
        kind = chunk.kind
        return (
            chunk.repeats == 1
            and kind.isalpha()
            and kind not in _ANIMATION
            and chunk.length >= _LEAST_BYTES.get(kind, 0)
            and is_intact(self._data, chunk)
            and (kind not in _TEXTS or self._is_plain_text(chunk))
        )

    def _is_plain_text(self, chunk: Chunk) -> bool:
        keyword, _, rest = self._body(chunk, MAX_BYTES).partition(b"\0")
        if keyword in _RESERVED_KEYWORDS or (chunk.kind == b"zTXt" and rest[:1] != b"\0"):
            return False
        packed = _packed_text(chunk.kind, rest)
        self._bytes += len(_inflated(packed, MAX_BYTES))
        return self._bytes <= MAX_BYTES

    def _body(self, chunk: Chunk, most: int) -> bytes:
        return self._data[chunk.start : chunk.start + min(chunk.length, most)]

    def _exif_entry(self) -> bytes:
        """EXIF with the orientation of the file's own EXIF, if there is any."""
        if chunk := self._sources.get(b"eXIf"):
            block = memoryview(self._data)[chunk.start : chunk.start + chunk.length]
        elif chunk := self._sources.get(_RAW_EXIF):
            block = memoryview(self._raw_exif(chunk))
        else:
            return b""
        try:
            return _orientation_entry(block)
        except struct_error:
            return b""

    def _raw_exif(self, chunk: Chunk) -> bytes:
        text = self._body(chunk, MAX_BYTES).partition(b"\0")[2]
        if chunk.kind != b"tEXt":
            text = _inflated(_packed_text(chunk.kind, text), MAX_BYTES)
        lines = text.split(b"\n", 3)
        digits = lines[3].translate(None, b"\n") if len(lines) > 3 else b""
        try:
            block = bytes.fromhex(digits[: len(digits) & ~1].decode("ascii"))
        except ValueError:
            return b""
        return block.removeprefix(b"Exif\0\0")

    def _xmp(self) -> bytes:
        chunk = self._sources.get(_XMP)
        if chunk is None:
            return b""
        rest = self._body(chunk, _MAX_XMP).partition(b"\0")[2]
        packed = _packed_text(chunk.kind, rest)
        return _inflated(packed, _MAX_XMP) if packed else rest


def _packed_text(kind: bytes, rest: bytes) -> bytes:
    """The compressed part of a text, of which `rest` is what follows the keyword (11.3.4); empty
    if it is not compressed."""
    if kind == b"zTXt":
        return rest[1:]
    if kind == b"iTXt" and rest[:1] != b"\0":
        return rest[2:].split(b"\0", 2)[-1]
    return b""


def _inflated(packed: bytes, most: int) -> bytes:
    """`packed` decompressed, the first `most` bytes of it; empty if it is damaged."""
    try:
        return zlib.decompressobj().decompress(packed, most)
    except zlib.error:
        return b""


def _orientation_entry(block: memoryview) -> bytes:
    """EXIF with those entries of the first directory of `block`, which is EXIF from its TIFF header
    on, that have the tag of the orientation. Raises `struct.error`."""
    order = "<" if bytes(block[:2]) == b"II" else ">"
    (start,) = unpack_from(f"{order}L", block, 4)
    (count,) = unpack_from(f"{order}H", block, start)
    count = min(count, (len(block) - start - 2) // _DIRECTORY_ENTRY_BYTES)
    entries = block[start + 2 : start + 2 + count * _DIRECTORY_ENTRY_BYTES]
    for tag, *rest in iter_unpack(f"{order}HHLL", entries):
        if tag == exif.ORIENTATION:
            return bytes(block[:4]) + pack(f"{order}LHHHLLL", 8, 1, tag, *rest, 0)
    return b""
