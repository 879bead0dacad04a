"""Malformed and malicious TIFFs (TIFF 6.0, BigTIFF)."""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffTags import ASCII, DOUBLE, LONG, RATIONAL, SHORT, UNDEFINED

from tests.hostile.corpus.files import Files, deflated_zeros
from tests.hostile.corpus.jpeg import split_scans
from tests.support.pictures import encode, photo

RAW, GROUP3, GROUP4, LZW, JPEG, DEFLATE = 1, 3, 4, 5, 7, 8
CCITT_RLE, OLD_DEFLATE, PACKBITS = 2, 32946, 32773
"""Compression (tag 259)"""

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6
"""Photometric interpretation (tag 262)"""

ROTATE_90: Final = 6
"""Orientation (tag 274)"""

BIG_TIFF: Final = b"II+\0\x08\0\0\0"


Entries = Sequence[tuple[int, int, int, int]]
"""Tag, type, count, and value or offset"""


def ifd(entries: Entries, following: int = 0) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def _tiff(
    width: int, height: int, pixels: bytes, *, compression: int = RAW, samples: int = 3,
    rows: int | None = None, more: Entries | None = None,
    following: int = 0, photometric: int | None = None, bits: int = 8,
) -> bytes:  # fmt: skip
    """A TIFF with one strip of `pixels`, which all strips share if `rows` is small."""
    rows = rows or max(1, height)
    strips = max(1, -(-height // rows))
    begin = 8
    offsets = begin + len(pixels)
    counts = offsets + 4 * strips
    depth = counts + 4 * strips
    directory = depth + 8
    depths = bits if samples == 1 else bits | bits << 16 if samples == 2 else depth
    if photometric is None:
        photometric = RGB if samples > 2 else BLACK_IS_ZERO
    entries = [
        (Base.ImageWidth, LONG, 1, width), (Base.ImageLength, LONG, 1, height),
        (Base.Compression, SHORT, 1, compression),
        (Base.BitsPerSample, SHORT, samples, depths),
        (Base.PhotometricInterpretation, SHORT, 1, photometric),
        (Base.StripOffsets, LONG, strips, begin if strips == 1 else offsets),
        (Base.SamplesPerPixel, SHORT, 1, samples),
        (Base.RowsPerStrip, LONG, 1, rows),
        (Base.StripByteCounts, LONG, strips, len(pixels) if strips == 1 else counts),
        *([(Base.ExtraSamples, SHORT, 1, 2)] if samples in (2, 4) else []), *(more or []),
    ]  # fmt: skip
    return b"".join([
        b"II*\0", struct.pack("<I", directory), pixels, struct.pack("<I", begin) * strips,
        struct.pack("<I", len(pixels)) * strips, struct.pack("<4H", *[bits] * 4),
        ifd(entries, following),
    ])  # fmt: skip


def tiffs() -> Files:
    """Pixels that are large when unpacked, in each coding."""
    for side in (1500, 2500, 3600, 4000, 7000):
        for samples in (1, 3, 4):
            packed = deflated_zeros(side * side * samples)
            for compression in (DEFLATE, OLD_DEFLATE):
                data = _tiff(side, side, packed, compression=compression, samples=samples)
                yield f"deflate-{compression}-{side}-{samples}", data
            strip = deflated_zeros(side * samples * 8)
            data = _tiff(side, side, strip, compression=DEFLATE, samples=samples, rows=8)
            yield f"deflate-strips-{side}-{samples}", data
            turned = [(Base.Orientation, SHORT, 1, ROTATE_90)]
            data = _tiff(
                side, side, strip, compression=DEFLATE, samples=samples, rows=8, more=turned
            )
            yield f"turned-{side}-{samples}", data
            runs = b"\x81\0" * (side * side * samples // 128 + 9)
            data = _tiff(side, side, runs, compression=PACKBITS, samples=samples)
            yield f"packbits-{side}-{samples}", data
            data = _tiff(side, side, bytes(side * samples), samples=samples, rows=1)
            yield f"raw-strips-{side}-{samples}", data
    for compression in (CCITT_RLE, GROUP3, GROUP4):
        for side in (1000, 3000, 7000):
            for filler in (b"\0", b"\xff", b"\x5a"):
                data = _tiff(side, side, filler * 500_000, compression=compression, samples=1,
                             bits=1, photometric=WHITE_IS_ZERO)  # fmt: skip
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
            start, scans, end = split_scans(jpeg)
            strip = start + b"".join(scans) + scans[-1] * count + end
            data = _tiff(side, side, strip, compression=JPEG, rows=16, photometric=YCBCR)
            yield f"progressive-strips-{side}-{count}", data
    for width, height in ((0, 0), (2**31, 2**31), (2**32 - 1, 1), (60_000, 1000), (4000, 4000)):
        yield f"{width}x{height}", _tiff(width, height, bytes(100), rows=9999)
    for samples in (0, 5, 6, 99, 65_535):
        yield f"samples-{samples}", _tiff(50, 50, bytes(9000), samples=samples)
    for rows in (2**31, 2**32 - 1):
        yield f"rows-{rows}", _tiff(50, 50, bytes(9000), rows=rows)
    for length in (2**32 - 16, 2**31, 30_000):
        tile = [(Base.TileWidth, LONG, 1, length), (Base.TileLength, LONG, 1, length),
                (Base.TileOffsets, LONG, 1, 8),
                (Base.TileByteCounts, LONG, 1, 500)]  # fmt: skip
        for compression in (RAW, LZW, DEFLATE, JPEG):
            data = _tiff(300, 300, deflated_zeros(90_000), compression=compression, more=tile)
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
    loop = b"II*\0" + struct.pack("<I", 8) + ifd([], 8)
    yield "loop", loop
    base = _tiff(50, 50, bytes(7500))
    here = struct.unpack_from("<I", base, 4)[0]
    yield "loop-to-itself", _tiff(50, 50, bytes(7500), following=here)
    for pointer in (IFD.Exif, IFD.GPSInfo, IFD.Interop, Base.SubIFDs):
        yield (
            f"sub-loop-{int(pointer)}",
            _tiff(50, 50, bytes(7500), more=[(pointer, LONG, 1, here)]),
        )
    many = [(tag, UNDEFINED, 1, 7) for tag in range(1000, 60_000)]
    yield "many-tags", _tiff(50, 50, bytes(7500), more=many)
    shared = [(tag, UNDEFINED, 10_000_000, 8) for tag in range(1000, 1300)]
    yield "shared-data", _tiff(50, 50, bytes(10_000_000), more=shared)
    for tag in (282, 283, 296, 34665, 33432, 700, 274, 258, 256, 277, 339, 338, 320, 530):
        for kind in (SHORT, LONG, RATIONAL, DOUBLE, ASCII, UNDEFINED):
            for count in (60_000, 2_000_000):
                data = _tiff(50, 50, bytes(18_000_000), more=[(tag, kind, count, 8)])
                yield f"tag-{tag}-{kind}-{count}", data
    chain = bytearray(b"II*\0\x08\0\0\0")
    for _ in range(300_000):
        chain += ifd([], len(chain) + 6)
    yield "chain", bytes(chain)
    pages = [photo().resize((40, 40))] * 300
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    yield "pages", data
    big = BIG_TIFF + struct.pack("<QQ", 16, 2**63)
    yield "big", big + bytes(1000)
    entry = struct.pack("<HHQQ", 1000, UNDEFINED, 1, 0)
    yield "big-tags", BIG_TIFF + struct.pack("<QQ", 16, 900_000) + entry * 900_000


def tiff_strips() -> Files:
    """Strips and tiles that share their bytes, overlap, or are very many."""
    noise = np.random.default_rng(7).bytes(3000)
    for compression in (CCITT_RLE, GROUP3, GROUP4, PACKBITS, LZW):
        yield f"noise-{compression}", _tiff(
            1728, 20_000, noise, compression=compression, samples=1, bits=1, rows=100,
            photometric=WHITE_IS_ZERO,
        )  # fmt: skip
    packed = zlib.compressobj(1, zlib.DEFLATED, -15)
    pixels = bytes(3000 * 3 * 8)
    body = packed.compress(pixels) + packed.flush()
    empty = b"\x78\x01" + b"\0\0\0\xff\xff" * 200_000  # stored blocks of no bytes
    strip = empty + body + struct.pack(">I", zlib.adler32(pixels))
    for height in (800, 8000, 60_000):
        yield f"empty-blocks-{height}", _tiff(
            3000, height, strip, compression=DEFLATE, rows=8
        )  # fmt: skip
    for side, edge in ((500, 1), (2000, 4), (8000, 16), (16_000, 16)):
        count = (side // edge) ** 2
        offsets = struct.pack("<I", 8) * count
        begin = 8 + edge * edge * 3
        tile = [(Base.TileWidth, LONG, 1, edge), (Base.TileLength, LONG, 1, edge),
                (Base.TileOffsets, LONG, count, begin),
                (Base.TileByteCounts, LONG, count, begin)]  # fmt: skip
        for compression in (RAW, DEFLATE, JPEG):
            yield f"tiles-{side}-{edge}-{compression}", _tiff(
                side, side, bytes(edge * edge * 3) + offsets, compression=compression, more=tile
            )  # fmt: skip
    yield "gap", _tiff(2, 2, bytes(30_000_000), rows=1)
    jpeg = encode(photo().resize((64, 64)), "JPEG", progressive=True)
    start, scans, end = split_scans(jpeg)
    block = start + b"".join(scans) + scans[-1] * 85 + end
    for height in (64, 6400, 64_000):
        yield f"scans-{height}", _tiff(64, height, block, compression=JPEG, rows=64,
                                       photometric=YCBCR)  # fmt: skip
