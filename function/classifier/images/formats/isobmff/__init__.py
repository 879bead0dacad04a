"""AVIF and HEIC: images in boxes (ISO/IEC 23008-12; AV1 Image File Format).

The primary item says how its pixels are coded: AV1 is decoded by Pillow, HEVC by pi-heif, whatever
the brands are.
"""

from collections.abc import Callable
from struct import error as struct_error
from struct import pack
from typing import Final

from classifier.images import libheif
from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure, exif
from classifier.images.formats.isobmff import avif, heic, tracks
from classifier.images.formats.isobmff.boxes import Box, Items, Others, children, read_items
from classifier.images.formats.isobmff.colours import read_colours
from classifier.images.formats.isobmff.still import AV1, HEVC, Still, coded_items, read_still

MAX_METADATA_BYTES: Final = 1 << 20
"""Of EXIF and XMP, which decoders copy; of more they get none."""

_METADATA_COPIES: Final = 3
_HIDDEN_COPIES: Final = 2
"""libheif reads even items of unknown kinds, one by one."""

_MAX_OTHER_BOXES: Final = 16
"""In a box, beside those that are read here; libheif accepts 100."""

_MAX_OTHER_BYTES: Final = 1 << 16
"""Of them in a `meta` box, which decoders read"""

_MAX_BRANDS: Final = 64
_FULL: Final = 4
"""Bytes of version and flags"""

_TOP: Final = (b"ftyp", b"meta", b"moov")
_META: Final = (b"hdlr", b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"idat")

_KINDS: Final = {
    b"avc1": "H.264",
    b"iden": "an image derived from another",
    b"iovl": "an overlay of images",
    b"j2k1": "JPEG 2000",
    b"jpeg": "JPEG",
    b"tmap": "a tone map",
    b"unci": "uncompressed pixels",
    b"vvc1": "VVC",
}
"""Kinds of items that are not decoded here, as people know them"""

_SEQUENCE: Final = b"avis"
_AVIF_BRANDS: Final = {b"avif", _SEQUENCE}
_PILLOW_BRANDS: Final = {*_AVIF_BRANDS, b"mif1", b"msf1"}
"""Major brands of files that Pillow gives to libavif, which requires one of AVIF among all"""
_HEIC_BRANDS: Final = {b"heic", b"heix", b"mif1"}
_HEIC_SEQUENCE_BRANDS: Final = {b"hevc", b"hevx", b"msf1"}
"""Major brands of files in which libheif looks for tracks"""
_IMAGE_BRANDS: Final = {*_PILLOW_BRANDS, *_HEIC_BRANDS, *_HEIC_SEQUENCE_BRANDS}
_MAJOR_BRAND_AT: Final = 8
_COMPATIBLE_BRANDS_AT: Final = 16

_NOT_INSTALLED: Final = "a HEIC photo (HEIF), for which this server lacks the package pi-heif"

_FREE: Final = b"free"
_EXIF, _MIME = b"Exif", b"mime"
_TIFF_HEADERS: Final = (b"II*\0", b"MM\0*")
_NO_KIND: Final = b"none"
"""A kind of item or reference that decoders do not know"""


class _Patches:
    """Changes to a copy of the file, which do not move anything."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._changes: dict[int, bytes] = {}

    def put(self, position: int, content: bytes) -> None:
        self._changes[position] = content

    def hide(self, others: list[Others]) -> None:
        """Make one box of neighbours, without a meaning."""
        if others:
            for other in others:
                self.put(other.begin, pack(">I4s", other.end - other.begin, _FREE))

    def set_brands(self, brand: bytes, brands: list[bytes]) -> None:
        """Replace the major brand and the compatible `brands`."""
        self.put(_MAJOR_BRAND_AT, brand)
        if len(brands) > 1:
            self.put(_COMPATIBLE_BRANDS_AT, brand * (len(brands) - 1))

    def replace(self) -> Callable[[], bytes] | None:
        """Makes the changed file; None if nothing changes."""
        return self._apply if self._changes else None

    def _apply(self) -> bytes:
        view, done = memoryview(self._data), 0
        pieces: list[bytes | memoryview] = []
        for position, content in sorted(self._changes.items()):
            pieces += [view[done:position], content]
            done = position + len(content)
        return b"".join([*pieces, view[done:]])


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure`, `UnsupportedCoding`."""
    try:
        return _inspect(data)
    except (IndexError, KeyError, struct_error):
        raise UnusualStructure("its tables are damaged or cut off") from None


def _inspect(data: bytes) -> ImageInfo:
    moving = data[_MAJOR_BRAND_AT : _MAJOR_BRAND_AT + 4] == _SEQUENCE
    top, _ = children(data, 0, len(data), _TOP, last=b"moov" if moving else b"meta")
    brands = _brands(data, top[b"ftyp"])
    patches = _Patches(data)
    if moving and b"moov" in top:
        info = _avif(tracks.read(data, top[b"moov"]), 0, patches)
        return info._replace(colours=tracks.read_colours(data, top[b"moov"]))
    if b"meta" not in top:
        raise _without_still(brands, moving=b"moov" in top)
    tables, others = children(data, top[b"meta"].start + _FULL, top[b"meta"].end, _META)
    others_bytes = sum(other.end - other.begin for other in others)
    if sum(other.boxes for other in others) > _MAX_OTHER_BOXES or others_bytes > _MAX_OTHER_BYTES:
        patches.hide(others)
    has_tracks = _hide_tracks(data, top, patches)
    items = read_items(data, tables)
    if items.primary not in items.by_id:
        raise UnusualStructure("it has no primary image")
    kind, _ = coded_items(items, items.primary)
    if kind == AV1:
        image = read_still(data, items)
        if (
            has_tracks
            or moving
            or brands[0] not in _PILLOW_BRANDS
            or not _AVIF_BRANDS.intersection(brands)
        ):
            patches.set_brands(b"avif", brands)
        metadata = _metadata(data, items, patches, _is_ordinary_exif)
        info = _avif(image, items.memory() + metadata, patches)
        return info._replace(colours=read_colours(data, items))
    if kind == HEVC:
        sequence = _HEIC_SEQUENCE_BRANDS.intersection(brands)
        if has_tracks or sequence or not _HEIC_BRANDS.intersection(brands):
            patches.set_brands(b"heic", brands)
        return _heic(data, items, patches)
    name = _KINDS.get(kind, f"the coding {kind.decode('latin-1')!r}")
    raise UnsupportedCoding(f"a HEIF file (HEIC, AVIF) of {name}")


def _hide_tracks(data: bytes, top: dict[bytes, Box], patches: _Patches) -> bool:
    """Whether there are tracks. Decoders would read their tables, which a still image does not
    need."""
    tracks = top.get(b"moov")
    if tracks is None:
        try:
            behind, _ = children(data, top[b"meta"].end, len(data), _TOP, last=b"moov")
        except UnusualStructure:  # not boxes: data of another kind may follow an image
            return False
        tracks = behind.get(b"moov")
    if tracks is not None:
        patches.put(tracks.begin + 4, _FREE)
    return tracks is not None


def _brands(data: bytes, box: Box) -> list[bytes]:
    """The major brand, and the first of the compatible ones."""
    compatible = range(box.start + 8, min(box.end - 3, box.start + 8 + 4 * _MAX_BRANDS), 4)
    return [data[at : at + 4] for at in (box.start, *compatible)]


def _without_still(brands: list[bytes], *, moving: bool) -> ValueError:
    if not _IMAGE_BRANDS.intersection(brands):
        return UnsupportedCoding("a video or another file in boxes (MP4, MOV)")
    if not libheif.is_available() and not _AVIF_BRANDS.intersection(brands):
        return UnsupportedCoding(_NOT_INSTALLED)
    if moving:
        return UnsupportedCoding("an image sequence without a still image (HEIF)")
    return UnusualStructure("it has no table of its images, or is cut off")


def _avif(image: Still, metadata: int, patches: _Patches) -> ImageInfo:
    memory = avif.memory(image) + metadata
    seconds = avif.seconds(image)
    return ImageInfo(image.size, memory, seconds, "a large AVIF", replace=patches.replace())


def _heic(data: bytes, items: Items, patches: _Patches) -> ImageInfo:
    if not libheif.is_available():
        raise UnsupportedCoding(_NOT_INSTALLED)
    heic.check(items)
    image = read_still(data, items)
    memory = heic.memory(image) + items.memory() + _metadata(data, items, patches)
    turn = items.property(items.primary, b"irot")
    return ImageInfo(
        image.size[::-1] if turn and data[turn.start] & 1 else image.size,
        memory,
        heic.seconds(image),
        "a large HEIC",
        replace=patches.replace(),
        decode=libheif.decode,
        colours=read_colours(data, items),
    )


def _metadata(
    data: bytes,
    items: Items,
    patches: _Patches,
    is_ordinary: Callable[[bytes], bool] = lambda _: True,
) -> int:
    """Bytes that EXIF and XMP take. Decoders get none of it if it is too long, compressed, or not
    `is_ordinary`."""
    found = [item for item in items.by_id.values() if item.kind in (_EXIF, _MIME)]
    length = sum(items.size(item.id) for item in found)
    if length <= MAX_METADATA_BYTES and not any(item.encoded for item in found):
        blocks = (items.content(data, item.id, length) for item in found if item.kind == _EXIF)
        if all(is_ordinary(block) for block in blocks):
            return _METADATA_COPIES * length
    for position in (*(item.kind_at for item in found), *items.descriptions):
        patches.put(position, _NO_KIND)
    return _HIDDEN_COPIES * max((items.size(item.id) for item in found), default=0)


def _is_ordinary_exif(block: bytes) -> bool:
    """Whether libavif and Pillow accept the data of an `Exif` item (ISO/IEC 23008-12, A.2.1), and
    soon."""
    start = 4 + int.from_bytes(block[:4], "big")
    headers = [block.find(header, 4) for header in _TIFF_HEADERS]
    found = [at for at in headers if at >= 0]
    return start in found and start == min(found) and exif.is_ordinary(block[start:])
