"""WebP (RFC 9649). Its pixels are VP8 (RFC 6386), or VP8L, which is lossless."""

from functools import partial
from struct import Struct, unpack_from
from struct import error as struct_error
from typing import Final, NamedTuple

from PIL import Image

from classifier.images import libwebp
from classifier.images.formats import ImageInfo, UnusualStructure
from classifier.images.formats.runs import end_of_run
from classifier.images.formats.webp import vp8l

MAX_CHUNKS: Final = 1_000_000
"""Chunks beside the picture, of 0.3 us each, without repetitions. libwebp finds a picture behind
as many."""

_REPEATED: Final = 64
"""Chunks between two searches for a repetition of equal chunks"""

MAX_PROFILE_BYTES: Final = 4 << 20
MAX_EXIF_BYTES: Final = 1 << 20
MAX_XMP_BYTES: Final = 1 << 20
"""The rest is left out. The directory that holds the orientation is near the beginning."""

_RIFF_HEADER: Final = 12
_CHUNK_HEADER: Final = Struct("<4sI")
_FRAME_HEADER: Final = 16
"""Bytes of an ANMF chunk before the chunks of its picture"""

_LOSSY, _LOSSLESS, _ALPHA, _CANVAS, _FRAME = b"VP8 ", b"VP8L", b"ALPH", b"VP8X", b"ANMF"
_PROFILE, _EXIF, _XMP = b"ICCP", b"EXIF", b"XMP "
_METADATA: Final = {
    _PROFILE: ("icc_profile", MAX_PROFILE_BYTES),
    _EXIF: ("exif", MAX_EXIF_BYTES),
    _XMP: ("xmp", MAX_XMP_BYTES),
}
"""Pillow's names, and the limits"""

_KNOWN: Final = {_LOSSY, _LOSSLESS, _ALPHA, _CANVAS, _FRAME, *_METADATA}

_Chunks = dict[bytes, tuple[int, int]]
"""Offset and length of what the first chunk of each known kind holds"""

_REDUCED_LEVELS: Final = 1
"""Preprocessing of transparency (RFC 9649, section 2.7.1.2)"""

_KEY_FRAME: Final = b"\x9d\x01\x2a"
"""Start code of a VP8 key frame (RFC 6386, 9.1)"""

_VP8L_SIGNATURE: Final = 0x2F
_VP8L_HEADER: Final = 5
"""Bytes: the signature, and the size"""
_HAS_ALPHA: Final = 0x10
"""Flag of the VP8X chunk"""

_COLOUR_INDEXING: Final = 0b111
"""First three bits of a lossless image whose first transform is a palette (RFC 9649, 4.4)"""

# Measured with libwebp 1.6 at 1 to 24 megapixels
_OUTPUT_BYTES: Final = 4
_LOSSY_BYTES: Final = 0.1
_LOSSLESS_BYTES: Final = 4.2
_ALPHA_BYTES: Final = 1.05
_ALPHA_INDEX_BYTES: Final = 1.0
"""Per pixel, beside the output. Transparency has a plane, and is also a lossless image, but of one
byte for each pixel if these are indices of a palette."""
_GROUP_BYTES: Final = 13_000
"""Of the tables for one group of prefix codes, at most (huffman_utils.h)"""
_ROW_BYTES: Final = 256
"""For each pixel of a row: the rows that libwebp filters and converts"""
_PILLOW_BYTES: Final = 20
"""Per pixel of the canvas, where libwebp cannot be called"""

_LOSSY_SECONDS: Final = 9e-9
_LOSSLESS_SECONDS: Final = 14e-9
"""Per pixel, if the file has next to nothing for it"""
_PILLOW_SLOWER: Final = 4
"""Times that Pillow's decoder takes, at most"""

_FEATURE: Final = "a large WebP"


class _Picture(NamedTuple):
    size: tuple[int, int]
    """Width and height in pixels"""
    start: int
    """Offset of its first chunk"""
    end: int
    decoder_bytes: float
    """Per pixel, beside the output"""
    seconds: float
    """Per pixel"""


def inspect(data: bytes, covering: int) -> ImageInfo:
    """The size is that of the canvas. Raises `UnusualStructure`."""
    try:
        return _inspect(data)
    except (IndexError, struct_error):
        raise UnusualStructure("it is damaged or cut off") from None


def _inspect(data: bytes) -> ImageInfo:
    chunks, complete = _walk(data, _RIFF_HEADER, len(data))
    picture, frame = _first_frame(data, chunks, complete)
    metadata = _metadata(data, chunks)
    canvas = frame.canvas[0] * frame.canvas[1]
    memory = sum(map(len, metadata.values()))
    seconds = picture.seconds * frame.size[0] * frame.size[1]
    if not libwebp.is_available():
        if not complete:
            raise UnusualStructure(f"it has more than {MAX_CHUNKS} chunks")
        memory += _PILLOW_BYTES * canvas + memory
        return ImageInfo(frame.canvas, memory, _PILLOW_SLOWER * seconds, _FEATURE)
    memory += _OUTPUT_BYTES * canvas + _ROW_BYTES * frame.size[0]
    memory += int(picture.decoder_bytes * frame.size[0] * frame.size[1])
    decode = partial(_decode, frame=frame, metadata=metadata)
    return ImageInfo(frame.canvas, memory, seconds, _FEATURE, decode=decode)


def _walk(data: bytes, position: int, end: int) -> tuple[_Chunks, bool]:
    """The chunks, and whether these are all."""
    chunks: _Chunks = {}
    unpack, size = _CHUNK_HEADER.unpack_from, _CHUNK_HEADER.size
    for number in range(MAX_CHUNKS):
        if position + size > end:
            return chunks, True
        kind, length = unpack(data, position)
        if number % _REPEATED == _REPEATED - 1 and kind not in _KNOWN:
            # All but the last of them; the period of an odd length includes its padding.
            period = size + length + (length & 1)
            position = end_of_run(data, position, period, end) - period
        position += size
        if kind in _KNOWN and kind not in chunks:
            chunks[kind] = position, length
        position += length
        if length & 1 and data[position : position + 1] == b"\0":  # some writers do not pad
            position += 1
    return chunks, False


def _first_frame(data: bytes, chunks: _Chunks, complete: bool) -> tuple[_Picture, libwebp.Frame]:
    canvas, transparent = _canvas(data, chunks)
    animated = _FRAME in chunks and all(
        chunks[_FRAME] < chunks[kind] for kind in (_LOSSY, _LOSSLESS) if kind in chunks
    )
    if animated:
        return _frame_of_animation(data, chunks[_FRAME], canvas, transparent)
    if not complete and _LOSSY not in chunks and _LOSSLESS not in chunks:
        used = _LOSSY_BYTES + _ALPHA_BYTES + _LOSSLESS_BYTES
        unknown = used, _LOSSY_SECONDS + _LOSSLESS_SECONDS
        picture = _Picture(canvas, 0, len(data), *unknown)
    else:
        picture = _picture(data, chunks)
    alpha = True if transparent and _LOSSLESS not in chunks else None
    frame = libwebp.Frame(picture.size, 0, 0, picture.size, picture.start, picture.end, alpha)
    return picture, frame


def _frame_of_animation(
    data: bytes, chunk: tuple[int, int], canvas: tuple[int, int], transparent: bool
) -> tuple[_Picture, libwebp.Frame]:
    start, length = chunk
    left, top = (2 * _number_of_3_bytes(data, start + at) for at in (0, 3))
    chunks, _ = _walk(data, start + _FRAME_HEADER, min(start + length, len(data)))
    picture = _picture(data, chunks)
    if left + picture.size[0] > canvas[0] or top + picture.size[1] > canvas[1]:
        raise UnusualStructure("its first frame is larger than the image")
    place = canvas, left, top, picture.size
    return picture, libwebp.Frame(*place, picture.start, picture.end, transparent)


def _canvas(data: bytes, chunks: _Chunks) -> tuple[tuple[int, int], bool]:
    """Width and height in pixels, or zeros if no chunk says it, and whether it is transparent."""
    if _CANVAS not in chunks:
        return (0, 0), False
    start, _ = chunks[_CANVAS]
    width, height = (1 + _number_of_3_bytes(data, start + at) for at in (4, 7))
    return (width, height), bool(data[start] & _HAS_ALPHA)


def _picture(data: bytes, chunks: _Chunks) -> _Picture:
    """The first one of these chunks."""
    found = [(*chunks[kind], kind) for kind in (_LOSSY, _LOSSLESS) if kind in chunks]
    if not found:
        raise UnusualStructure("it has no pixels, or is cut off")
    start, length, kind = min(found)
    begin, end = start - _CHUNK_HEADER.size, start + length
    if end > len(data):
        raise UnusualStructure("it is cut off")
    if kind == _LOSSLESS:
        size, stream = _lossless_size(data, start), start + _VP8L_HEADER
        used = _LOSSLESS_BYTES / (_indices_in_pixel(data, stream) or 1)
        used += _group_bytes(data, stream, end, size)
        return _Picture(size, begin, end, used, _LOSSLESS_SECONDS)
    used, seconds = _LOSSY_BYTES, _LOSSY_SECONDS
    size = _lossy_size(data, start)
    if 0 in size:
        raise UnusualStructure("it has no pixels")
    if _ALPHA in chunks and chunks[_ALPHA][0] < start:
        alpha = chunks[_ALPHA][0]
        begin = alpha - _CHUNK_HEADER.size
        used += _alpha_bytes(data, alpha, alpha + chunks[_ALPHA][1], size)
        seconds += _LOSSLESS_SECONDS
    return _Picture(size, begin, end, used, seconds)


def _lossy_size(data: bytes, start: int) -> tuple[int, int]:
    """RFC 6386, section 9.1"""
    if data[start + 3 : start + 6] != _KEY_FRAME:
        raise UnusualStructure("its pixels are damaged")
    width, height = unpack_from("<HH", data, start + 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless_size(data: bytes, start: int) -> tuple[int, int]:
    """RFC 9649, section 3.4"""
    signature, bits = unpack_from("<BI", data, start)
    if signature != _VP8L_SIGNATURE:
        raise UnusualStructure("its pixels are damaged")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _group_bytes(data: bytes, start: int, end: int, size: tuple[int, int]) -> float:
    """Memory per pixel of the tables for a lossless stream."""
    return _GROUP_BYTES * vp8l.count_groups(data, start, end, size) / (size[0] * size[1])


def _alpha_bytes(data: bytes, start: int, end: int, size: tuple[int, int]) -> float:
    """Memory per pixel, by the first byte of an ALPH chunk (RFC 9649, section 2.7.1.2)"""
    if not data[start] & 0b11:  # not compressed
        return _ALPHA_BYTES
    stream = start + 1
    plane = _ALPHA_BYTES + _group_bytes(data, stream, end, size)
    if data[start] >> 4 & 0b11 == _REDUCED_LEVELS:
        # libwebp decodes it first, and frees its pixels before it writes any output.
        return plane + _LOSSLESS_BYTES - _OUTPUT_BYTES
    if not vp8l.is_of_indices(data, stream, size):
        return plane + _LOSSLESS_BYTES
    return plane + _ALPHA_INDEX_BYTES / _indices_in_pixel(data, stream)


def _indices_in_pixel(data: bytes, start: int) -> int:
    """How many pixels a lossless image with a palette keeps in one; 0 without a palette. Its
    transforms begin at `start` (RFC 9649, section 4.4)."""
    bits = int.from_bytes(data[start : start + 2], "little")
    if bits & 0b111 != _COLOUR_INDEXING:
        return 0
    return vp8l.pixels_in_index(1 + (bits >> 3 & 0xFF))


def _number_of_3_bytes(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "little")


def _metadata(data: bytes, chunks: _Chunks) -> dict[str, bytes]:
    """Under Pillow's names."""
    found = {kind: chunks[kind] for kind in _METADATA if kind in chunks}
    return {
        _METADATA[kind][0]: data[start : start + min(length, _METADATA[kind][1])]
        for kind, (start, length) in found.items()
    }


def _decode(data: bytes, frame: libwebp.Frame, metadata: dict[str, bytes]) -> Image.Image:
    image = libwebp.decode(data, frame)
    image.format = "WEBP"
    image.info.update(metadata)
    return image
