"""Malformed and malicious JPEGs (ITU-T T.81)."""

import re
import struct
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.hostile.corpus.files import MAX_FILE, Files
from tests.support.pictures import encode, photo

SOF0, SOF2, DHT, RST0 = 0xC0, 0xC2, 0xC4, 0xD0
SOI, EOI, SOS, DQT, DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xDD
APP0, APP1, APP2, APP5, APP13, APP14, COM = 0xE0, 0xE1, 0xE2, 0xE5, 0xED, 0xEE, 0xFE
"""Markers (table B.1)"""

_END: Final = bytes([0xFF, EOI])


def segment(marker: int, data: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def split_scans(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The start of a JPEG, each of its scans with the tables before it, and its end."""
    position, begin, cuts = 2, 0, []
    while data[position + 1] != EOI:
        marker = data[position + 1]
        if not begin and marker == SOF2:
            begin = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
        if marker == SOS:
            while data[position] != 0xFF or data[position + 1] in (0, *range(RST0, SOI)):
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
    """Large images, and endless scans."""
    cat = photo()
    for width, height in ((1500, 1000), (3000, 2000), (4000, 3000), (4800, 3600), (8000, 6000)):
        large = cat.resize((width, height))
        for sampling in (0, 2):
            data = encode(large, "JPEG", progressive=True, subsampling=sampling, quality=50)
            start, scans, end = split_scans(data)
            last = scans[-1]
            yield f"progressive-{width}-{sampling}", data
            for count in (5, 20, 100, 500, 3000):
                again = last * count
                if len(start) + len(again) < MAX_FILE:
                    yield f"scans-{width}-{sampling}-{count}", start + b"".join(scans) + again + end


def jpeg_frames() -> Files:
    """Frame headers with false sizes, unusual codings, much detail."""
    cat = photo()
    for side in (1000, 4000, 8000, 16_000, 65_000):
        small = cat.resize((64, 64))
        yield f"claims-{side}", _claiming(side, encode(small, "JPEG"))
        claims = _claiming(side, encode(small, "JPEG", progressive=True))
        yield f"claims-progressive-{side}", claims
        scan = segment(SOS, b"\x01\x01\x00\x00\x00\x00")
        yield f"empty-scans-{side}", claims[:-2] + scan * 100_000 + _END
        claims = _claiming(side, encode(small.convert("L"), "JPEG", progressive=True))
        yield f"claims-grey-{side}", claims
        refine = segment(SOS, b"\x01\x01\x00\x01\x3f\x10") + b"\xff\x00" * 8
        yield f"refining-{side}", claims[:-2] + refine * 2000 + _END
    for width, height in ((65_000, 900), (900, 65_000), (65_000, 240), (65_500, 8), (8, 65_500)):
        yield f"{width}x{height}", encode(Image.new("RGB", (width, height)), "JPEG")
    data = encode(cat, "JPEG")
    frame = data.index(bytes([0xFF, SOF0]))
    for marker in range(SOF0, RST0):
        yield f"frame-{marker:x}", data[: frame + 1] + bytes([marker]) + data[frame + 2 :]
    for precision in (2, 12, 16):
        yield f"bits-{precision}", data[: frame + 4] + bytes([precision]) + data[frame + 5 :]
    for layers in (0, 1, 2, 4, 5, 255):
        yield f"layers-{layers}", data[: frame + 9] + bytes([layers]) + data[frame + 10 :]
    for factor in (0, 0x14, 0x41, 0x44, 0xFF):
        yield f"factor-{factor}", data[: frame + 11] + bytes([factor]) + data[frame + 12 :]
    yield "no-end", data[:-2]
    yield "end-first", data[:2] + _END + data[2:]
    yield "two-frames", data[:frame] + data[frame : frame + 19] * 2 + data[frame + 19 :]
    yield "restarts", data[:-2] + bytes([0xFF, RST0]) * 9_000_000 + _END
    for side in (4000, 3400):
        grain = np.random.default_rng(1).integers(0, 256, (side // 4, side // 4, 3), np.uint8)
        tile = Image.fromarray(np.tile(grain, (4, 4, 1)))
        yield f"noise-{side}", encode(tile, "JPEG", quality=90)
        yield f"noise-cmyk-{side}", encode(tile.convert("CMYK").resize((900, 500)), "JPEG")


def shared_values() -> bytes:
    """A TIFF directory whose entries all have the same thousands of numbers."""
    entries = b"".join(struct.pack("<HHLL", 0xB002 + n, 4, 12_000, 8) for n in range(4000))
    return b"II*\0" + struct.pack("<LH", 8, 4000) + entries


def unended_jpegs() -> Files:
    """Without an end marker, cut off, filled up with zeros, or with a video behind the end."""
    cat = photo()
    kinds: dict[str, dict[str, Any]] = {
        "baseline": {}, "progressive": {"progressive": True}, "restart": {"restart_marker_rows": 1},
    }  # fmt: skip
    for name, options in kinds.items():
        data = encode(cat, "JPEG", **options)
        yield f"{name}-no-end", data[:-2]
        yield f"{name}-half-end", data[:-1]
        for zeros in (1, 2, 100_000, MAX_FILE - len(data)):
            yield f"{name}-zeros-{zeros}", data[:-2] + bytes(zeros)
        for kept in (0.5, 0.9, 0.99):
            cut = data[: int(kept * len(data))]
            yield f"{name}-cut-{kept}", cut
            yield f"{name}-cut-zeros-{kept}", cut + bytes(len(data) - len(cut))
        for filler in (b"\xff", b"\xff\0", bytes([0xFF, RST0]), bytes([0xFF, SOS])):
            yield f"{name}-{filler.hex()}", data[:-2] + filler * (4_000_000 // len(filler))
        video = b"\0\0\0\x18ftypmp42" + bytes([0xFF, SOS, 0xFF, SOF2]) * 500_000
        yield f"{name}-video", data + video
    for side in (3000, 5000):
        yield f"claims-{side}", _claiming(side, encode(cat, "JPEG", progressive=True))[:-2]


def jpeg_segments() -> Files:
    data = encode(photo(), "JPEG")
    start, rest = data[:2], data[2:]
    whole = bytes(65_533)
    fillers = {
        "app": segment(APP5), "app-full": segment(APP5, whole), "comment": segment(COM),
        "comment-full": segment(COM, whole), "fill": b"\xff", "junk": b"\0", "stuffed": b"\xff\0",
        "restart": bytes([0xFF, RST0]), "start": bytes([0xFF, SOI]), "reserved": b"\xff\xf0",
        "tables": segment(DQT, b"\0" + bytes(64)), "huffman": segment(DHT, bytes(17)),
        "exif": segment(APP1, b"Exif\0\0" + bytes(65_000)),
        "exif-empty": segment(APP1, b"Exif\0\0"),
        "xmp": segment(APP1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(65_000)),
        "icc": segment(APP2, b"ICC_PROFILE\0\1\xff" + bytes(65_000)),
        "mpf": segment(APP2, b"MPF\0II*\0\x08\0\0\0" + bytes(60_000)),
        "photoshop": segment(APP13, b"Photoshop 3.0\0" + b"8BIM\x04\4\0\0\0\0\0\0" * 5000),
        "interval": segment(DRI, b"\0\1"), "no-length": bytes([0xFF, APP5, 0, 0]),
        "mpf-shared": segment(APP2, b"MPF\0" + shared_values()),
        "photoshop-cut": segment(APP13, b"Photoshop 3.0\x008BIM\x04\4"),
        "jfif-cut": segment(APP0, b"JFIF\0"), "adobe-cut": segment(APP14, b"Adobe"),
        "icc-cut": segment(APP2, b"ICC_PROFILE\0"),
    }  # fmt: skip
    for name, filler in fillers.items():
        for count in (30, 900, MAX_FILE // len(filler)):
            if count * len(filler) < MAX_FILE + 1:
                yield f"{name}-{count}", start + filler * count + rest
    progressive = encode(photo(), "JPEG", progressive=True)
    first = progressive.index(bytes([0xFF, SOS]))
    for name in ("app", "fill", "stuffed", "huffman", "tables", "comment-full"):
        filler = fillers[name] * (10_000_000 // len(fillers[name]))
        yield f"between-scans-{name}", progressive[:-2] + filler + _END
        yield f"before-scan-{name}", progressive[:first] + filler + progressive[first:]
