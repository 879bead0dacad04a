"""Writing AVIF and HEIC box by box (ISO/IEC 14496-12 and 23008-12)."""

import struct
from collections.abc import Sequence
from typing import NamedTuple


class Item(NamedTuple):
    """An item of a meta box."""

    id: int
    kind: bytes
    data: bytes = b""
    properties: Sequence[bytes] = ()
    """Whole boxes"""
    hidden: bool = False
    references: Sequence[tuple[bytes, Sequence[int]]] = ()
    """Kinds and the items that are referred to"""
    extra: bytes = b""
    """Bytes at the end of the `infe` box"""


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def full_box(kind: bytes, data: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags) + data)


def size_property(width: int, height: int) -> bytes:
    return full_box(b"ispe", struct.pack(">II", width, height))


def grid(rows: int, columns: int, width: int, height: int) -> bytes:
    """The data of a `grid` item, with sizes of 32 bits."""
    return struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)


def still(brands: Sequence[bytes], items: Sequence[Item], primary: int = 1) -> bytes:
    """A file of items whose data is in one `mdat` box; the first brand is the major one."""
    properties = list(dict.fromkeys(each for item in items for each in item.properties))
    head = box(b"ftyp", brands[0] + bytes(4) + b"".join(brands))
    # The offsets in `iloc` have a fixed length, so a first draft gives the length of everything.
    draft = _meta(items, properties, primary, [0] * len(items))
    offset = len(head) + len(draft) + 8
    offsets = []
    for item in items:
        offsets.append(offset)
        offset += len(item.data)
    meta = _meta(items, properties, primary, offsets)
    return head + meta + box(b"mdat", b"".join(item.data for item in items))


def _essential(item_property: bytes) -> int:
    """The flag of properties that change the picture."""
    return 0x8000 if item_property[4:8] in (b"irot", b"imir", b"clap") else 0


def _meta(
    items: Sequence[Item], properties: list[bytes], primary: int, offsets: list[int]
) -> bytes:
    handler = full_box(b"hdlr", bytes(4) + b"pict" + bytes(13))
    first = full_box(b"pitm", struct.pack(">H", primary))
    infos = full_box(
        b"iinf",
        struct.pack(">I", len(items))
        + b"".join(
            full_box(
                b"infe",
                struct.pack(">IH", item.id, 0) + item.kind + b"\0" + item.extra,
                version=3,
                flags=int(item.hidden),
            )
            for item in items
        ),
        version=1,
    )
    places = full_box(
        b"iloc",
        struct.pack(">BBI", 0x44, 0, len(items))
        + b"".join(
            struct.pack(">IHHHII", item.id, 0, 0, 1, offset, len(item.data))
            for item, offset in zip(items, offsets, strict=True)
        ),
        version=2,
    )
    references = b"".join(
        box(kind, struct.pack(f">IH{len(to)}I", item.id, len(to), *to))
        for item in items
        for kind, to in item.references
    )
    links = struct.pack(">I", len(items))
    for item in items:
        numbers = [_essential(each) | properties.index(each) + 1 for each in item.properties]
        links += struct.pack(f">IB{len(numbers)}H", item.id, len(numbers), *numbers)
    return full_box(
        b"meta",
        handler
        + first
        + infos
        + places
        + (full_box(b"iref", references, version=1) if references else b"")
        + box(
            b"iprp",
            box(b"ipco", b"".join(properties)) + full_box(b"ipma", links, version=1, flags=1),
        ),
    )


def link(kind: bytes, *to: int) -> tuple[bytes, Sequence[int]]:
    """A reference of an item."""
    return kind, to


def content(data: bytes, kind: bytes) -> bytes:
    """The last box of this kind, with its header."""
    at = data.rindex(kind) - 4
    return data[at : at + struct.unpack_from(">I", data, at)[0]]


def with_front(data: bytes, boxes: bytes) -> bytes:
    """A file of `still` with more boxes after the first."""
    (first,) = struct.unpack_from(">I", data)
    return data[:first] + boxes + _moved(data, len(boxes))[first:]


def with_in_meta(data: bytes, boxes: bytes) -> bytes:
    """A file of `still` with more boxes at the end of its `meta` box."""
    at = data.index(b"meta") - 4
    (size,) = struct.unpack_from(">I", data, at)
    moved = _moved(data, len(boxes))
    grown = struct.pack(">I", size + len(boxes))
    return moved[:at] + grown + moved[at + 4 : at + size] + boxes + moved[at + size :]


def _moved(data: bytes, distance: int) -> bytes:
    """The file with all offsets of items increased."""
    moved = bytearray(data)
    position = data.index(b"iloc") + 10
    (count,) = struct.unpack_from(">I", data, position)
    for entry in range(position + 14, position + 14 + 18 * count, 18):
        (offset,) = struct.unpack_from(">I", data, entry)
        struct.pack_into(">I", moved, entry, offset + distance)
    return bytes(moved)
