"""Malformed and malicious AVIFs (ISO/IEC 14496-12 and 23008-12)."""

import struct

import numpy as np
from PIL import Image

from tests.hostile.corpus.boxes import Item, content, size_property
from tests.hostile.corpus.boxes import box as _box
from tests.hostile.corpus.files import Files
from tests.hostile.corpus.heic import item_boxes, without_metadata
from tests.support.pictures import encode, photo


def avif_item(image: Image.Image, number: int = 1) -> Item:
    """The picture as one item."""
    data = encode(without_metadata(image), "AVIF", speed=10)
    properties = [content(data, b"av1C"), size_property(*image.size), content(data, b"pixi")]
    return Item(number, b"av01", content(data, b"mdat")[8:], properties)


def avif_items() -> Files:
    """Boxes and items with false numbers."""
    items = {"small": avif_item(photo().resize((64, 64))), "large": avif_item(photo())}
    yield from item_boxes(items, (b"avif", b"mif1"))


def avifs() -> Files:
    """Large images, and images with much detail."""
    for width, height in ((1500, 1000), (2000, 1500), (3000, 2000), (4000, 3000), (8000, 7000)):
        for sampling in ("4:2:0", "4:4:4"):
            for mode in ("RGB", "RGBA"):
                if width > 4000 and sampling == "4:4:4":
                    continue
                plain = Image.new(mode, (width, height), "teal")
                data = encode(plain, "AVIF", speed=10, subsampling=sampling)
                yield f"{mode}-{width}-{sampling}", data
    grain = np.random.default_rng(3).integers(0, 256, (1400, 1800, 3), np.uint8)
    for sampling in ("4:2:0", "4:4:4"):
        noisy = encode(Image.fromarray(grain), "AVIF", speed=10, quality=90, subsampling=sampling)
        yield f"noise-{sampling}", noisy


def avif_boxes() -> Files:
    """Boxes with false sizes, and endless boxes."""
    cat = photo()
    small = encode(cat.resize((64, 64)), "AVIF", speed=10)
    at = small.index(b"ispe")
    for width, height in ((0, 0), (1, 1), (5000, 5000), (16_384, 16_384), (2**32 - 1, 2**32 - 1)):
        claims = small[: at + 8] + struct.pack(">II", width, height) + small[at + 16 :]
        yield f"claims-{width}", claims
    frames = [cat.resize((64, 64)).rotate(angle) for angle in range(5)]
    moving = encode(frames[0], "AVIF", save_all=True, append_images=frames[1:], speed=10)
    for table in (b"stsz", b"stco", b"stsc", b"stts"):
        place = moving.find(table)
        for count in (0, 100_000, 2_500_000, 2**32 - 1):
            if place > 0:
                for at in (8, 12, 16, 20):
                    damaged = bytearray(moving)
                    damaged[place + at : place + at + 4] = struct.pack(">I", count)
                    yield f"frames-{table.decode()}-{at}-{count}", bytes(damaged)
    head = _box(b"ftyp", b"avif\0\0\0\0avifmif1")
    nested = b""
    for _ in range(20_000):
        nested = _box(b"meta", bytes(4) + nested)[:200_000]
    yield "nested", head + nested
    yield "many-boxes", head + _box(b"free", b"") * 2_400_000
    items = _box(b"iinf", bytes(4) + struct.pack(">H", 65_535) + _box(b"infe", b"\2\0\0\0\0\1\0\0av01\0") * 65_535)  # noqa: E501  # fmt: skip
    yield "many-items", head + _box(b"meta", bytes(4) + items)
