"""JPEG (ITU-T T.81, annex B)."""

from struct import unpack_from
from typing import Final

from classifier.images.formats import ImageInfo, UnsupportedCoding, UnusualStructure
from classifier.images.formats.tiff import check_exif

SIGNATURE: Final = b"\xff\xd8\xff"

MAX_SEGMENTS: Final = 1000
"""Segments before the first scan. An ordinary file has about ten, one with a large colour profile
and a depth map some hundreds."""

MAX_METADATA_SEGMENTS: Final = 32
"""Segments of EXIF, and of Photoshop's data: Pillow joins the former one by one and parses the
latter."""

MAX_JUNK: Final = 64 * 1024
"""Bytes between segments that belong to none."""

_FILL: Final = b"\xff" * 65_536
"""Fill bytes may precede a marker. Pillow keeps what it reads until it finds one."""

_LARGE_FILE: Final = 4 << 20
"""Bytes; smaller files are not searched for fill bytes."""

# Marker codes (T.81, table B.1), the byte after 0xFF
_TEM: Final = 0x01
_DHT: Final = 0xC4
_JPG: Final = 0xC8
_DAC: Final = 0xCC
_SOF2: Final = 0xC2
_SOS: Final = 0xDA
_APP1: Final = 0xE1
_APP13: Final = 0xED
_START_OF_FRAME: Final = set(range(0xC0, 0xD0)) - {_DHT, _JPG, _DAC}
_WITHOUT_LENGTH: Final = {_TEM, _JPG, *range(0xD0, _SOS), *range(0xF0, 0xFE)}
"""TEM, JPG, RST0 to EOI, JPG0 to JPG13"""

_EXIF: Final = b"Exif\0\0"

_SECONDS_PER_SCAN_PIXEL: Final = 1.7e-9
"""For each scan, if it has next to nothing for the pixels"""


def is_jpeg(data: bytes) -> bool:
    return data.startswith(SIGNATURE)


def inspect(data: bytes, covering: int) -> ImageInfo:  # noqa: PLR0912
    """Raises `UnusualStructure`."""
    position, junk, coefficients = 2, 0, 0.0
    width = height = 0
    exif: list[bytes] = []
    photoshop = components = 0
    for _ in range(MAX_SEGMENTS):
        if data[position] != 0xFF:
            found = data.index(b"\xff", position)
            junk += found - position
            if junk > MAX_JUNK:
                raise UnusualStructure("it has much in it that belongs to no part of a JPEG")
            position = found
        marker = data[position + 1]
        if marker in (0x00, 0xFF):
            position += 1
            continue
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        length = data[position + 2] << 8 | data[position + 3]
        if marker in _START_OF_FRAME:
            if marker > _SOF2:
                raise UnsupportedCoding("a JPEG that is neither baseline nor progressive")
            height, width = unpack_from(">HH", data, position + 5)
            components = data[position + 9]
            factors = data[position + 11 : position + 10 + 3 * components : 3]
            coefficients = _coefficient_bytes(factors)
        elif marker == _APP1 and data.startswith(_EXIF, position + 4):
            exif.append(data[position + 10 : position + 2 + length])
        elif marker == _APP13:
            photoshop += 1
        elif marker == _SOS:
            break
        position += 2 + length
    else:
        raise UnusualStructure(f"it has more than {MAX_SEGMENTS} segments before its pixels")
    if max(len(exif), photoshop) > MAX_METADATA_SEGMENTS:
        raise UnusualStructure(
            f"its metadata is in more than {MAX_METADATA_SEGMENTS} segments of a kind"
        )
    if len(data) > _LARGE_FILE and _FILL in data:
        raise UnusualStructure("it has much in it that belongs to no part of a JPEG")
    check_exif(b"".join(exif))
    pixels = width * height
    scale = _scale(width, height, covering)
    memory = 2 * position + (1 if components == 1 else 4) * pixels // scale**2
    in_first_scan = data[position + 4]
    if data.find(bytes([0xFF, _SOF2]), 0, position) < 0 and in_first_scan >= components:
        return ImageInfo((width, height), memory)
    scans = data.count(bytes([0xFF, _SOS]), position)
    memory += int(coefficients * pixels)
    seconds = scans * pixels * _SECONDS_PER_SCAN_PIXEL
    return ImageInfo((width, height), memory, seconds, f"a progressive JPEG of {scans} scans")


def _scale(width: int, height: int, covering: int) -> int:
    """The DCT scale that Pillow's `draft` chooses: 1, 2, 4 or 8."""
    ratio = min(width, height) // covering
    return next((scale for scale in (8, 4, 2) if ratio >= scale), 1)


def _coefficient_bytes(factors: bytes) -> float:
    """Two bytes for each coefficient of each component; `factors` are the sampling factors."""
    horizontal, vertical = [each >> 4 for each in factors], [each & 15 for each in factors]
    densest = max(horizontal, default=1) * max(vertical, default=1)
    samples = sum(h * v for h, v in zip(horizontal, vertical, strict=True))
    return 2 * samples / max(1, densest)
