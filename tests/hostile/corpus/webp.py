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


class _BitWriter:
    """Bits of a lossless stream, least significant first (RFC 9649, section 3.1)."""

    def __init__(self) -> None:
        self._value, self._count = 0, 0
        self._bytes = bytearray()

    def put(self, value: int, count: int) -> None:
        self._value |= value << self._count
        self._count += count
        while self._count >= 8:
            self._bytes.append(self._value & 0xFF)
            self._value >>= 8
            self._count -= 8

    def finish(self) -> bytes:
        return bytes(self._bytes) + bytes([self._value, 0, 0, 0, 0])


def _put_flat_code(bits: _BitWriter) -> None:
    """A code of 256 symbols with 8 bits each: the code for lengths has the symbols 0 and 8."""
    bits.put(0, 1)
    bits.put(12 - 4, 4)
    for symbol in (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8):
        bits.put(int(symbol in (0, 8)), 3)
    bits.put(0, 1)


def many_groups(side: int, alpha: bool = False) -> bytes:
    """A lossless stream with as many groups of codes as it has blocks of 4 x 4 pixels, of one
    colour each; without its header if it is for transparency."""
    bits = _BitWriter()
    if not alpha:
        bits.put(side - 1 | side - 1 << 14, 32)
    bits.put(0b100, 3)  # no transform, no colour cache, several groups
    bits.put(0, 3)
    bits.put(0, 1)
    for length in (256 + 24, 256):  # green and red
        _put_flat_code(bits)
        for symbol in range(length):
            bits.put(int(symbol < 256), 1)
    for _ in range(3):
        bits.put(0b0001, 4)
    groups = (side // 4) ** 2
    for group in range(groups):
        for byte in (group & 0xFF, group >> 8):
            bits.put(int(f"{byte:08b}"[::-1], 2), 8)
    for _ in range(groups):
        bits.put(0x11111, 20)
    return (b"" if alpha else b"/") + bits.finish()


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
    for side in (64, 512, 1024):
        yield f"groups-{side}", _riff((b"VP8L", many_groups(side)))
    lossy = encode(cat.resize((1024, 1024)), "WEBP")
    transparency = (b"ALPH", b"\1" + many_groups(1024, alpha=True))
    yield "groups-alpha", _riff(_canvas(1024, 1024, 0x10), transparency, (b"VP8 ", lossy[20:]))
    for length in (0, 1, 2**31, 2**32 - 1):
        claim = struct.pack("<I", length)
        yield f"length-{length}", still[:16] + claim + still[20:]
        yield f"riff-{length}", still[:4] + claim + still[8:]
    for side in (0, 0x3FFF):
        yield f"claims-{side}", still[:26] + struct.pack("<HH", side, side) + still[30:]
        yield f"claims-lossless-{side}", _riff((b"VP8L", b"/" + struct.pack("<I", side | side << 14) + bytes(500)))  # noqa: E501  # fmt: skip
