"""Malformed and malicious image files, made anew by each run, from the formats' specifications.
Each of `MAKERS` yields the names and bytes of one kind."""

import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.support.pictures import encode, photo

Files = Iterator[tuple[str, bytes]]

KINDS: Final[dict[str, dict[str, Any]]] = {
    "JPEG": {},
    "PNG": {},
    "GIF": {},
    "BMP": {},
    "WEBP": {},
    "TIFF": {},
    "AVIF": {"speed": 10},
}

MAX_FILE: Final = 20 * 1024 * 1024 - 1024


@cache
def ordinary() -> dict[str, bytes]:
    """A small valid file of each format and coding that is worth damaging."""
    cat = photo()
    clear = cat.copy()
    clear.putalpha(180)
    files = {kind.lower(): encode(cat, kind, **options) for kind, options in KINDS.items()}
    files |= {
        "jpeg-progressive": encode(cat, "JPEG", progressive=True),
        "jpeg-exif": encode(cat, "JPEG", exif=_exif(), icc_profile=bytes(70_000)),
        "png-palette": encode(cat.quantize(32), "PNG"),
        "png-rgba": encode(clear.resize((150, 100)), "PNG"),
        "webp-lossless": encode(clear.resize((200, 150)), "WEBP", lossless=True),
        "webp-exif": encode(clear, "WEBP", exif=_exif()),
        "avif-alpha": encode(clear, "AVIF", speed=10),
        "bmp-palette": encode(cat.quantize(32), "BMP"),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        files[f"tiff-{compression}"] = encode(cat, "TIFF", compression=compression)
    files["tiff-group4"] = encode(cat.convert("1"), "TIFF", compression="group4")
    return files


def truncated() -> Files:
    """At every kilobyte, and in the middle of headers."""
    for name, data in ordinary().items():
        for length in [*range(0, 200, 23), *range(1024, min(len(data), 64 * 1024), 1024)]:
            yield f"{name}-{length}", data[:length]


def flipped() -> Files:
    """Bits turned over at random, most of them where the headers are."""
    chance = random.Random(7)
    for name, data in ordinary().items():
        for number in range(40):
            damaged = bytearray(data)
            reach = len(damaged) if number % 2 else min(len(damaged), 400)
            for _ in range(1 + number % 5):
                damaged[chance.randrange(reach)] ^= 1 << chance.randrange(8)
            yield f"{name}-{number}", bytes(damaged)
        for number in range(5):
            start = chance.randrange(len(data))
            yield f"{name}-lost-{number}", data[:start] + data[start + 77 :]


def wrong_headers() -> Files:
    """Each format under every other's first bytes."""
    files = ordinary()
    for name, data in files.items():
        for other, prefix in files.items():
            if name != other:
                yield f"{name}-as-{other}", prefix[:32] + data[32:]


def not_images() -> Files:
    html = b"<html><script>alert(1)</script></html>"
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(/tmp/x) (w) file\nshowpage\n"
    pdf = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    gif = encode(photo().resize((20, 20)), "GIF")
    jpeg = encode(photo(), "JPEG")
    yield "empty", b""
    yield "zeros", bytes(1 << 20)
    yield "ones", b"\xff" * (1 << 20)
    yield "newlines", b"\n" * 100_000
    for name, text in {"html": html, "svg": svg, "eps": eps, "pdf": pdf}.items():
        yield name, text
        yield f"{name}-then-jpeg", text + jpeg
        yield f"jpeg-then-{name}", jpeg + text
        yield f"gif-{name}", b"GIF89a/*" + text
        yield f"gif-then-{name}", gif + text
        yield f"jpeg-comment-{name}", jpeg[:2] + _segment(0xFE, text) + jpeg[2:]
    yield "dos-eps", b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 32, len(eps), 0, 0, 0, 0) + eps
    yield "zip", b"PK\x03\x04" + bytes(100)
    yield "gzip", zlib.compress(bytes(10_000_000), 9)
    for magic in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
                  b"MM*\0", b"II+\0", b"RIFF\xff\xff\xff\xffWEBPVP8X", b"\0\0\0\x20ftypavif",
                  b"\0\0\0\x20ftypmif1", b"\0\0\0\x20ftypheic"):  # fmt: skip
        for filler in (0, 0x21, 0x41, 0xFF):
            yield f"{magic[:12]!r}-{filler}", magic + bytes([filler]) * 3_000_000
    for kind in ("PPM", "ICO", "TGA", "PCX", "JPEG2000", "SGI", "ICNS", "DDS"):
        yield kind, encode(photo().resize((64, 64)).convert("RGB"), kind)
    yield "xpm", b'/* XPM */ static char *a[] = {"99999 99999 2 1"};'
    yield "xbm", b"#define a_width 99999\n#define a_height 99999\nstatic char a_bits[] = {0x00};"
    yield "psd", b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3)


# PNG


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(
    size: tuple[int, int], pixels: bytes, *, depth: int = 8, colour: int = 2, interlace: int = 0,
    before: bytes = b"", after: bytes = b"",
) -> bytes:  # fmt: skip
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header), before, pixels, after, _chunk(b"IEND")]
    )


_ZEROS: Final = bytes(8 << 20)

_packers: Final = [(b"", zlib.compressobj(9))]
"""For each number of `_ZEROS`: what deflating one more added to the output, and the state after."""


def _packed(length: int) -> bytes:
    """`length` zeros, deflated. A beginning that several lengths share is deflated once."""
    whole, rest = divmod(length, len(_ZEROS))
    while len(_packers) <= whole:
        packer = _packers[-1][1].copy()
        _packers.append((packer.compress(_ZEROS), packer))
    packer = _packers[whole][1].copy()
    parts = [part for part, _ in _packers[: whole + 1]]
    return b"".join([*parts, packer.compress(bytes(rest)), packer.flush()])


def png_bombs() -> Files:
    palette = _chunk(b"PLTE", bytes(range(256)) * 3)
    for side in (1500, 3600, 3700, 4000, 7000, 7990):
        for name, depth, colour, bits in (
            ("grey", 8, 0, 8), ("bits", 1, 0, 1), ("deep", 16, 0, 16), ("rgb", 8, 2, 24),
            ("rgb16", 16, 2, 48), ("palette", 8, 3, 8), ("grey-alpha", 8, 4, 16),
            ("rgba", 8, 6, 32), ("rgba16", 16, 6, 64),
        ):  # fmt: skip
            for interlace in (0, 1):
                pixels = _chunk(b"IDAT", _packed(side * (side * bits // 8 + 2)))
                data = _png((side, side), pixels, depth=depth, colour=colour, interlace=interlace,
                            before=palette if colour == 3 else b"")  # fmt: skip
                yield f"{name}-{side}-{interlace}", data
    clear = palette + _chunk(b"tRNS", bytes(range(256)))
    for side in (3600, 7000):
        pixels = _chunk(b"IDAT", _packed(side * (side + 1)))
        yield f"clear-palette-{side}", _png((side, side), pixels, colour=3, before=clear)
        grey = _chunk(b"tRNS", b"\0\0")
        yield f"clear-grey-{side}", _png((side, side), pixels, colour=0, before=grey)
    pixels = _chunk(b"IDAT", _packed(3600 * 10801))
    yield "clear-rgb", _png((3600, 3600), pixels, before=_chunk(b"tRNS", bytes(6)))
    for width, height in ((0, 0), (0, 9), (9, 0), (2**31 - 1, 1), (1, 2**31 - 1), (2**32 - 1,) * 2,
                          (60_000, 1000), (64_000_000, 1), (1, 64_000_000), (65_535, 200),
                          (200, 65_535), (65_536, 65_536)):  # fmt: skip
        for length in (0, 1000):
            pixels = _chunk(b"IDAT", _packed(length))
            yield f"{width}x{height}-{length}", _png((width, height), pixels)
    tiny = _packed(301 * 100)
    yield "too-many-pixels", _png((100, 100), _chunk(b"IDAT", _packed(1 << 30)))
    yield "many-idat", _png((100, 100), b"".join(_chunk(b"IDAT", tiny[i:i+1]) for i in range(len(tiny))))  # noqa: E501  # fmt: skip
    yield "empty-idat", _png((100, 100), _chunk(b"IDAT") * 1_500_000)
    yield "no-idat", _png((100, 100), b"")
    yield "odd-depth", _png((100, 100), _chunk(b"IDAT", tiny), depth=7, colour=5)


def _png_beside(place: str, extra: bytes, side: int, pixels: bytes) -> bytes:
    """A PNG with `extra` "before" or "after" its pixels."""
    before, after = (extra, b"") if place == "before" else (b"", extra)
    return _png((side, side), pixels, before=before, after=after)


def png_chunks() -> Files:
    """Texts and profiles that unpack to much, and chunks without end."""
    pixels = _chunk(b"IDAT", _packed(301 * 100))
    bomb, near = _packed(200 << 20), _packed((1 << 20) - 64)
    texts: dict[str, Callable[[bytes], bytes]] = {
        "zTXt": lambda packed: _chunk(b"zTXt", b"a\0\0" + packed),
        "iTXt": lambda packed: _chunk(b"iTXt", b"a\0\1\0\0\0" + packed),
        "iCCP": lambda packed: _chunk(b"iCCP", b"a\0\0" + packed),
    }
    for name, make in texts.items():
        for place in ("before", "after"):
            for kind, packed in (("bomb", bomb), ("near", near)):
                for count in (1, 30, 3000):
                    if kind == "bomb" and count > 30:
                        continue
                    data = _png_beside(place, make(packed) * count, 100, pixels)
                    yield f"{name}-{kind}-{place}-{count}", data
    for name, chunk in {
        "empty": _chunk(b"abCd"), "text": _chunk(b"tEXt", b"a\0b"), "time": _chunk(b"tIME"),
        "gama": _chunk(b"gAMA", bytes(4)), "phys": _chunk(b"pHYs", bytes(9)),
        "profile": _chunk(b"iCCP", b"a\0\0" + _packed(9)), "header": _chunk(b"IHDR", bytes(13)),
        "fctl": _chunk(b"fcTL", bytes(26)), "plte": _chunk(b"PLTE", bytes(768)),
        "exif": _chunk(b"eXIf", b"II*\0\x08\0\0\0"),
    }.items():  # fmt: skip
        for place in ("before", "after"):
            for count in (1000, MAX_FILE // len(chunk)):
                yield f"{name}-{place}-{count}", _png_beside(place, chunk * count, 100, pixels)
    large = _chunk(b"IDAT", _packed(3500 * 10501))
    for name in ("tEXt", "abCd", "eXIf", "iTXt", "prVt"):
        chunk = _chunk(name.encode(), b"a\0" + b"\0\0\0\0" + b"x" * 15_000_000)
        for place in ("before", "after"):
            yield f"long-{name}-{place}", _png_beside(place, chunk, 3500, large)
    yield "length-2g", _png((100, 100), pixels, before=struct.pack(">I", 2**31 - 1) + b"abCd")
    yield "bad-crc", _png((100, 100), pixels[:-1] + b"!")


# JPEG


def _segment(marker: int, data: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _scans(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The start of a JPEG, each of its scans with the tables before it, and its end."""
    position, begin, cuts = 2, 0, []
    while data[position + 1] != 0xD9:
        marker = data[position + 1]
        if not begin and marker == 0xC2:
            begin = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
        if marker == 0xDA:
            while data[position] != 0xFF or data[position + 1] in (0, *range(0xD0, 0xD8)):
                position += 1
            cuts.append(position)
    edges = [begin, *cuts]
    return data[:begin], [data[a:b] for a, b in zip(edges, cuts, strict=False)], data[position:]


def _claiming(side: int, data: bytes) -> bytes:
    """The JPEG with `side` written into its frame header as width and height."""
    size = re.search(rb"\xff[\xc0\xc2]", data)
    assert size
    return data[: size.start() + 5] + struct.pack(">HH", side, side) + data[size.start() + 9 :]


def progressive_jpegs() -> Files:
    """Large ones, and scans without end."""
    cat = photo()
    for width, height in ((1500, 1000), (3000, 2000), (4000, 3000), (4800, 3600), (8000, 6000)):
        large = cat.resize((width, height))
        for sampling in (0, 2):
            data = encode(large, "JPEG", progressive=True, subsampling=sampling, quality=50)
            start, scans, end = _scans(data)
            last = scans[-1]
            yield f"progressive-{width}-{sampling}", data
            for count in (5, 20, 100, 500, 3000):
                again = last * count
                if len(start) + len(again) < MAX_FILE:
                    yield f"scans-{width}-{sampling}-{count}", start + b"".join(scans) + again + end


def jpeg_frames() -> Files:
    """Frame headers that claim what is not there, odd codings, much detail."""
    cat = photo()
    for side in (1000, 4000, 8000, 16_000, 65_000):
        small = cat.resize((64, 64))
        yield f"claims-{side}", _claiming(side, encode(small, "JPEG"))
        claims = _claiming(side, encode(small, "JPEG", progressive=True))
        yield f"claims-progressive-{side}", claims
        scan = _segment(0xDA, b"\x01\x01\x00\x00\x00\x00")
        yield f"empty-scans-{side}", claims[:-2] + scan * 100_000 + b"\xff\xd9"
        claims = _claiming(side, encode(small.convert("L"), "JPEG", progressive=True))
        yield f"claims-grey-{side}", claims
        refine = _segment(0xDA, b"\x01\x01\x00\x01\x3f\x10") + b"\xff\x00" * 8
        yield f"refining-{side}", claims[:-2] + refine * 2000 + b"\xff\xd9"
    for width, height in ((65_000, 900), (900, 65_000), (65_000, 240), (65_500, 8), (8, 65_500)):
        yield f"{width}x{height}", encode(Image.new("RGB", (width, height)), "JPEG")
    data = encode(cat, "JPEG")
    frame = data.index(b"\xff\xc0")
    for marker in range(0xC0, 0xD0):
        yield f"frame-{marker:x}", data[: frame + 1] + bytes([marker]) + data[frame + 2 :]
    for precision in (2, 12, 16):
        yield f"bits-{precision}", data[: frame + 4] + bytes([precision]) + data[frame + 5 :]
    for layers in (0, 1, 2, 4, 5, 255):
        yield f"layers-{layers}", data[: frame + 9] + bytes([layers]) + data[frame + 10 :]
    for factor in (0, 0x14, 0x41, 0x44, 0xFF):
        yield f"factor-{factor}", data[: frame + 11] + bytes([factor]) + data[frame + 12 :]
    yield "no-end", data[:-2]
    yield "end-first", data[:2] + b"\xff\xd9" + data[2:]
    yield "two-frames", data[:frame] + data[frame : frame + 19] * 2 + data[frame + 19 :]
    yield "restarts", data[:-2] + b"\xff\xd0" * 9_000_000 + b"\xff\xd9"
    for side in (4000, 3400):
        grain = np.random.default_rng(1).integers(0, 256, (side // 4, side // 4, 3), np.uint8)
        tile = Image.fromarray(np.tile(grain, (4, 4, 1)))
        yield f"noise-{side}", encode(tile, "JPEG", quality=90)
        yield f"noise-cmyk-{side}", encode(tile.convert("CMYK").resize((900, 500)), "JPEG")


def jpeg_segments() -> Files:
    data = encode(photo(), "JPEG")
    start, rest = data[:2], data[2:]
    whole = bytes(65_533)
    fillers = {
        "app": _segment(0xE5), "app-full": _segment(0xE5, whole), "comment": _segment(0xFE),
        "comment-full": _segment(0xFE, whole), "fill": b"\xff", "junk": b"\0", "stuffed": b"\xff\0",
        "restart": b"\xff\xd0", "start": b"\xff\xd8", "reserved": b"\xff\xf0",
        "tables": _segment(0xDB, b"\0" + bytes(64)), "huffman": _segment(0xC4, bytes(17)),
        "exif": _segment(0xE1, b"Exif\0\0" + bytes(65_000)),
        "exif-empty": _segment(0xE1, b"Exif\0\0"),
        "xmp": _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(65_000)),
        "icc": _segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65_000)),
        "mpf": _segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + bytes(60_000)),
        "photoshop": _segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\4\0\0\0\0\0\0" * 5000),
        "interval": _segment(0xDD, b"\0\1"),
    }  # fmt: skip
    for name, filler in fillers.items():
        for count in (30, 900, MAX_FILE // len(filler)):
            if count * len(filler) < MAX_FILE + 1:
                yield f"{name}-{count}", start + filler * count + rest
    progressive = encode(photo(), "JPEG", progressive=True)
    first = progressive.index(b"\xff\xda")
    for name in ("app", "fill", "huffman", "tables", "comment-full"):
        filler = fillers[name] * (10_000_000 // len(fillers[name]))
        yield f"between-scans-{name}", progressive[:-2] + filler + b"\xff\xd9"
        yield f"before-scan-{name}", progressive[:first] + filler + progressive[first:]


# GIF


def _gif(size: tuple[int, int], blocks: bytes, frame: tuple[int, int] | None = None) -> bytes:
    width, height = frame or size
    return b"".join([
        b"GIF89a", struct.pack("<HHBBB", *size, 0x91, 0, 0), bytes(range(12)), blocks,
        b",", struct.pack("<HHHHB", 0, 0, width, height, 0),
    ])  # fmt: skip


def _lzw_run(pixels: int) -> bytes:
    """LZW of 2-bit zeros, each code the longest there is, so that little becomes much."""
    out, bits, held = bytearray(), 0, 0

    def put(code: int, width: int) -> None:
        nonlocal bits, held
        held |= code << bits
        bits += width
        while bits >= 8:
            out.append(held & 255)
            held >>= 8
            bits -= 8

    put(4, 3)
    done, following, width, length = 0, 6, 3, 1
    put(0, width)
    done = 1
    while done < pixels:
        length += 1
        code = following if following < 4096 else 4095
        put(code, width)
        done += min(length, 4090)
        if following < 4096:
            following += 1
            if following == 1 << width and width < 12:
                width += 1
    put(5, width)
    put(0, 8)
    return b"\x02" + b"".join(
        bytes([len(out[each : each + 255])]) + bytes(out[each : each + 255])
        for each in range(0, len(out), 255)
    ) + b"\0"  # fmt: skip


def gifs() -> Files:
    end = b"\x02\x02\x4c\x01\0;"
    for size in ((0, 0), (1, 0), (65_535, 65_535), (65_535, 900), (4000, 4000), (7990, 7990)):
        yield f"claims-{size[0]}x{size[1]}", _gif(size, b"") + end
    for side in (3000, 5000, 7000, 7990):
        yield f"bomb-{side}", _gif((side, side), b"") + _lzw_run(side * side) + b";"
        kept = b"!\xf9\x04\x09\0\0\0\0"
        yield f"bomb-clear-{side}", _gif((side, side), kept) + _lzw_run(side * side) + b";"
        plain = Image.new("P", (side, side))
        yield f"plain-{side}", encode(plain, "GIF", transparency=0)
    yield "frame-beyond-screen", _gif((10, 10), b"", (60_000, 60_000)) + end
    small = _gif((100, 100), b"")
    tiny = _lzw_run(10_000)
    frame = b",\0\0\0\0\x64\0\x64\0\0" + tiny
    yield "endless-frames", small + tiny + frame * (MAX_FILE // len(frame)) + b";"
    dispose = b"!\xf9\x04\x08\0\0\0\0"
    yield "endless-restored", _gif((7000, 7000), dispose) + end[:-1] + frame * 10_000 + b";"
    for name, block in {
        "comment": b"!\xfe\xff" + bytes(255) + b"\0", "comment-tiny": b"!\xfe\x01a\0",
        "comment-empty": b"!\xfe\0", "control": dispose, "text": b"!\x01\x0c" + bytes(12) + b"\0",
        "app": b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", "zeros": b"\0", "junk": b"Q",
    }.items():  # fmt: skip
        for count in (100, 2_000_000 // len(block), MAX_FILE // len(block)):
            yield f"{name}-{count}", _gif((100, 100), block * count) + tiny + b";"
    for name, block in {"long": b"\xff" + bytes([65]) * 255, "short": b"\x01a"}.items():
        for count in (100, 4000, 18_000_000 // len(block)):
            comment = b"!\xfe" + block * count + b"\0"
            yield f"one-comment-{name}-{count}", _gif((100, 100), comment) + tiny + b";"
            xmp = b"!\xff\x0bXMP DataXMP" + block * count + b"\0"
            yield f"one-xmp-{name}-{count}", _gif((100, 100), xmp) + tiny + b";"
    yield "tiny-blocks", _gif((2000, 2000), b"") + b"\x08" + b"\x01\0" * 8_000_000 + b"\0;"
    for bits in (0, 1, 9, 12, 13, 255):
        yield f"bits-{bits}", small + bytes([bits]) + b"\x02\x4c\x01\0;"


# BMP


def _bmp(
    width: int, height: int, bits: int, pixels: bytes, *, coding: int = 0, colours: int = 0,
    header: int = 40, offset: int | None = None,
) -> bytes:  # fmt: skip
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, coding, 0, 0, 0, colours, 0)
    palette = bytes(range(256)) * 4 if bits <= 8 else b""
    begin = 14 + len(info) + len(palette) if offset is None else offset
    file = b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, begin)
    return file + info + palette + pixels


def bmps() -> Files:
    for width, height in ((0, 0), (-1, 5), (5, -(2**31)), (2**31 - 1, 1), (60_000, 60_000),
                          (4000, 4000), (3000, 3000), (6_900_000, 1), (65_000, 100)):  # fmt: skip
        for bits in (1, 4, 8, 16, 24, 32):
            yield f"{width}x{height}-{bits}", _bmp(width, height, bits, bytes(1000))
    yield "row", _bmp(6_800_000, 1, 24, bytes(MAX_FILE))
    yield "row-limit", _bmp(65_000, 100, 24, bytes(65_000 * 300))
    for side in (900, 1000, 3000, 7000):
        for coding, bits in ((1, 8), (2, 4)):
            for name, pair in {
                "run": b"\xff\x01", "one": b"\x01\x01", "line": b"\0\0", "jump": b"\0\x02\xff\xff",
                "literal": b"\0\x03abc\0", "jump-none": b"\0\x02\0\0",
                "literal-long": b"\0\xff" + bytes(256),
            }.items():  # fmt: skip
                count = 18_000_000 // len(pair)
                data = _bmp(side, side, bits, pair * count, coding=coding)
                yield f"rle-{coding}-{side}-{name}", data
    for side in (3600, 7000):
        yield f"valid-{side}", encode(Image.new("1", (side, side)), "BMP")
    yield "colours", _bmp(10, 10, 8, bytes(MAX_FILE - 2000), colours=65_536)
    yield "colours-many", _bmp(10, 10, 8, bytes(1000), colours=2**32 - 1)
    for header in (12, 16, 52, 56, 64, 108, 124, 0, 3, 2**31, 2**32 - 1):
        yield f"header-{header}", _bmp(100, 100, 24, bytes(40_000), header=header)
    for coding in (3, 4, 5, 6, 99):
        yield f"coding-{coding}", _bmp(100, 100, 16, bytes(40_000), coding=coding)
    for offset in (0, 1, 2**31, 2**32 - 1):
        yield f"offset-{offset}", _bmp(100, 100, 24, bytes(40_000), offset=offset)


# WebP


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sizes


def webps() -> Files:
    """Large ones, and ones of much detail."""
    for width, height in ((1200, 1000), (1800, 1500), (2000, 1500), (4000, 3000), (16_383, 3000)):
        for lossless in (True, False):
            for mode in ("RGB", "RGBA"):
                plain = Image.new(mode, (width, height), "teal")
                data = encode(plain, "WEBP", lossless=lossless, method=0, quality=0)
                yield f"{mode}-{width}-{lossless}", data
    grain = np.random.default_rng(2).integers(0, 256, (1400, 1800, 4), np.uint8)
    for lossless in (True, False):
        noisy = encode(Image.fromarray(grain), "WEBP", lossless=lossless, method=0, quality=50)
        yield f"noise-{lossless}", noisy


def webp_chunks() -> Files:
    """Chunks that claim much, and chunks without end."""
    cat = photo()
    still = encode(cat.resize((64, 64)), "WEBP")
    picture = (b"VP8 ", still[20:])
    frame = (b"ANMF", bytes(6) + (63).to_bytes(3, "little") * 2 + bytes(4) + still[12:])
    loop = (b"ANIM", bytes(6))
    for width, height in ((64, 64), (1900, 1500), (16_384, 16_384), (2**24, 2**24), (2**24, 1)):
        yield f"canvas-{width}", _riff(_canvas(width, height), picture)
        yield f"canvas-animated-{width}", _riff(_canvas(width, height, 2), loop, frame, frame)
    small = encode(Image.new("RGB", (1, 1)), "WEBP")
    tiny = (b"ANMF", bytes(16) + small[12:])
    yield "endless-frames", _riff(_canvas(1, 1, 2), loop, *[tiny] * 300_000)
    yield "some-frames", _riff(_canvas(1, 1, 2), loop, *[tiny] * 15_000)
    for kind, flags in ((b"EXIF", 8), (b"XMP ", 4), (b"ICCP", 32)):
        extra = (kind, b"II*\0\x08\0\0\0" + bytes(15_000_000))
        yield f"long-{kind!r}", _riff(_canvas(64, 64, flags), extra, picture)
    yield "many-chunks", _riff(_canvas(64, 64), *[(b"abcd", b"")] * 2_000_000, picture)
    for length in (0, 1, 2**31, 2**32 - 1):
        claim = struct.pack("<I", length)
        yield f"length-{length}", still[:16] + claim + still[20:]
        yield f"riff-{length}", still[:4] + claim + still[8:]
    for side in (0, 0x3FFF):
        yield f"claims-{side}", still[:26] + struct.pack("<HH", side, side) + still[30:]
        yield f"claims-lossless-{side}", _riff((b"VP8L", b"/" + struct.pack("<I", side | side << 14) + bytes(500)))  # noqa: E501  # fmt: skip


# TIFF

_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7


def _directory(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    packed = b"".join(struct.pack("<HHII", *each) for each in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def _tiff(
    width: int, height: int, pixels: bytes, *, compression: int = 1, samples: int = 3,
    rows: int | None = None, more: list[tuple[int, int, int, int]] | None = None,
    following: int = 0, photometric: int | None = None, bits: int = 8,
) -> bytes:  # fmt: skip
    """One strip of `pixels`, which many strips share if `rows` is small."""
    rows = rows or max(1, height)
    strips = max(1, -(-height // rows))
    begin = 8
    offsets = begin + len(pixels)
    counts = offsets + 4 * strips
    depth = counts + 4 * strips
    directory = depth + 8
    depths = bits if samples == 1 else bits | bits << 16 if samples == 2 else depth
    entries = [
        (256, _LONG, 1, width), (257, _LONG, 1, height), (259, _SHORT, 1, compression),
        (258, _SHORT, samples, depths),
        (262, _SHORT, 1, photometric if photometric is not None else 2 if samples > 2 else 1),
        (273, _LONG, strips, begin if strips == 1 else offsets), (277, _SHORT, 1, samples),
        (278, _LONG, 1, rows), (279, _LONG, strips, len(pixels) if strips == 1 else counts),
        *([(338, _SHORT, 1, 2)] if samples in (2, 4) else []), *(more or []),
    ]  # fmt: skip
    return b"".join([
        b"II*\0", struct.pack("<I", directory), pixels, struct.pack("<I", begin) * strips,
        struct.pack("<I", len(pixels)) * strips, struct.pack("<4H", *[bits] * 4),
        _directory(entries, following),
    ])  # fmt: skip


def tiffs() -> Files:
    """Pixels that unpack to much, in each coding."""
    for side in (1500, 2500, 3600, 4000, 7000):
        for samples in (1, 3, 4):
            packed = _packed(side * side * samples)
            for compression in (8, 32946):
                data = _tiff(side, side, packed, compression=compression, samples=samples)
                yield f"deflate-{compression}-{side}-{samples}", data
            strip = _packed(side * samples * 8)
            data = _tiff(side, side, strip, compression=8, samples=samples, rows=8)
            yield f"deflate-strips-{side}-{samples}", data
            turned = [(274, _SHORT, 1, 6)]
            data = _tiff(side, side, strip, compression=8, samples=samples, rows=8, more=turned)
            yield f"turned-{side}-{samples}", data
            runs = b"\x81\0" * (side * side * samples // 128 + 9)
            data = _tiff(side, side, runs, compression=32773, samples=samples)
            yield f"packbits-{side}-{samples}", data
            data = _tiff(side, side, bytes(side * samples), samples=samples, rows=1)
            yield f"raw-strips-{side}-{samples}", data
    for compression in (2, 3, 4):
        for side in (1000, 3000, 7000):
            for filler in (b"\0", b"\xff", b"\x5a"):
                data = _tiff(side, side, filler * 500_000, compression=compression, samples=1,
                             bits=1, photometric=0)  # fmt: skip
                yield f"fax-{compression}-{side}-{filler!r}", data
    for name, compression in (("tiff_lzw", 1), ("group4", 0), ("group3", 0), ("jpeg", 1)):
        for side in (1500, 3000, 5000):
            plain = Image.new("RGB" if compression else "1", (side, side))
            yield f"{name}-{side}", encode(plain, "TIFF", compression=name)


def tiff_codings() -> Files:
    """Unusual codings, sizes and modes."""
    for compression in (0, 6, 7, 9, 50_000, 50_001, 50_002, 34_676, 34_677, 34_887, 34_925, 65_535):
        yield f"coding-{compression}", _tiff(500, 500, bytes(9000), compression=compression)
    for side in (1500, 3400):
        for count in (10, 99, 3000):
            jpeg = encode(photo().resize((side, 16)), "JPEG", progressive=True, subsampling=0)
            start, scans, end = _scans(jpeg)
            strip = start + b"".join(scans) + scans[-1] * count + end
            data = _tiff(side, side, strip, compression=7, rows=16, photometric=6)
            yield f"progressive-strips-{side}-{count}", data
    for width, height in ((0, 0), (2**31, 2**31), (2**32 - 1, 1), (60_000, 1000), (4000, 4000)):
        yield f"{width}x{height}", _tiff(width, height, bytes(100), rows=9999)
    for samples in (0, 5, 6, 99, 65_535):
        yield f"samples-{samples}", _tiff(50, 50, bytes(9000), samples=samples)
    for rows in (2**31, 2**32 - 1):
        yield f"rows-{rows}", _tiff(50, 50, bytes(9000), rows=rows)
    for length in (2**32 - 16, 2**31, 30_000):
        tile = [(322, _LONG, 1, length), (323, _LONG, 1, length), (324, _LONG, 1, 8),
                (325, _LONG, 1, 500)]  # fmt: skip
        for compression in (1, 5, 8, 7):
            data = _tiff(300, 300, _packed(90_000), compression=compression, more=tile)
            yield f"tile-{length}-{compression}", data
    for side in (16, 2000):
        deep = Image.fromarray(np.full((side, side), np.inf, np.float32))
        yield f"infinite-{side}", encode(deep, "TIFF")
    for mode in ("F", "I", "I;16", "CMYK", "LAB", "RGBA", "LA", "PA"):
        for side in (1500, 2600, 3500):
            picture = Image.new(mode, (side, side))
            yield f"{mode}-{side}", encode(picture, "TIFF", compression="tiff_adobe_deflate")


def tiff_directories() -> Files:
    for following in (8, 2**31, 2**32 - 2):
        yield f"next-{following}", _tiff(50, 50, bytes(7500), following=following)
    loop = b"II*\0" + struct.pack("<I", 8) + _directory([], 8)
    yield "loop", loop
    base = _tiff(50, 50, bytes(7500))
    here = struct.unpack_from("<I", base, 4)[0]
    yield "loop-to-itself", _tiff(50, 50, bytes(7500), following=here)
    for pointer in (34665, 34853, 40965, 330):
        yield f"sub-loop-{pointer}", _tiff(50, 50, bytes(7500), more=[(pointer, _LONG, 1, here)])
    many = [(each, _UNDEFINED, 1, 7) for each in range(1000, 60_000)]
    yield "many-tags", _tiff(50, 50, bytes(7500), more=many)
    shared = [(each, _UNDEFINED, 10_000_000, 8) for each in range(1000, 1300)]
    yield "shared-data", _tiff(50, 50, bytes(10_000_000), more=shared)
    for tag in (282, 283, 296, 34665, 33432, 700, 274, 258, 256, 277, 339, 338, 320, 530):
        for kind in (_SHORT, _LONG, _RATIONAL, 12, 2, _UNDEFINED):
            for count in (60_000, 2_000_000):
                data = _tiff(50, 50, bytes(18_000_000), more=[(tag, kind, count, 8)])
                yield f"tag-{tag}-{kind}-{count}", data
    chain = bytearray(b"II*\0\x08\0\0\0")
    for _ in range(300_000):
        chain += _directory([], len(chain) + 6)
    yield "chain", bytes(chain)
    pages = [photo().resize((40, 40))] * 300
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    yield "pages", data
    big = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63)
    yield "big", big + bytes(1000)
    entry = struct.pack("<HHQQ", 1000, 7, 1, 0)
    yield "big-tags", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 900_000) + entry * 900_000


# AVIF


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def avifs() -> Files:
    """Large ones, and ones of much detail."""
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
    """Boxes that claim much, and boxes without end."""
    cat = photo()
    small = encode(cat.resize((64, 64)), "AVIF", speed=10)
    at = small.index(b"ispe")
    for width, height in ((0, 0), (1, 1), (5000, 5000), (16_384, 16_384), (2**32 - 1, 2**32 - 1)):
        claims = small[: at + 8] + struct.pack(">II", width, height) + small[at + 16 :]
        yield f"claims-{width}", claims
    frames = [cat.resize((64, 64)).rotate(each) for each in range(5)]
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


# Every format's metadata


def _exif(entries: list[tuple[int, int, int, int]] | None = None, data: bytes = b"") -> bytes:
    directory = _directory(entries or [(274, _SHORT, 1, 6)])
    return b"Exif\0\0II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def exif_bombs() -> Files:
    cat = photo()
    block = bytes(40_000)
    bombs = {
        "shared": _exif([(each, _UNDEFINED, 40_000, 8) for each in range(300, 1800)], block),
        "rationals": _exif([(each, _RATIONAL, 5000, 8) for each in range(280, 780)], block),
        "tags": _exif([(each, _SHORT, 1, 1) for each in range(1, 5000)]),
        "loop": _exif([(34665, _LONG, 1, 8), (34853, _LONG, 1, 8), (40965, _LONG, 1, 8)]),
        "orientation": _exif([(274, _RATIONAL, 5000, 8)], block),
        "orientation-huge": _exif([(274, _LONG, 1, 2**31)]),
        "orientation-text": _exif([(274, 2, 4, 0x41414141)]),
        "resolution": _exif([(282, _RATIONAL, 1, 8), (296, _SHORT, 1, 3)], bytes(8)),
        "outside": _exif([(274, _RATIONAL, 1, 2**32 - 8)]),
        "count": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(60_000),
        "far": b"Exif\0\0II*\0\xff\xff\xff\xff",
        "order": b"Exif\0\0XX*\0\x08\0\0\0",
    }
    for name, exif in bombs.items():
        for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
            try:
                yield f"{kind}-{name}", encode(cat.resize((90, 60)), kind, exif=exif)
            except (
                ArithmeticError,
                OSError,
                SyntaxError,
                TypeError,
                ValueError,
            ):  # the writer refuses it
                continue
    long = _exif([(each, _RATIONAL, 1_500_000, 8) for each in (282, 283, 274)], bytes(12_000_000))
    for kind in ("PNG", "WEBP"):
        yield f"{kind}-long", encode(cat.resize((90, 60)), kind, exif=long)
    yield "xmp", encode(cat, "JPEG", xmp=b"<x tiff:Orientation='" + b"9" * 60_000)
    for kind in ("PNG", "WEBP", "AVIF"):
        xmp = b'<x tiff:Orientation="' * 400_000
        if kind != "PNG":
            yield f"xmp-{kind}", encode(cat.resize((90, 60)), kind, xmp=xmp)


def animations() -> Files:
    """Valid ones of many frames: only the first counts."""
    frames = [Image.new("RGB", (1200, 900), (each, 0, 0)) for each in range(60)]
    kinds: dict[str, dict[str, Any]] = {
        "WEBP": {},
        "TIFF": {"compression": "tiff_lzw"},
        "AVIF": {"speed": 10},
        "PNG": {},
        "GIF": {},
    }
    for kind, options in kinds.items():
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        yield kind, data
        for length in (len(data) // 3, len(data) - 20):
            yield f"{kind}-{length}", data[:length]
    for side in (2500, 3600):
        pair = [Image.new("RGBA", (side, side), each) for each in ("red", "teal")]
        yield f"apng-{side}", encode(pair[0], "PNG", save_all=True, append_images=pair[1:],
                                     disposal=1, blend=1)  # fmt: skip
    control = _chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 100, 100, 0, 0, 1, 1, 0, 0))
    pixels = _chunk(b"IDAT", _packed(301 * 100))
    for count in (1, 2**31):
        begin = _chunk(b"acTL", struct.pack(">II", count, 0)) + control
        yield f"apng-claims-{count}", _png((100, 100), pixels, before=begin)


def noise() -> Files:
    """What could be anything, after the first bytes of each format."""
    chance = random.Random(3)
    for name, data in ordinary().items():
        for length in (16, 64, 300):
            yield f"{name}-{length}", data[:length] + chance.randbytes(5000)


Maker = Callable[[], Files]

MAKERS: Final[list[Maker]] = [
    truncated, flipped, wrong_headers, not_images, png_bombs, png_chunks,
    progressive_jpegs, jpeg_frames, jpeg_segments, gifs, bmps, webps, webp_chunks, tiffs,
    tiff_codings, tiff_directories, avifs, avif_boxes, exif_bombs, animations, noise,
]  # fmt: skip

FIRST: Final[dict[Maker, int]] = {
    png_bombs: 36, progressive_jpegs: 16, jpeg_frames: 64, webps: 16, webp_chunks: 15, tiffs: 90,
    tiff_codings: 16, avifs: 8, animations: 3,
}  # fmt: skip
"""Of makers whose later files take long to make: how many are made soon."""

EVERY: Final = 20


def made_soon(make: Maker) -> Files:
    """The files of a maker, or the `FIRST` of them."""
    return islice(make(), FIRST.get(make))


def selection(make: Maker) -> Files:
    """Some files of a maker, always the same: of those made soon every 20th, and the last."""
    number, last = 0, ("", b"")
    for number, last in enumerate(made_soon(make)):
        if number % EVERY == 0:
            yield last
    if number % EVERY:
        yield last
