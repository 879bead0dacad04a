"""TIFF (TIFF 6.0, BigTIFF): the first picture of the file."""

from functools import partial
from struct import error as struct_error
from typing import Final

from classifier.images.formats import ImageInfo, UnusualStructure
from classifier.images.formats.directory import BYTE_STRINGS, Header, read_header
from classifier.images.formats.exif import find_orientation, make_exif
from classifier.images.formats.tiff.blocks import read_blocks
from classifier.images.formats.tiff.cost import (
    NO_JPEG,
    decode_bytes,
    decode_seconds,
    inspect_jpeg,
    metadata_bytes,
)
from classifier.images.formats.tiff.picture import JPEG, XMP, Picture, read_picture
from classifier.images.formats.tiff.rewrite import rewrite

_LITTLE_METADATA: Final = 1 << 18
"""Bytes that stay in the file, however small the picture is"""


def inspect(data: bytes, covering: int) -> ImageInfo:
    """Raises `UnusualStructure` and `UnsupportedCoding`."""
    try:
        header = read_header(data)
    except struct_error:
        raise UnusualStructure("it ends in its header") from None
    picture = read_picture(data, header)
    blocks = read_blocks(data, header, picture)
    is_jpeg = picture.kind.compression == JPEG
    jpeg = inspect_jpeg(data, picture, blocks) if is_jpeg else NO_JPEG
    metadata = metadata_bytes(picture)
    replace = None
    worth_leaving_out = max(_LITTLE_METADATA, blocks.end - blocks.begin)
    if not (picture.is_plain and blocks.is_plain) or metadata > worth_leaving_out:
        replace, metadata = partial(rewrite, data, header, picture, blocks), 0
    return ImageInfo(
        picture.size,
        decode_bytes(picture, blocks, len(data), jpeg) + metadata,
        decode_seconds(picture, blocks, len(data), jpeg),
        f"a TIFF of {picture.layout.blocks} {'tiles' if picture.layout.tiled else 'strips'}",
        make_exif(_orientation(data, header, picture)),
        replace,
    )


def _orientation(data: bytes, header: Header, picture: Picture) -> int:
    packet = picture.tags.get(XMP)
    xmp = memoryview(b"")
    if packet is not None and packet.type in BYTE_STRINGS:
        xmp = memoryview(data)[packet.position : packet.position + packet.length]
    return find_orientation(data, header, picture.tags.values(), xmp)
