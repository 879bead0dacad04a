"""Exif and XMP in every format, and animations."""

import struct
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffTags import ASCII, LONG, RATIONAL, SHORT, UNDEFINED

from tests.hostile.corpus.files import Files, deflated_zeros
from tests.hostile.corpus.png import chunk, png
from tests.hostile.corpus.tiff import ROTATE_90, Entries, ifd
from tests.support.pictures import encode, photo

HEADER_END = 33
"""Position behind the header of a PNG"""


def exif_block(entries: Entries | None = None, data: bytes = b"") -> bytes:
    directory = ifd(entries or [(Base.Orientation, SHORT, 1, ROTATE_90)])
    return b"Exif\0\0II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def exif_bombs() -> Files:
    cat = photo()
    block = bytes(40_000)
    bombs = {
        "shared": exif_block([(tag, UNDEFINED, 40_000, 8) for tag in range(300, 1800)], block),
        "rationals": exif_block([(tag, RATIONAL, 5000, 8) for tag in range(280, 780)], block),
        "tags": exif_block([(tag, SHORT, 1, 1) for tag in range(1, 5000)]),
        "loop": exif_block([(tag, LONG, 1, 8) for tag in (IFD.Exif, IFD.GPSInfo, IFD.Interop)]),
        "orientation": exif_block([(Base.Orientation, RATIONAL, 5000, 8)], block),
        "orientation-huge": exif_block([(Base.Orientation, LONG, 1, 2**31)]),
        "orientation-text": exif_block([(Base.Orientation, ASCII, 4, 0x41414141)]),
        "resolution": exif_block(
            [(Base.XResolution, RATIONAL, 1, 8), (Base.ResolutionUnit, SHORT, 1, 3)], bytes(8)
        ),
        "outside": exif_block([(Base.Orientation, RATIONAL, 1, 2**32 - 8)]),
        "count": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(60_000),
        "far": b"Exif\0\0II*\0\xff\xff\xff\xff",
        "resolution-letter": exif_block(
            [(Base.XResolution, ASCII, 1, 0x37), (Base.ResolutionUnit, SHORT, 1, 2)]
        ),
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
            ):  # Pillow refuses to write it
                continue
    long = exif_block(
        [
            (tag, RATIONAL, 1_500_000, 8)
            for tag in (Base.XResolution, Base.YResolution, Base.Orientation)
        ],
        bytes(12_000_000),
    )
    for kind in ("PNG", "WEBP"):
        yield f"{kind}-long", encode(cat.resize((90, 60)), kind, exif=long)
    small, many = encode(cat.resize((90, 60)), "PNG"), chunk(b"tEXt", b"a\0b") * 2000
    for name, exif in bombs.items():
        block = many + chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
        yield f"PNG-many-{name}", small[:HEADER_END] + block + small[HEADER_END:]
    yield "xmp", encode(cat, "JPEG", xmp=b"<x tiff:Orientation='" + b"9" * 60_000)
    for kind in ("PNG", "WEBP", "AVIF"):
        xmp = b'<x tiff:Orientation="' * 400_000
        if kind != "PNG":
            yield f"xmp-{kind}", encode(cat.resize((90, 60)), kind, xmp=xmp)


def animations() -> Files:
    """Valid animations with many frames, of which the service reads the first."""
    frames = [Image.new("RGB", (1200, 900), (red, 0, 0)) for red in range(60)]
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
        pair = [Image.new("RGBA", (side, side), colour) for colour in ("red", "teal")]
        yield f"apng-{side}", encode(pair[0], "PNG", save_all=True, append_images=pair[1:],
                                     disposal=1, blend=1)  # fmt: skip
    control = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 100, 100, 0, 0, 1, 1, 0, 0))
    pixels = chunk(b"IDAT", deflated_zeros(301 * 100))
    for count in (1, 2**31):
        begin = chunk(b"acTL", struct.pack(">II", count, 0)) + control
        yield f"apng-claims-{count}", png((100, 100), pixels, before=begin)
