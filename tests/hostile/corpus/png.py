"""Malformed and malicious PNGs (PNG specification)."""

import struct
import zlib
from collections.abc import Callable

from tests.hostile.corpus.files import MAX_FILE, Files, deflated_zeros

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""Colour types"""


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    size: tuple[int, int], pixels: bytes, *, depth: int = 8, colour: int = RGB, interlace: int = 0,
    before: bytes = b"", after: bytes = b"",
) -> bytes:  # fmt: skip
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), before, pixels, after, chunk(b"IEND")]
    )


def png_bombs() -> Files:
    palette = chunk(b"PLTE", bytes(range(256)) * 3)
    for side in (1500, 3600, 3700, 4000, 7000, 7990):
        for name, depth, colour, bits in (
            ("grey", 8, GREY, 8), ("bits", 1, GREY, 1), ("deep", 16, GREY, 16), ("rgb", 8, RGB, 24),
            ("rgb16", 16, RGB, 48), ("palette", 8, PALETTE, 8), ("grey-alpha", 8, GREY_ALPHA, 16),
            ("rgba", 8, RGBA, 32), ("rgba16", 16, RGBA, 64),
        ):  # fmt: skip
            for interlace in (0, 1):
                pixels = chunk(b"IDAT", deflated_zeros(side * (side * bits // 8 + 2)))
                data = png((side, side), pixels, depth=depth, colour=colour, interlace=interlace,
                            before=palette if colour == PALETTE else b"")  # fmt: skip
                yield f"{name}-{side}-{interlace}", data
    clear = palette + chunk(b"tRNS", bytes(range(256)))
    for side in (3600, 7000):
        pixels = chunk(b"IDAT", deflated_zeros(side * (side + 1)))
        yield f"clear-palette-{side}", png((side, side), pixels, colour=PALETTE, before=clear)
        grey = chunk(b"tRNS", b"\0\0")
        yield f"clear-grey-{side}", png((side, side), pixels, colour=GREY, before=grey)
    pixels = chunk(b"IDAT", deflated_zeros(3600 * 10801))
    yield "clear-rgb", png((3600, 3600), pixels, before=chunk(b"tRNS", bytes(6)))
    for width, height in ((0, 0), (0, 9), (9, 0), (2**31 - 1, 1), (1, 2**31 - 1), (2**32 - 1,) * 2,
                          (60_000, 1000), (64_000_000, 1), (1, 64_000_000), (65_535, 200),
                          (200, 65_535), (65_536, 65_536)):  # fmt: skip
        for length in (0, 1000):
            pixels = chunk(b"IDAT", deflated_zeros(length))
            yield f"{width}x{height}-{length}", png((width, height), pixels)
    tiny = deflated_zeros(301 * 100)
    yield "too-many-pixels", png((100, 100), chunk(b"IDAT", deflated_zeros(1 << 30)))
    yield "many-idat", png((100, 100), b"".join(chunk(b"IDAT", tiny[i:i+1]) for i in range(len(tiny))))  # noqa: E501  # fmt: skip
    yield "empty-idat", png((100, 100), chunk(b"IDAT") * 1_500_000)
    yield "no-idat", png((100, 100), b"")
    yield "odd-depth", png((100, 100), chunk(b"IDAT", tiny), depth=7, colour=5)


def _png_beside(place: str, extra: bytes, side: int, pixels: bytes) -> bytes:
    """A PNG with `extra` "before" or "after" its pixels."""
    before, after = (extra, b"") if place == "before" else (b"", extra)
    return png((side, side), pixels, before=before, after=after)


def png_chunks() -> Files:
    """Compressed texts and profiles that are large when unpacked, and endless chunks."""
    pixels = chunk(b"IDAT", deflated_zeros(301 * 100))
    bomb, near = deflated_zeros(200 << 20), deflated_zeros((1 << 20) - 64)
    texts: dict[str, Callable[[bytes], bytes]] = {
        "zTXt": lambda packed: chunk(b"zTXt", b"a\0\0" + packed),
        "iTXt": lambda packed: chunk(b"iTXt", b"a\0\1\0\0\0" + packed),
        "iCCP": lambda packed: chunk(b"iCCP", b"a\0\0" + packed),
    }
    for name, make in texts.items():
        for place in ("before", "after"):
            for kind, packed in (("bomb", bomb), ("near", near)):
                for count in (1, 30, 3000):
                    if kind == "bomb" and count > 30:
                        continue
                    data = _png_beside(place, make(packed) * count, 100, pixels)
                    yield f"{name}-{kind}-{place}-{count}", data
    for name, extra in {
        "empty": chunk(b"abCd"), "text": chunk(b"tEXt", b"a\0b"), "time": chunk(b"tIME"),
        "gama": chunk(b"gAMA", bytes(4)), "phys": chunk(b"pHYs", bytes(9)),
        "profile": chunk(b"iCCP", b"a\0\0" + deflated_zeros(9)),
        "header": chunk(b"IHDR", bytes(13)),
        "fctl": chunk(b"fcTL", bytes(26)), "plte": chunk(b"PLTE", bytes(768)),
        "exif": chunk(b"eXIf", b"II*\0\x08\0\0\0"),
    }.items():  # fmt: skip
        for place in ("before", "after"):
            for count in (1000, MAX_FILE // len(extra)):
                yield f"{name}-{place}-{count}", _png_beside(place, extra * count, 100, pixels)
    large = chunk(b"IDAT", deflated_zeros(3500 * 10501))
    for name in ("tEXt", "abCd", "eXIf", "iTXt", "prVt"):
        extra = chunk(name.encode(), b"a\0" + b"\0\0\0\0" + b"x" * 15_000_000)
        for place in ("before", "after"):
            yield f"long-{name}-{place}", _png_beside(place, extra, 3500, large)
    tiny, odd = chunk(b"prVt"), chunk(b"prVt", b"a")
    mixed = {
        "two-kinds": (tiny + odd) * (MAX_FILE // 25),
        "two-kinds-allowed": (tiny + odd) * 250_000,
        "numbered": b"".join(chunk(b"tEXt", b"%07d\0a" % number) for number in range(900_000)),
        "reserved": b"".join(chunk(b"tEXt", key + b"\0no") for key in (
            b"transparency", b"interlace", b"bbox", b"exif", b"xmp", b"icc_profile")),
        "broken": chunk(b"tEXt", b"a\0b")[:-1] + b"~" + chunk(b"cHRM") + chunk(b"iCCP"),
        "frames": chunk(b"acTL", bytes(8)) + chunk(b"fcTL", bytes(26)) * 100_000,
        "frame-pixels": chunk(b"fdAT", bytes(4) + deflated_zeros(9)) * 300_000,
        "profiles": chunk(b"iCCP", b"a\0\0" + deflated_zeros((2 << 20) - 9)) * 5000,
    }  # fmt: skip
    for name, extra in mixed.items():
        for place in ("before", "after"):
            yield f"{name}-{place}", _png_beside(place, extra, 100, pixels)
    packed = deflated_zeros(301 * 100)
    pieces = [chunk(b"IDAT", packed[at : at + 1 + at % 2]) for at in range(len(packed))]
    yield "pixels-uneven", png((100, 100), b"".join(pieces))
    yield "pixels-very-uneven", png((100, 100), (chunk(b"IDAT") + chunk(b"IDAT", b"x")) * 800_000)
    yield "pixels-in-bytes", png((100, 100), chunk(b"IDAT", b"x") * (MAX_FILE // 13))
    yield "length-2g", png((100, 100), pixels, before=struct.pack(">I", 2**31 - 1) + b"abCd")
    yield "bad-crc", png((100, 100), pixels[:-1] + b"!")
