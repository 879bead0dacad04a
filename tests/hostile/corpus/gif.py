"""Malformed and malicious GIFs (GIF89a specification)."""

import struct

from PIL import Image

from tests.hostile.corpus.files import MAX_FILE, Files
from tests.support.pictures import encode

CLEAR_CODE, END_CODE, FIRST_CODE, MAX_CODE = 4, 5, 6, 4095
"""LZW codes for pixels of 2 bits (appendix F); `FIRST_CODE` is the first of the table."""

GRAPHIC_CONTROL, COMMENT, PLAIN_TEXT, APPLICATION = b"!\xf9", b"!\xfe", b"!\x01", b"!\xff"
"""Introducer and label of each extension"""

RESTORE_BACKGROUND, TRANSPARENT = 2 << 2, 1
"""Disposal method and flag of a graphic control extension"""


def _gif(size: tuple[int, int], blocks: bytes, frame: tuple[int, int] | None = None) -> bytes:
    width, height = frame or size
    return b"".join([
        b"GIF89a", struct.pack("<HHBBB", *size, 0x91, 0, 0), bytes(range(12)), blocks,
        b",", struct.pack("<HHHHB", 0, 0, width, height, 0),
    ])  # fmt: skip


def _lzw_run(pixels: int) -> bytes:
    """LZW of 2-bit zeros with the longest possible codes, for the best compression."""
    out, bits, held = bytearray(), 0, 0

    def put(code: int, width: int) -> None:
        nonlocal bits, held
        held |= code << bits
        bits += width
        while bits >= 8:
            out.append(held & 255)
            held >>= 8
            bits -= 8

    put(CLEAR_CODE, 3)
    done, following, width, length = 0, FIRST_CODE, 3, 1
    put(0, width)
    done = 1
    while done < pixels:
        length += 1
        code = min(following, MAX_CODE)
        put(code, width)
        done += min(length, 4090)
        if following <= MAX_CODE:
            following += 1
            if following == 1 << width and width < 12:
                width += 1
    put(END_CODE, width)
    put(0, 8)
    return b"\x02" + b"".join(
        bytes([len(out[start : start + 255])]) + bytes(out[start : start + 255])
        for start in range(0, len(out), 255)
    ) + b"\0"  # fmt: skip


def gifs() -> Files:
    end = b"\x02\x02\x4c\x01\0;"
    for size in ((0, 0), (1, 0), (65_535, 65_535), (65_535, 900), (4000, 4000), (7990, 7990)):
        yield f"claims-{size[0]}x{size[1]}", _gif(size, b"") + end
    for side in (3000, 5000, 7000, 7990):
        yield f"bomb-{side}", _gif((side, side), b"") + _lzw_run(side * side) + b";"
        clear = GRAPHIC_CONTROL + bytes([4, RESTORE_BACKGROUND | TRANSPARENT, 0, 0, 0, 0])
        yield f"bomb-clear-{side}", _gif((side, side), clear) + _lzw_run(side * side) + b";"
        plain = Image.new("P", (side, side))
        yield f"plain-{side}", encode(plain, "GIF", transparency=0)
    yield "frame-beyond-screen", _gif((10, 10), b"", (60_000, 60_000)) + end
    small = _gif((100, 100), b"")
    tiny = _lzw_run(10_000)
    frame = b",\0\0\0\0\x64\0\x64\0\0" + tiny
    yield "endless-frames", small + tiny + frame * (MAX_FILE // len(frame)) + b";"
    dispose = GRAPHIC_CONTROL + bytes([4, RESTORE_BACKGROUND, 0, 0, 0, 0])
    yield "endless-restored", _gif((7000, 7000), dispose) + end[:-1] + frame * 10_000 + b";"
    for name, block in {
        "comment": COMMENT + b"\xff" + bytes(255) + b"\0", "comment-tiny": COMMENT + b"\x01a\0",
        "comment-empty": COMMENT + b"\0", "control": dispose,
        "text": PLAIN_TEXT + b"\x0c" + bytes(12) + b"\0",
        "app": APPLICATION + b"\x0bNETSCAPE2.0\x03\x01\0\0\0", "zeros": b"\0", "junk": b"Q",
    }.items():  # fmt: skip
        for count in (100, 2_000_000 // len(block), MAX_FILE // len(block)):
            yield f"{name}-{count}", _gif((100, 100), block * count) + tiny + b";"
    for name, block in {"long": b"\xff" + bytes([65]) * 255, "short": b"\x01a"}.items():
        for count in (100, 4000, 18_000_000 // len(block)):
            comment = COMMENT + block * count + b"\0"
            yield f"one-comment-{name}-{count}", _gif((100, 100), comment) + tiny + b";"
            xmp = APPLICATION + b"\x0bXMP DataXMP" + block * count + b"\0"
            yield f"one-xmp-{name}-{count}", _gif((100, 100), xmp) + tiny + b";"
    for name, blocks in {
        "numbered": b"".join(b"!\xfe\x07%07d\0" % number for number in range(1_500_000)),
        "two-kinds": b"!\xfe\x01a\0!\xfe\0" * 1_000_000,
        "two-kinds-allowed": b"!\xfe\x01a\0!\xfe\0" * 200_000,
        "two-sizes": COMMENT + b"\x01a\x02aa" * 3_000_000 + b"\0",
        "two-sizes-allowed": COMMENT + b"\x01a\x02aa" * 700_000 + b"\0",
        "junk-between": b"Q!\xfe\0" * 1_000_000,
        "control-short": GRAPHIC_CONTROL + b"\x01\x01\0",
    }.items():
        yield f"mixed-{name}", _gif((100, 100), blocks) + tiny + b";"
        yield f"mixed-{name}-alone", _gif((100, 100), blocks)[:-10] + b";"
    yield "tiny-blocks", _gif((2000, 2000), b"") + b"\x08" + b"\x01\0" * 8_000_000 + b"\0;"
    for bits in (0, 1, 9, 12, 13, 255):
        yield f"bits-{bits}", small + bytes([bits]) + b"\x02\x4c\x01\0;"
