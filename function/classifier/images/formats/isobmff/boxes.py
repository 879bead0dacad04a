"""Boxes of the ISO base media file format (ISO/IEC 14496-12), and items (its section 8.11).

All positions are those in the file. Each walk is bounded by a number of steps.
"""

from collections.abc import Iterator
from struct import unpack_from
from typing import Final, NamedTuple

from classifier.images.formats import UnsupportedCoding, UnusualStructure
from classifier.images.formats.runs import end_of_run

MAX_BOXES: Final = 200_000
"""Boxes side by side, of 0.5 us each, without repetitions; a photo has about ten."""

MAX_ITEMS: Final = 4000
"""libavif searches them one by one: 65,000 take it 23 s. A photo of 48 megapixels has some 300,
most of them tiles."""

MAX_PROPERTIES: Final = 8000

MAX_LINKS: Final = 20_000
"""Extents, references and associations, each in all items"""

MAX_TABLES: Final = 16
"""Of associations; one has room for all."""

_ITEM_BYTES: Final = 1600
"""Measured with 4000 items"""

_PROPERTY_COPIES: Final = 5
"""Colour profiles are the largest of them."""

_REPEATED: Final = 64
"""Boxes between two searches for a repetition of equal boxes"""

_HEADER: Final = 8
_LARGE_HEADER: Final = 16
"""Bytes of a box before its content, with a size of 32 and of 64 bits"""
_FULL: Final = 4
"""Bytes of version and flags, with which the content of some boxes begins"""


class Box(NamedTuple):
    """A box, without what it holds."""

    kind: bytes
    begin: int
    start: int
    """Offset of the content"""
    end: int


class Item(NamedTuple):
    """An item of a `meta` box."""

    id: int
    kind: bytes
    kind_at: int
    """Offset of the kind in the file"""
    encoded: bool
    """Whether it is a `mime` item that is compressed"""


class Items:
    """The items of a `meta` box. An id that occurs twice is that of the first."""

    def __init__(self) -> None:
        self.primary = 0
        self.by_id: dict[int, Item] = {}
        self.extents: dict[int, list[tuple[int, int]]] = {}
        """Offset and length of each piece, per id"""
        self.all_properties: list[Box] = []
        self.property_bytes = 0
        self.idat_bytes = 0
        self.properties: dict[int, list[Box]] = {}
        self.references: dict[int, list[tuple[bytes, tuple[int, ...]]]] = {}
        """Kind of reference and the ids that it leads to, per id"""
        self.descriptions: list[int] = []
        """Offsets of the kinds of references from metadata to what it describes"""

    def memory(self) -> int:
        """Bytes that this and the decoder's tables take."""
        items = len({*self.by_id, *self.extents, *self.properties, *self.references})
        return _ITEM_BYTES * items + _PROPERTY_COPIES * self.property_bytes + self.idat_bytes

    def property(self, item: int, kind: bytes) -> Box | None:
        return next((box for box in self.properties.get(item, ()) if box.kind == kind), None)

    def referred(self, item: int, kind: bytes) -> tuple[int, ...]:
        """The ids that an item refers to."""
        return next((to for name, to in self.references.get(item, ()) if name == kind), ())

    def size(self, item: int) -> int:
        """Bytes of data."""
        return sum(length for _, length in self.extents.get(item, ()))

    def content(self, data: bytes, item: int, limit: int) -> bytes:
        """At most the first `limit` bytes of data."""
        content = b""
        for offset, length in self.extents.get(item, ()):
            content += data[offset : offset + min(length, limit - len(content))]
            if len(content) >= limit:
                break
        return content


class Others(NamedTuple):
    """Neighbours in a box of which no content is needed."""

    begin: int
    end: int
    boxes: int


def children(
    data: bytes, start: int, end: int, known: tuple[bytes, ...], *, last: bytes = b""
) -> tuple[dict[bytes, Box], list[Others]]:
    """The first box of each known kind, and all others, up to the first of kind `last`. Raises
    `UnusualStructure`."""
    found: dict[bytes, Box] = {}
    others: list[Others] = []
    for number in range(MAX_BOXES):
        box = _box(data, start, end)
        if box is None:
            return found, others
        following, boxes = box.end, 1
        if box.kind in known and box.kind not in found:
            found[box.kind] = box
        else:
            if number % _REPEATED == _REPEATED - 1:
                following = end_of_run(data, start, box.end - start, end)
                boxes = (following - start) // (box.end - start)
            if others and others[-1].end == start:
                boxes += others[-1].boxes
                others[-1] = Others(others[-1].begin, following, boxes)
            else:
                others.append(Others(start, following, boxes))
        start = following
        if box.kind == last:
            return found, others
    raise UnusualStructure(f"it has more than {MAX_BOXES} boxes")


def _box(data: bytes, start: int, end: int) -> Box | None:
    """The box at `start`; None at the end."""
    if start + _HEADER > end:
        return None
    size, kind = unpack_from(">I4s", data, start)
    header = _HEADER
    if size == 1:
        size = _number(data, start + _HEADER, 8)
        header = _LARGE_HEADER
    elif size == 0:
        size = end - start
    if size < header:
        raise UnusualStructure("it has a box of an impossible size")
    return Box(kind, start, start + header, min(start + size, end))


def walk(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes from `start` to `end`; the last one may be cut off. Raises `UnusualStructure`."""
    for _ in range(MAX_BOXES):
        box = _box(data, start, end)
        if box is None:
            return
        yield box
        start = box.end
    raise UnusualStructure(f"it has more than {MAX_BOXES} boxes")


def find(data: bytes, box: Box, *path: bytes, full: bool = False) -> Box | None:
    """The first box at `path` in a box. `full`: the content of `box` begins with version and
    flags."""
    found: Box | None = box
    start = box.start + (_FULL if full else 0)
    for kind in path:
        if found is None:
            return None
        inside = walk(data, start, found.end)
        found = next((child for child in inside if child.kind == kind), None)
        start = found.start if found else 0
    return found


def read_items(data: bytes, tables: dict[bytes, Box]) -> Items:
    """The items of a `meta` box with these boxes in it. Raises `UnusualStructure`,
    `UnsupportedCoding`."""
    items = Items()
    if b"pitm" in tables:
        at = tables[b"pitm"].start
        items.primary = _number(data, at + _FULL, 4 if data[at] else 2)
    if b"iinf" in tables:
        _read_infos(data, tables[b"iinf"], items)
    if b"idat" in tables:
        items.idat_bytes = tables[b"idat"].end - tables[b"idat"].start
    if b"iloc" in tables:
        _read_locations(data, tables[b"iloc"], tables.get(b"idat"), items)
    if b"iref" in tables:
        _read_references(data, tables[b"iref"], items)
    if b"iprp" in tables:
        _read_properties(data, tables[b"iprp"], items)
    ids = {*items.by_id, *items.extents, *items.properties, *items.references}
    if len(ids.union(*(to for each in items.references.values() for _, to in each))) > MAX_ITEMS:
        raise UnsupportedCoding(f"an image file with more than {MAX_ITEMS} items")
    return items


def _number(data: bytes, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], "big")


def _read_infos(data: bytes, box: Box, items: Items) -> None:
    """ISO/IEC 14496-12, 8.11.6"""
    first = box.start + _FULL + (4 if data[box.start] else 2)
    for number, info in enumerate(walk(data, first, box.end)):
        if number >= MAX_ITEMS:
            raise UnsupportedCoding(f"an image file with more than {MAX_ITEMS} items")
        version = data[info.start]
        if info.kind != b"infe" or version < 2:
            continue
        width = 2 if version == 2 else 4
        item = _number(data, info.start + _FULL, width)
        kind_at = info.start + _FULL + width + 2
        kind = data[kind_at : kind_at + 4]
        encoded = False
        if kind == b"mime":
            _, _, *encoding = data[kind_at + 4 : min(info.end, kind_at + 1024)].split(b"\0", 2)
            encoded = any(text.strip(b"\0") for text in encoding)
        items.by_id.setdefault(item, Item(item, kind, kind_at, encoded))


def _read_locations(data: bytes, box: Box, idat: Box | None, items: Items) -> None:
    """ISO/IEC 14496-12, 8.11.3"""
    version, sizes = data[box.start], unpack_from(">H", data, box.start + _FULL)[0]
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    wide = 4 if version == 2 else 2
    position = box.start + _FULL + 2
    count = _number(data, position, wide)
    position += wide
    left = MAX_LINKS
    for _ in range(count):
        if position >= box.end:
            break
        item = _number(data, position, wide)
        position += wide
        in_idat = bool(version) and data[position + 1] & 15 == 1
        position += 4 if version else 2
        base = _number(data, position, base_size) + (idat.start if in_idat and idat else 0)
        position += base_size
        extents = _number(data, position, 2)
        position += 2
        left -= extents + 1
        if left < 0:
            raise UnsupportedCoding(f"an image file with more than {MAX_LINKS} pieces")
        pieces = []
        for _ in range(extents):
            position += index_size
            offset = base + _number(data, position, offset_size)
            length = _number(data, position + offset_size, length_size)
            position += offset_size + length_size
            room = max(0, (idat.end if in_idat and idat else len(data)) - offset)
            pieces.append((offset, min(length or room, room)))
        items.extents.setdefault(item, pieces)


def _read_references(data: bytes, box: Box, items: Items) -> None:
    """ISO/IEC 14496-12, 8.11.12"""
    letter = "I" if data[box.start] else "H"
    size = 4 if data[box.start] else 2
    left = MAX_LINKS
    for reference in walk(data, box.start + _FULL, box.end):
        item, count = unpack_from(f">{letter}H", data, reference.start)
        left -= count + 1
        if left < 0:
            raise UnsupportedCoding(f"an image file with more than {MAX_LINKS} references")
        to = unpack_from(f">{count}{letter}", data, reference.start + size + 2)
        items.references.setdefault(item, []).append((reference.kind, to))
        if reference.kind == b"cdsc":
            items.descriptions.append(reference.begin + 4)


def _read_properties(data: bytes, box: Box, items: Items) -> None:
    """ISO/IEC 23008-12, 9.3"""
    properties = items.all_properties
    tables: list[Box] = []
    for child in walk(data, box.start, box.end):
        if child.kind == b"ipco" and not properties:
            items.property_bytes = child.end - child.start
            for each in walk(data, child.start, child.end):
                properties.append(each)
                if len(properties) > MAX_PROPERTIES:
                    raise UnsupportedCoding(
                        f"an image file with more than {MAX_PROPERTIES} properties"
                    )
        elif child.kind == b"ipma":
            tables.append(child)
    if len(tables) > MAX_TABLES:
        raise UnusualStructure(f"it has more than {MAX_TABLES} tables of properties")
    left = MAX_LINKS
    for table in tables:
        left = _read_associations(data, table, properties, items, left)


def _read_associations(
    data: bytes, box: Box, properties: list[Box], items: Items, left: int
) -> int:
    """Returns how many more associations may follow."""
    version, wide = data[box.start], data[box.start + 3] & 1
    position = box.start + _FULL
    count = _number(data, position, 4)
    position += 4
    id_size, index_size = (4 if version else 2), (2 if wide else 1)
    for _ in range(count):
        if position >= box.end:
            break
        item = _number(data, position, id_size)
        linked = data[position + id_size]
        position += id_size + 1
        left -= linked + 1
        if left < 0:
            raise UnsupportedCoding(f"an image file with more than {MAX_LINKS} properties")
        mask = 0x7FFF if wide else 0x7F
        indices = [
            _number(data, position + index_size * each, index_size) & mask for each in range(linked)
        ]
        position += linked * index_size
        found = [properties[each - 1] for each in indices if 0 < each <= len(properties)]
        items.properties.setdefault(item, []).extend(found)
    return left
