"""PNG (ISO/IEC 15948, section 11): the size, the pixels, and a picture without odd metadata."""

import zlib
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure
from classifier.images.formats.memory import CONVERTED_BYTES, DEEP_GREY_BYTES
from classifier.images.formats.png.metadata import Metadata
from classifier.images.formats.png.walk import SIGNATURE, Chunk, before, chunks, is_intact
from classifier.images.formats.records import parts

MAX_PIXEL_CHUNKS: Final = 20_000
"""Above this the chunks of pixels are joined: Pillow takes some microseconds for each."""

MAX_PIXEL_STEPS: Final = 200_000
"""Chunks of pixels, of which equal ones in a row count little. They are checked, and joined, in 0.8
seconds; in a file of 96 MiB they have 500 bytes each."""

_HEADER: Final = Struct(">IIBBBBB")
_IEND: Final = b"\0\0\0\0IEND\xaeB`\x82"

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
"""Colour types"""

_DEPTHS: Final = {
    _GREY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _RGBA: (8, 16),
}
"""Bits of a sample, by colour type (table 11.1)"""

_SAMPLES: Final = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
_TRANSPARENT_BYTES: Final = {_GREY: 2, _RGB: 6}
"""Bytes of tRNS"""

_SCALED: Final = {(_GREY, 2), (_GREY, 4), (_RGB, 16)}
"""Colour types and depths whose samples Pillow scales to 8 bits, but not the levels in tRNS"""

_PALETTE_BYTES: Final = 768
"""The most, for 256 colours"""

_SECONDS_PER_BYTE: Final = 5.6e-9
"""For each inflated byte, with the slowest of the filters"""

_SECONDS_PER_PIXEL: Final = 1.6e-9
_SECONDS_PER_INTERLACED_PIXEL: Final = 6e-9
"""Pillow copies the pixels of an interlaced picture one by one."""


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, and of its filter"""
        return (self.width * self.depth * _SAMPLES[self.colour] + 7) // 8 + 1

    def memory(self, *, clear: bool) -> int:
        """Bytes that Pillow takes: a byte for a pixel of grey or of a palette, two for 16 bits of
        grey, four otherwise, and two rows. `clear`: a colour of it is transparent."""
        pixels, rows = self.width * self.height, 2 * self.row_bytes
        if self.colour == _GREY and self.depth == 16:
            return 2 * pixels + rows + DEEP_GREY_BYTES
        per_pixel = 1 if self.colour in (_GREY, _PALETTE) else 4
        plain = not clear and (self.colour == _RGB or self.is_grey(clear=clear))
        return per_pixel * pixels + rows + (0 if plain else CONVERTED_BYTES)

    def is_grey(self, *, clear: bool) -> bool:
        """Whether it is resized in grey; one bit becomes RGB."""
        return self.colour == _GREY and (self.depth == 16 or (self.depth > 1 and not clear))

    @property
    def seconds(self) -> float:
        per_pixel = _SECONDS_PER_INTERLACED_PIXEL if self.interlaced else _SECONDS_PER_PIXEL
        row = per_pixel * self.width + _SECONDS_PER_BYTE * self.row_bytes
        return row * self.height


class _Pixels(NamedTuple):
    first: Chunk
    chunks: int
    length: int
    """Bytes of data in all chunks, as they claim"""
    end: int
    """Position behind the last"""


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`, and `UnsupportedCoding` for Apple's variant."""
    metadata = Metadata(data)
    walk = chunks(data)
    needed, first = _before_pixels(data, walk, metadata)
    header = _read_header(data, needed.get(b"IHDR"))
    _check_palette(needed, header, metadata)
    pixels, following = _pixels(data, first, walk)
    _after_pixels(following, walk, metadata)
    clear = b"tRNS" in needed
    levels = _clear_levels(data, needed.get(b"tRNS"), header)
    metadata.odd |= bool(levels)
    replaced = metadata.odd or pixels.chunks > MAX_PIXEL_CHUNKS
    return ImageInfo(
        (header.width, header.height),
        header.memory(clear=clear) + metadata.memory(replaced=replaced),
        header.seconds,
        "an interlaced PNG" if header.interlaced else "",
        exif=metadata.orientation() if replaced else b"",
        replace=partial(_replacement, data, needed, levels, metadata, pixels) if replaced else None,
        resized_pixel_bytes=1 if header.is_grey(clear=clear) else 4,
        colours=metadata.colours,
    )


def _before_pixels(
    data: bytes, walk: Iterator[Chunk], metadata: Metadata
) -> tuple[dict[bytes, Chunk], Chunk]:
    """The chunks that the pixels need, by kind, and the first chunk of pixels."""
    needed: dict[bytes, Chunk] = {}
    for chunk in walk:
        kind = chunk.kind
        if kind == b"IDAT":
            return needed, chunk
        if kind == b"CgBI" and not needed:
            raise UnsupportedCoding("a PNG in Apple's own variant (CgBI)")
        if kind in (b"IHDR", b"PLTE"):
            if kind in needed or chunk.repeats > 1:
                raise UnusualStructure(f"it has more than one {kind.decode()} chunk")
            if not is_intact(data, chunk):
                raise UnusualStructure(f"its {kind.decode()} chunk is damaged")
            needed[kind] = chunk
        elif not chunk.is_ancillary():
            break
        elif kind == b"tRNS" and kind not in needed and is_intact(data, chunk):
            needed[kind] = chunk
        else:
            metadata.add(chunk, after_pixels=False)
            metadata.odd |= kind == b"tRNS"
    raise UnusualStructure("it has no pixels where they should be")


def _read_header(data: bytes, chunk: Chunk | None) -> _Header:
    if chunk is None or chunk.length != _HEADER.size:
        raise UnusualStructure("it has no header")
    width, height, depth, colour, compression, filtering, interlace = _HEADER.unpack_from(
        data, chunk.start
    )
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise UnusualStructure("its header is damaged")
    if not width or not height:
        raise UnusualStructure("it is empty")
    return _Header(width, height, depth, colour, bool(interlace))


def _check_palette(needed: dict[bytes, Chunk], header: _Header, metadata: Metadata) -> None:
    """Drops a palette and transparency that do not belong to this kind of pixels, and which Pillow
    would refuse."""
    palette, clear = needed.get(b"PLTE"), needed.get(b"tRNS")
    if header.colour == _PALETTE:
        if palette is None or palette.length % 3 or not 0 < palette.length <= _PALETTE_BYTES:
            raise UnusualStructure("its palette is missing or damaged")
        fits = clear is None or 0 < clear.length <= palette.length // 3
    else:  # a palette only suggests colours
        metadata.odd |= palette is not None and palette.length > _PALETTE_BYTES
        needed.pop(b"PLTE", None)
        fits = clear is None or clear.length == _TRANSPARENT_BYTES.get(header.colour)
    if not fits:
        metadata.odd = True
        del needed[b"tRNS"]


def _clear_levels(data: bytes, chunk: Chunk | None, header: _Header) -> bytes:
    """The tRNS for the samples of 8 bits that Pillow makes; empty if Pillow reads the file's own
    in the same way. Pillow takes its levels as they are: of 16 bits, the low byte."""
    if chunk is None or (header.colour, header.depth) not in _SCALED:
        return b""
    levels = unpack_from(f">{chunk.length // 2}H", data, chunk.start)
    if header.depth == 16:
        scaled = bytes(level >> 8 for level in levels)
    else:
        most = (1 << header.depth) - 1
        scaled = bytes((level & most) * 255 // most for level in levels)
    same = scaled == bytes(level & 0xFF for level in levels)
    return b"" if same else b"".join(bytes((0, level)) for level in scaled)


def _pixels(data: bytes, first: Chunk, walk: Iterator[Chunk]) -> tuple[_Pixels, Chunk | None]:
    """The chunks of pixels, and the chunk behind them."""
    chunk: Chunk | None = first
    count = length = end = steps = 0
    while chunk is not None and chunk.kind == b"IDAT":
        # One that is cut off may have all that matters. Pillow finds out.
        if chunk.repeats == 1 and chunk.end <= len(data) and not is_intact(data, chunk):
            raise UnusualStructure("the checksum of its pixels is wrong")
        steps += 1
        if steps > MAX_PIXEL_STEPS:
            raise UnusualStructure(f"its pixels are in more than {MAX_PIXEL_STEPS} pieces")
        count += chunk.repeats
        length += chunk.repeats * chunk.length
        end = chunk.end
        chunk = next(walk, None)
    return _Pixels(first, count, length, end), chunk


def _after_pixels(chunk: Chunk | None, walk: Iterator[Chunk], metadata: Metadata) -> None:
    """Read the rest for its metadata. Whatever is wrong there, the picture is complete."""
    try:
        while chunk is not None and chunk.kind != b"IEND":
            if not chunk.is_ancillary() or chunk.kind == b"tRNS":
                metadata.odd = True
            if not chunk.is_ancillary():
                return
            metadata.add(chunk, after_pixels=True)
            chunk = next(walk, None)
    except UnusualStructure:  # there are too many
        metadata.odd = True


def _replacement(
    data: bytes, needed: dict[bytes, Chunk], levels: bytes, metadata: Metadata, pixels: _Pixels
) -> bytes:
    view = memoryview(data)
    file = BytesIO()
    file.write(SIGNATURE)
    clear = None if levels else needed.get(b"tRNS")
    kept = [needed.get(b"IHDR"), metadata.profile, needed.get(b"PLTE"), clear]
    for chunk in filter(None, kept):
        file.write(view[chunk.position : chunk.end])
    if levels:
        checksum = zlib.crc32(b"tRNS" + levels)
        file.write(before(b"tRNS", len(levels)) + levels + checksum.to_bytes(4, "big"))
    if pixels.chunks > MAX_PIXEL_CHUNKS:
        _join_pixels(data, pixels, file)
    else:
        file.write(view[pixels.first.position : pixels.end])
    if pixels.end <= len(data):
        file.write(_IEND)
    return file.getvalue()


def _join_pixels(data: bytes, pixels: _Pixels, file: BytesIO) -> None:
    """Writes one chunk that holds the data of all."""
    file.write(before(b"IDAT", pixels.length))
    checksum = zlib.crc32(b"IDAT")
    for chunk in chunks(data, pixels.first.position):
        if chunk.position >= pixels.end:
            break
        if chunk.repeats == 1:
            pieces = iter([data[chunk.start : chunk.start + chunk.length]])
        else:
            part = slice(chunk.start - chunk.position, chunk.start - chunk.position + chunk.length)
            pieces = parts(data, chunk.position, chunk.stride, chunk.repeats, part)
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
            file.write(piece)
    file.write(checksum.to_bytes(4, "big"))
