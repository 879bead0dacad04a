"""Ordinary files, damaged ones, and files that are not images."""

import random
import struct
import zlib
from functools import cache
from typing import Any, Final

from tests.hostile.corpus.files import Files
from tests.hostile.corpus.jpeg import COM, segment
from tests.hostile.corpus.metadata import exif_block
from tests.support.pictures import encode, photo

KINDS: Final[dict[str, dict[str, Any]]] = {
    "JPEG": {},
    "PNG": {},
    "GIF": {},
    "BMP": {},
    "WEBP": {},
    "TIFF": {},
    "AVIF": {"speed": 10},
    "HEIF": {},
}


@cache
def ordinary() -> dict[str, bytes]:
    """A small valid file of each format and coding."""
    cat = photo()
    clear = cat.copy()
    clear.putalpha(180)
    files = {kind.lower(): encode(cat, kind, **options) for kind, options in KINDS.items()}
    files |= {
        "jpeg-progressive": encode(cat, "JPEG", progressive=True),
        "jpeg-exif": encode(cat, "JPEG", exif=exif_block(), icc_profile=bytes(70_000)),
        "png-palette": encode(cat.quantize(32), "PNG"),
        "png-rgba": encode(clear.resize((150, 100)), "PNG"),
        "webp-lossless": encode(clear.resize((200, 150)), "WEBP", lossless=True),
        "webp-exif": encode(clear, "WEBP", exif=exif_block()),
        "avif-alpha": encode(clear, "AVIF", speed=10),
        "bmp-palette": encode(cat.quantize(32), "BMP"),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        files[f"tiff-{compression}"] = encode(cat, "TIFF", compression=compression)
    files["tiff-group4"] = encode(cat.convert("1"), "TIFF", compression="group4")
    return files


def truncated() -> Files:
    """Cut at every kilobyte, and within headers."""
    for name, data in ordinary().items():
        for length in [*range(0, 200, 23), *range(1024, min(len(data), 64 * 1024), 1024)]:
            yield f"{name}-{length}", data[:length]


def flipped() -> Files:
    """Random bit flips, most of them in the headers, and lost bytes."""
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
    """Each format with the first bytes of every other."""
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
        yield f"jpeg-comment-{name}", jpeg[:2] + segment(COM, text) + jpeg[2:]
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


def noise() -> Files:
    """Random bytes after the first bytes of each format."""
    chance = random.Random(3)
    for name, data in ordinary().items():
        for length in (16, 64, 300):
            yield f"{name}-{length}", data[:length] + chance.randbytes(5000)
