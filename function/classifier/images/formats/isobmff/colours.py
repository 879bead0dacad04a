"""The colours that an image states (`colr` boxes: ISO/IEC 14496-12, 12.1.5)."""

from collections.abc import Iterable
from struct import unpack_from

from classifier.images.formats import CodedColours
from classifier.images.formats.isobmff.boxes import Box, Items
from classifier.images.formats.isobmff.still import coded_items


def read_colours(data: bytes, items: Items) -> CodedColours | None:
    """The numbers of the primary item or, if it has none, of its first tile."""
    _, tiles = coded_items(items, items.primary)
    return find_colours(
        data, (box for item in (items.primary, tiles[0]) for box in items.properties.get(item, ()))
    )


def find_colours(data: bytes, boxes: Iterable[Box]) -> CodedColours | None:
    """The numbers of the first box that has some."""
    for box in boxes:
        if box.kind == b"colr" and data[box.start : box.start + 4] == b"nclx":
            return CodedColours(*unpack_from(">HH", data, box.start + 4))
    return None
