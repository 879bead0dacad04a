"""The pixels of a still image in boxes: which items have them, and what decoding these takes."""

from struct import unpack_from
from typing import Final, NamedTuple

from classifier.images.formats import UnsupportedCoding, UnusualStructure
from classifier.images.formats.isobmff import av1, hevc
from classifier.images.formats.isobmff.boxes import Items
from classifier.images.formats.isobmff.coded import MAX_UNITS, Coded, largest

MAX_TILES: Final = 4096

_MAX_SHARING: Final = 8
"""Times that the bytes of a file may be used for pixels; tiles of one colour share theirs."""

_FULL: Final = 4
"""Bytes of version and flags"""

AV1, HEVC, GRID = b"av01", b"hvc1", b"grid"

_ALPHA: Final = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
)
"""Auxiliary images that hold the transparency"""


class Layer(NamedTuple):
    """The colours or the transparency."""

    coded: Coded
    """The greatest of each number of all items"""
    pixels: int
    """Of all frames of all items"""
    item_bytes: int = 0
    """Of the longest item"""
    split_bytes: int = 0
    """Of all items that are in several pieces"""
    tiled: bool = False


class Still(NamedTuple):
    """An image, as its items describe it."""

    size: tuple[int, int]
    """Width and height in pixels"""
    canvas: int
    """Pixels for which a decoder allocates the result"""
    colours: Layer
    alpha: Layer | None

    def layers(self) -> tuple[Layer, ...]:
        return (self.colours, self.alpha) if self.alpha else (self.colours,)

    def decoded_pixels(self) -> int:
        return sum(layer.pixels for layer in self.layers())


def read_still(data: bytes, items: Items) -> Still:
    """Raises `UnusualStructure`, `UnsupportedCoding`."""
    size = _size(data, items, items.primary)
    _, tiles = coded_items(items, items.primary)
    colours = _layer(data, items, tiles)
    transparent = _alpha_items(data, items, tiles)
    alpha = _layer(data, items, transparent) if transparent else None
    return Still(size, _canvas(data, items, size), colours, alpha)


def coded_items(items: Items, item: int) -> tuple[bytes, tuple[int, ...]]:
    """How the pixels of an image are coded, and the items that have them: itself, or its tiles."""
    kind = items.by_id[item].kind
    if kind != GRID:
        return kind, (item,)
    tiles = items.referred(item, b"dimg")
    kinds = {items.by_id[tile].kind if tile in items.by_id else b"" for tile in tiles}
    if not tiles or b"" in kinds:
        raise UnusualStructure("its tiles are missing")
    if len(tiles) > MAX_TILES:
        raise UnsupportedCoding(f"a HEIF file (HEIC, AVIF) with more than {MAX_TILES} tiles")
    if len(kinds) > 1 or GRID in kinds:
        raise UnsupportedCoding("a HEIF file (HEIC, AVIF) with tiles of several kinds")
    return kinds.pop(), tiles


def _size(data: bytes, items: Items, item: int) -> tuple[int, int]:
    """Width and height in pixels."""
    box = items.property(item, b"ispe")
    if box is None:
        raise UnusualStructure("it does not say its size")
    width, height = unpack_from(">II", data, box.start + _FULL)
    if not width or not height:
        raise UnusualStructure("it has no pixels")
    return width, height


def _canvas(data: bytes, items: Items, size: tuple[int, int]) -> int:
    """Pixels of the primary item; those that a grid itself claims (ISO/IEC 23008-12, 6.6.2.3) if
    they are more."""
    if items.by_id[items.primary].kind != GRID:
        return size[0] * size[1]
    grid = items.content(data, items.primary, 12)
    width, height = unpack_from(">II" if grid[1] & 1 else ">HH", grid, 4)
    return int(max(width * height, size[0] * size[1]))


def _alpha_items(data: bytes, items: Items, tiles: tuple[int, ...]) -> tuple[int, ...]:
    """The items that hold the transparency of the primary item, or of its tiles."""
    wanted = {items.primary, *tiles}
    found: list[int] = []
    for item in items.references:
        auxiliary = items.property(item, b"auxC")
        if auxiliary is None or item not in items.by_id:
            continue
        name = data[auxiliary.start + _FULL : auxiliary.end].split(b"\0", 1)[0]
        if name in _ALPHA and wanted.intersection(items.referred(item, b"auxl")):
            found += coded_items(items, item)[1]
    return tuple(found)


def _layer(data: bytes, items: Items, ids: tuple[int, ...]) -> Layer:
    if sum(map(items.size, ids)) > _MAX_SHARING * len(data):
        raise UnusualStructure("the pieces of its images are more than the file")
    coded: dict[int, Coded] = {}
    units = MAX_UNITS
    for item in dict.fromkeys(ids):
        coded[item], used = _coded(data, items, item)
        units -= used
        if units < 0:
            raise UnusualStructure(f"it has more than {MAX_UNITS} units of pixels")
    pixels = sum(coded[item].pixels() * coded[item].frames for item in ids)
    split = sum(items.size(item) for item in ids if len(items.extents.get(item, ())) > 1)
    tiled = items.by_id[items.primary].kind == GRID
    return Layer(largest(*coded.values()), pixels, max(map(items.size, ids)), split, tiled)


def _coded(data: bytes, items: Items, item: int) -> tuple[Coded, int]:
    """What the item says, its configuration, and the headers in its pixels: the greatest of each
    number. Also the number of units in its pixels."""
    extents = items.extents.get(item, [])
    if len(extents) == 1:
        source, start, end = data, extents[0][0], sum(extents[0])
    else:
        source = items.content(data, item, len(data))
        start, end = 0, len(source)
    size = _size(data, items, item)
    is_av1 = items.by_id[item].kind == AV1
    box = items.property(item, b"av1C" if is_av1 else b"hvcC")
    if box is None:
        raise UnusualStructure("it does not say how its pixels are coded")
    if is_av1:
        pictures = [av1.read_configuration(data, box.start)]
        found, frames, units = av1.read(source, start, end)
    else:
        pictures, length_size = hevc.read_configuration(data, box.start, box.end)
        found, frames, units = hevc.read(source, start, end, length_size)
    pictures += found
    if found and (size[0] > largest(*found).width or size[1] > largest(*found).height):
        raise UnusualStructure("it has fewer pixels than it says")
    if not pictures:
        raise UnusualStructure("it does not say how its pixels are coded")
    return largest(*pictures, Coded(*size, 1, deep=False, frames=max(1, frames))), units
