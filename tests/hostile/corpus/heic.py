"""HEICs, ordinary ones as phones write them, and malformed and malicious ones."""

import math
import struct
from collections.abc import Sequence

from PIL import Image

from tests.hostile.corpus.boxes import (
    Item,
    box,
    content,
    full_box,
    grid,
    link,
    size_property,
    still,
    with_front,
    with_in_meta,
)
from tests.hostile.corpus.files import Files
from tests.support.pictures import encode, photo

HEIC = (b"heic", b"mif1")


def without_metadata(image: Image.Image) -> Image.Image:
    """The pixels alone: encoders put metadata among the data of items."""
    pixels = image.copy()
    pixels.info = {}
    return pixels


def heic_item(image: Image.Image, number: int = 1) -> Item:
    """The picture as one item."""
    data = encode(without_metadata(image), "HEIF", quality=90)
    # Odd sizes have a `clap` property: what is coded is larger.
    kinds = [b"hvcC", b"ispe", b"clap"]
    properties = [content(data, kind) for kind in kinds if kind in data]
    return Item(number, b"hvc1", content(data, b"mdat")[8:], properties)


def heic_tiles(image: Image.Image, side: int, properties: Sequence[bytes] = ()) -> bytes:
    """A file of square tiles, as iPhones write it."""
    columns, rows = math.ceil(image.width / side), math.ceil(image.height / side)
    places = [(x * side, y * side) for y in range(rows) for x in range(columns)]
    tiles = [
        heic_item(image.crop((x, y, x + side, y + side)), number)
        for number, (x, y) in enumerate(places, start=1)
    ]
    whole = Item(
        len(tiles) + 1,
        b"grid",
        grid(rows, columns, *image.size),
        [size_property(*image.size), *properties],
        references=[link(b"dimg", *range(1, len(tiles) + 1))],
    )
    hidden = [tile._replace(hidden=True) for tile in tiles]
    return still(HEIC, [*hidden, whole], primary=len(tiles) + 1)


def heics() -> Files:
    """Large images, and images of many tiles."""
    for side in (1200, 2000, 4000):
        for mode in ("RGB", "RGBA", "L"):
            plain = Image.new(mode, (side, side * 3 // 4), "teal" if mode != "L" else 99)
            yield f"{mode}-{side}", encode(plain, "HEIF", quality=10)
    yield "tiles", heic_tiles(photo(), 64)
    yield "tiles-turned", heic_tiles(photo(), 64, [box(b"irot", b"\1")])


def item_boxes(items: dict[str, Item], brands: Sequence[bytes]) -> Files:
    """False numbers in the tables of any coding; `items` are a small and a larger picture."""
    small, large = items["small"], items["large"]
    configuration = small.properties[0]
    for width, height in ((0, 0), (1, 1), (5000, 5000), (16_384, 16_384), (2**32 - 1, 1)):
        claimed = small._replace(properties=[configuration, size_property(width, height)])
        yield f"claims-{width}", still(brands, [claimed])
    yield "claims-less", still(brands, [large._replace(properties=[large.properties[0], size_property(64, 64)])])  # noqa: E501  # fmt: skip
    yield "other-pixels", still(brands, [small._replace(data=large.data)])
    yield "second-pixels", still(brands, [small._replace(data=small.data + large.data)])
    yield "repeated", still(brands, [large._replace(data=large.data * 20)])
    for rows, columns, width, height in (
        (2, 2, 128, 128),
        (64, 64, 4096, 4096),
        (255, 256, 16_384, 16_320),
        (1, 1, 65_535, 65_535),
        (100, 100, 64, 64),
    ):
        for ispe in ((width, height), (64, 64)):
            whole = Item(
                2,
                b"grid",
                grid(rows, columns, width, height),
                [size_property(*ispe)],
                references=[link(b"dimg", *[1] * (rows * columns))],
            )
            name = f"grid-{rows}-{columns}-{width}-{ispe[0]}"
            yield name, still(brands, [small._replace(hidden=True), whole], primary=2)
    for kind in (b"grid", b"iden", b"iovl", b"tmap"):
        loop = [Item(n, kind, bytes(40), [size_property(64, 64)], references=[link(b"dimg", 3 - n, 3 - n)]) for n in (1, 2)]  # noqa: E501  # fmt: skip
        yield f"loop-{kind.decode()}", still(brands, loop)
    auxiliary = full_box(b"auxC", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
    alpha = large._replace(id=2, properties=[*large.properties, auxiliary], references=[link(b"auxl", 1)])  # noqa: E501  # fmt: skip
    yield "large-alpha", still(brands, [small, alpha])
    yield "alpha-of-itself", still(brands, [alpha._replace(id=1)])
    for count in (900, 3900, 60_000):
        yield f"items-{count}", still(brands, [small, *(Item(n, b"abcd") for n in range(2, count))])
    properties = [box(b"abcd", struct.pack(">I", n)) for n in range(9000)]
    for count in (90, 9000):
        several = [small._replace(properties=[*small.properties, *properties[:200]])]
        several += [Item(n + 2, b"abcd", properties=properties[n * 200 : n * 200 + 200]) for n in range(count // 200)]  # noqa: E501  # fmt: skip
        yield f"properties-{count}", still(brands, several)
    plain = still(brands, [small])
    for length in (1, 4, 40):
        claims = Item(2, b"Exif", bytes(4) + b"II*\0" + bytes(length << 20), references=[link(b"cdsc", 1)])  # noqa: E501  # fmt: skip
        if length < 19:
            yield f"exif-{length}", still(brands, [small, claims])
    at = plain.index(b"iloc")
    for number in (0, 2**31, 2**32 - 1):
        for place in (24, 28):
            damaged = bytearray(plain)
            damaged[at + place : at + place + 4] = struct.pack(">I", number)
            yield f"iloc-{place}-{number}", bytes(damaged)
    for number in range(64):
        damaged = bytearray(plain)
        damaged[at + 8] = number * 4
        yield f"iloc-sizes-{number}", bytes(damaged)
    various = b"".join(box(b"abcd", struct.pack(">I", n)) for n in range(150_000))
    for name, odd in (
        ("equal", box(b"free", b"") * 2_000_000),
        ("various", various),
        ("empty", box(b"mdat", b"")[:4] + b"\0\0\0\0"),
        ("tracks", box(b"moov", box(b"trak", b"") * 200_000)),
    ):
        yield f"front-{name}", with_front(plain, odd)
        yield f"meta-{name}", with_in_meta(plain, odd)
        yield f"behind-{name}", plain + odd


def heic_boxes() -> Files:
    """Boxes and items with false numbers."""
    items = {"small": heic_item(photo().resize((64, 64))), "large": heic_item(photo())}
    yield from item_boxes(items, HEIC)
