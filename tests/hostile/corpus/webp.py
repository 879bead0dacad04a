"""Malformed and malicious WebPs (WebP container specification)."""

import struct

import numpy as np
from PIL import Image

from tests.hostile.corpus.files import Files
from tests.support.pictures import encode, photo

ANIMATION, XMP, EXIF, ICC = 0x02, 0x04, 0x08, 0x20
"""Flags of a VP8X chunk"""


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
    """Large images, and images with much detail."""
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
    """Chunks with false sizes, and endless chunks."""
    cat = photo()
    still = encode(cat.resize((64, 64)), "WEBP")
    picture = (b"VP8 ", still[20:])
    frame = (b"ANMF", bytes(6) + (63).to_bytes(3, "little") * 2 + bytes(4) + still[12:])
    loop = (b"ANIM", bytes(6))
    for width, height in ((64, 64), (1900, 1500), (16_384, 16_384), (2**24, 2**24), (2**24, 1)):
        yield f"canvas-{width}", _riff(_canvas(width, height), picture)
        yield (
            f"canvas-animated-{width}",
            _riff(_canvas(width, height, ANIMATION), loop, frame, frame),
        )
    small = encode(Image.new("RGB", (1, 1)), "WEBP")
    tiny = (b"ANMF", bytes(16) + small[12:])
    yield "endless-frames", _riff(_canvas(1, 1, ANIMATION), loop, *[tiny] * 300_000)
    yield "some-frames", _riff(_canvas(1, 1, ANIMATION), loop, *[tiny] * 15_000)
    for kind, flags in ((b"EXIF", EXIF), (b"XMP ", XMP), (b"ICCP", ICC)):
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
