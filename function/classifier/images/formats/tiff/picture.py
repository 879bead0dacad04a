"""The first picture of a TIFF: its size, the kind of its pixels, and where they are."""

from typing import Final, NamedTuple

from PIL.TiffImagePlugin import OPEN_INFO

from classifier.images.formats import UnsupportedCoding, UnusualStructure
from classifier.images.formats.directory import (
    BYTE_STRINGS,
    LONG,
    LONG8,
    SHORT,
    Entry,
    Header,
    claimed_tags,
    count_entries,
    entries,
    numbers,
)
from classifier.images.formats.exif import ORIENTATION

# Tags (TIFF 6.0, sections 8, 10, 13 to 18, 21 and 22)
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 266, 273, 277, 278, 279
PLANAR, T4_OPTIONS, T6_OPTIONS, PREDICTOR, COLOUR_MAP = 284, 292, 293, 317, 320
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 332, 338, 339, 347
YCBCR_COEFFICIENTS, YCBCR_SUBSAMPLING, REFERENCE_BLACK_WHITE = 529, 530, 532

NONE, CCITT, GROUP3, GROUP4, LZW, JPEG, DEFLATE = 1, 2, 3, 4, 5, 7, 8
PACKBITS, OLD_DEFLATE = 32773, 32946
"""Compressions that are decoded"""

_COMPRESSIONS: Final = {
    NONE, CCITT, GROUP3, GROUP4, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE,
}  # fmt: skip

_COMPRESSION_NAMES: Final = {
    6: "old-style JPEG",
    9: "JBIG",
    10: "JBIG",
    32766: "NeXT",
    32771: "CCITT RLE in words",
    32809: "ThunderScan",
    34661: "JBIG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "the JPEG of a DNG",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
"""Other compressions. libtiff sizes the memory of some by numbers in the file."""

_WHITE_IS_ZERO, _PALETTE, _CMYK, _YCBCR = 0, 3, 5, 6
_PHOTOMETRICS: Final = {
    0: "white-is-zero grey",
    1: "grey",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELAB",
    9: "ICCLAB",
    10: "ITULAB",
    32803: "raw sensor",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw",
}

_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED, _COMPLEX_INTEGER, _COMPLEX = 1, 2, 3, 4, 5, 6
_FORMATS: Final = {
    _UNSIGNED: "",
    _SIGNED: "signed ",
    _FLOAT: "floating-point ",
    _UNDEFINED: "",
    _COMPLEX_INTEGER: "complex ",
    _COMPLEX: "complex ",
}

_MSB_FIRST: Final = 1
"""FillOrder"""

_CHUNKY: Final = 1
_SEPARATE: Final = 2
"""PlanarConfiguration"""

_MAX_SAMPLES: Final = 6
"""Samples of a pixel in `OPEN_INFO`"""

_NO_UNPACKER: Final = {"L;IR", "P;1R", "P;2R", "P;4R", "P;R"}
"""Raw modes that `OPEN_INFO` names and Pillow lacks: bits in reverse order"""

_SEPARATE_RAW_MODES: Final = {"RGB", "RGBA", "CMYK"}
"""Each letter is the raw mode of a plane."""

_SEPARATE_MODES: Final = {"RGB", "RGBA", "CMYK"}
"""Modes whose planes are copied into the image one by one"""

_NOT_CONVERTED: Final = {"La"}
"""Pillow converts it neither to RGB nor to RGBA."""

_STRUCTURE: Final = {
    WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, ROWS_PER_STRIP, PLANAR,
    TILE_WIDTH, TILE_LENGTH, EXTRA_SAMPLES, SAMPLE_FORMAT, YCBCR_SUBSAMPLING,
}  # fmt: skip

_INTEGERS: Final = {SHORT, LONG, LONG8}
"""Types of numbers that Pillow does not take for text"""

_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, XMP, ICC_PROFILE = 282, 283, 296, 700, 34675

_MOST_VALUES: Final = {
    **dict.fromkeys(_STRUCTURE, 16),
    **dict.fromkeys((_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT), 16),
    COLOUR_MAP: 3 << 16,
    **dict.fromkeys((XMP, ICC_PROFILE), 0),
}
"""Numbers of the entries that Pillow turns into Python objects; 0 for text."""

_OF_STRIPS: Final = {STRIP_OFFSETS, STRIP_BYTES}
_OF_TILES: Final = {TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES}
_BLOCKS: Final = {STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES}

_KNOWN: Final = {
    *_STRUCTURE, *_MOST_VALUES, *_BLOCKS, T4_OPTIONS, T6_OPTIONS, PREDICTOR, ORIENTATION, INK_SET,
    JPEG_TABLES, YCBCR_COEFFICIENTS, REFERENCE_BLACK_WHITE,
}  # fmt: skip

_MAX_ENTRIES: Final = 512
"""Entries of one directory; writers make about thirty. libtiff sorts them again for each that it
does not know."""


class Kind(NamedTuple):
    """How the pixels are coded."""

    mode: str
    """Pillow's mode of the image"""
    compression: int
    bits: int
    """Of all samples of a pixel"""
    planes: int
    """Arrays that hold the samples"""
    as_rgba: bool
    """Whether libtiff converts the pixels to RGBA before Pillow gets them"""
    tags: dict[int, tuple[int, ...]]
    """The values that say so, as Pillow reads them best"""


class Layout(NamedTuple):
    """Strips or tiles, which are called blocks here."""

    tiled: bool
    width: int
    """Of a block, in pixels"""
    rows: int
    blocks: int
    """Of the picture, of all planes"""


class Picture(NamedTuple):
    size: tuple[int, int]
    kind: Kind
    layout: Layout
    tags: dict[int, Entry]
    """The entries of the directory that belong to the picture"""
    metadata: tuple[int, int]
    """Bytes of the values of all entries but those of the strips or tiles, and of the longest"""
    is_plain: bool
    """Whether Pillow reads the directory as it is"""


class Fields:
    """The values of a directory."""

    def __init__(self, data: bytes, header: Header, tags: dict[int, Entry]) -> None:
        self.order = header.order
        self.tags = tags
        self._data = data
        self._header = header

    def __contains__(self, tag: int) -> bool:
        return tag in self.tags

    def values(self, tag: int, most: int = 16) -> tuple[int, ...]:
        """The first values of a tag, at most `most`; empty without it."""
        entry = self.tags.get(tag)
        if entry is None:
            return ()
        found = numbers(self._data, self._header, entry, most)
        return tuple(value if isinstance(value, int) else 0 for value in found)

    def first(self, tag: int, default: int) -> int:
        return next(iter(self.values(tag, 1)), default)


def read_picture(data: bytes, header: Header) -> Picture:
    """The picture of the first directory. Raises `UnusualStructure` and `UnsupportedCoding`."""
    tags: dict[int, Entry] = {}
    total = longest = 0
    for entry in entries(data, header, header.first):
        if entry.tag in _KNOWN:
            tags[entry.tag] = entry
        if entry.tag not in _BLOCKS:
            total, longest = total + entry.length, max(longest, entry.length)
    fields = Fields(data, header, tags)
    width, height = fields.first(WIDTH, 0), fields.first(LENGTH, 0)
    if width <= 0 or height <= 0:
        raise UnusualStructure("its directory has no size")
    kind = _read_kind(fields)
    layout = _read_layout(fields, width, height, kind)
    return Picture(
        (width, height), kind, layout, tags, (total, longest),
        _is_plain(data, header, fields, kind, tiled=layout.tiled),
    )  # fmt: skip


def _is_plain(data: bytes, header: Header, fields: Fields, kind: Kind, *, tiled: bool) -> bool:
    if header.big and header.order == ">":  # Pillow takes it for a small one
        return False
    if count_entries(data, header, header.first) > _MAX_ENTRIES:
        return False
    claims = sum(tag in _KNOWN for tag in claimed_tags(data, header, header.first))
    if claims > len(fields.tags):  # libtiff could take those that Pillow skips
        return False
    if fields.tags.keys() & (_OF_STRIPS if tiled else _OF_TILES):  # libtiff could take the others
        return False
    return (
        all(
            entry.values <= _MOST_VALUES.get(tag, entry.values) or entry.type in BYTE_STRINGS
            for tag, entry in fields.tags.items()
        )
        and all(fields.tags[tag].type in _INTEGERS for tag in _STRUCTURE & fields.tags.keys())
        and all(fields.values(tag, len(values) + 1) == values for tag, values in kind.tags.items())
    )


def _read_kind(fields: Fields) -> Kind:
    compression = fields.first(COMPRESSION, NONE)
    if compression not in _COMPRESSIONS:
        name = _COMPRESSION_NAMES.get(compression, compression)
        raise UnsupportedCoding(f"a TIFF with the compression {name}")
    separate = fields.first(PLANAR, _CHUNKY) == _SEPARATE
    photometric = fields.first(PHOTOMETRIC, _WHITE_IS_ZERO)
    samples = fields.first(SAMPLES, 1)
    bits = fields.values(BITS) or (1,)
    extra = fields.values(EXTRA_SAMPLES)
    tags: dict[int, tuple[int, ...]] = {}
    if not 0 < samples <= _MAX_SAMPLES:
        raise UnsupportedCoding(f"a TIFF of {samples} samples per pixel")
    if len(bits) > samples:
        bits = tags[BITS] = bits[:samples]
    if len(bits) == 1:
        bits *= samples
    if len(bits) < samples:
        raise UnusualStructure("its directory has two numbers of samples")
    if separate and extra and not any(extra) and len(extra) < samples:
        samples -= len(extra)
        bits, extra = bits[:samples], ()
        tags |= {SAMPLES: (samples,), BITS: bits, EXTRA_SAMPLES: ()}
    if separate and samples == 1:
        separate = False
        tags[PLANAR] = (_CHUNKY,)
    formats = set(fields.values(SAMPLE_FORMAT)) or {_UNSIGNED}
    if _UNDEFINED in formats:  # "a reader would treat it as unsigned" (TIFF 6.0, section 19)
        formats = (formats - {_UNDEFINED}) | {_UNSIGNED}
        tags[SAMPLE_FORMAT] = (_UNSIGNED,)
    if photometric == _PALETTE:
        tags |= _scaled_map(fields.values(COLOUR_MAP, _MOST_VALUES[COLOUR_MAP]))
    coding = _Coding(
        fields.order, photometric, formats, fields.first(FILL_ORDER, _MSB_FIRST), bits, extra,
        separate, compression != NONE,
    )  # fmt: skip
    mode = _pillow_mode(coding)
    if mode is None or _is_misread(coding, fields):
        raise UnsupportedCoding(_describe(coding))
    by_libjpeg = compression == JPEG and not separate
    if photometric == _YCBCR and coding.by_libtiff:
        mode = "RGB"
    return Kind(
        mode, compression, sum(bits), samples if separate else 1,
        photometric == _YCBCR and coding.by_libtiff and not by_libjpeg, tags,
    )  # fmt: skip


def _scaled_map(colours: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """A colour map of 16 bits, if its writer took it for one of 8, as some did."""
    if max(colours, default=0) >= 1 << 8:
        return {}
    return {COLOUR_MAP: tuple(257 * value for value in colours)}


class _Coding(NamedTuple):
    order: str
    photometric: int
    formats: set[int]
    fill_order: int
    bits: tuple[int, ...]
    extra: tuple[int, ...]
    separate: bool
    by_libtiff: bool
    """libtiff decodes what is compressed, Pillow the rest."""


def _raw_mode(coding: _Coding) -> tuple[str, str] | None:
    """Pillow's mode of the image, and of the pixels in the file."""
    if len(coding.formats) != 1:
        return None
    (sample_format,) = coding.formats
    order = b"II" if coding.order == "<" else b"MM"
    key = (order, coding.photometric, (sample_format,), coding.fill_order, coding.bits,
           coding.extra)  # fmt: skip
    return OPEN_INFO.get(key)


def _pillow_mode(coding: _Coding) -> str | None:
    found = _raw_mode(coding)
    if found is None:
        return None
    mode, raw_mode = found
    if coding.by_libtiff:
        refused = coding.separate and (mode not in _SEPARATE_MODES or len(coding.bits) > len(mode))
    else:
        refused = raw_mode in _NO_UNPACKER or (
            coding.separate and raw_mode not in _SEPARATE_RAW_MODES
        )
    return None if refused or mode in _NOT_CONVERTED else mode


def _is_misread(coding: _Coding, fields: Fields) -> bool:
    """Whether Pillow takes the numbers for others than they are."""
    bits = coding.bits[0]
    return (
        (_SIGNED in coding.formats and bits == 8)
        or (_UNSIGNED in coding.formats and bits in (12, 32))
        or (coding.photometric == _WHITE_IS_ZERO and bits > 8)
        or (coding.photometric == _CMYK and fields.first(INK_SET, 1) != 1)
        or (
            coding.photometric == _YCBCR
            and not coding.by_libtiff
            and (fields.values(YCBCR_SUBSAMPLING) or (2, 2)) != (1, 1)
        )
    )


def _describe(coding: _Coding) -> str:
    """A noun with its article, such as "a TIFF of floating-point RGB with 3 samples of 32 bits"."""
    number = _FORMATS.get(max(coding.formats), "")
    photometric = _PHOTOMETRICS.get(coding.photometric, f"photometric {coding.photometric}")
    samples = len(coding.bits)
    text = f"a TIFF of {number}{photometric} with {samples} sample{'s' * (samples > 1)} of "
    text += f"{'/'.join(map(str, sorted(set(coding.bits))))} bits"
    if coding.separate:
        text += " in separate planes"
    if coding.fill_order != _MSB_FIRST:
        text += " in reverse order"
    return text


def _read_layout(fields: Fields, width: int, height: int, kind: Kind) -> Layout:
    tiled = TILE_WIDTH in fields and TILE_LENGTH in fields
    if kind.compression == NONE and STRIP_OFFSETS in fields:
        tiled = False  # so Pillow reads it; libtiff does the opposite
    if tiled:
        block, rows = fields.first(TILE_WIDTH, 0), fields.first(TILE_LENGTH, 0)
    else:
        block, rows = width, min(height, fields.first(ROWS_PER_STRIP, height))
    if block <= 0 or rows <= 0:
        raise UnusualStructure("its strips or tiles have no size")
    return Layout(tiled, block, rows, kind.planes * -(-width // block) * -(-height // rows))
