"""The colours that a still image states (`colr` boxes: ISO/IEC 14496-12, 12.1.5)."""

from struct import unpack_from

from classifier.images.formats import CodedColours
from classifier.images.formats.isobmff.boxes import Items
from classifier.images.formats.isobmff.still import coded_items


def read_colours(data: bytes, items: Items) -> CodedColours | None:
    """The numbers of the primary item or, if it has none, of its first tile."""
    _, tiles = coded_items(items, items.primary)
    for item in (items.primary, tiles[0]):
        for box in items.properties.get(item, ()):
            if box.kind == b"colr" and data[box.start : box.start + 4] == b"nclx":
                return CodedColours(*unpack_from(">HH", data, box.start + 4))
    return None
