"""HEIC: what decoding it with pi-heif takes (libheif and libde265)."""

from typing import Final

from classifier.images.formats import UnsupportedCoding
from classifier.images.formats.isobmff.boxes import Items
from classifier.images.formats.isobmff.still import Still

MAX_ITEMS: Final = 1000
MAX_PROPERTIES: Final = 100
"""More are refused by libheif (heif_security_limits)."""

# Measured with libheif 1.23 and libde265 1.1 at 1 to 48 megapixels
_BYTES: Final = {
    (False, 1.0): 2.6, (False, 1.5): 4.7, (False, 2.0): 8.4, (False, 3.0): 9.4,
    (True, 1.0): 4.7, (True, 1.5): 7.7, (True, 2.0): 13.5, (True, 3.0): 15.5,
}  # fmt: skip
_ALPHA_BYTES: Final = {
    (False, 1.0): 6.7, (False, 1.5): 7.2, (False, 2.0): 11.7, (False, 3.0): 12.7,
    (True, 1.0): 11.0, (True, 1.5): 11.7, (True, 2.0): 18.5, (True, 3.0): 20.7,
}  # fmt: skip
"""Per pixel, by whether samples have more than 8 bits, and by samples per pixel. libheif converts
in steps, each of which has a copy."""
_ITEM_COPIES: Final = 2
_MAX_FRAMES: Final = 18
"""libde265 keeps 16 (ITU-T H.265, A.4.2) and the one it decodes; a photo has one in all."""
_DECODER_BYTES: Final = 5 << 19
"""Of any image, with the pages of the libraries that the first one touches"""
_SECONDS: Final = 20e-9
"""Per pixel, if the file has next to nothing for it"""


def check(items: Items) -> None:
    """Raises `UnsupportedCoding` if there are more items or properties than libheif accepts."""
    if len(items.by_id) > MAX_ITEMS or len(items.all_properties) > MAX_PROPERTIES:
        raise UnsupportedCoding(
            f"a HEIC photo (HEIF) with more than {MAX_ITEMS} items or {MAX_PROPERTIES} properties"
        )


def memory(image: Still) -> int:
    """Bytes beside the file."""
    per_pixel = _ALPHA_BYTES if image.alpha else _BYTES
    deep = any(layer.coded.deep for layer in image.layers())
    canvas = image.canvas
    used = 0.0
    for layer in image.layers():
        coded = layer.coded
        frames = min(coded.frames, _MAX_FRAMES)
        if not layer.tiled:  # the frame is one of those that were measured
            frames -= 1
            canvas = max(canvas, coded.pixels())
        used += frames * coded.sample_bytes() * coded.pixels() + _ITEM_COPIES * layer.item_bytes
    used += per_pixel[deep, image.colours.coded.samples] * canvas
    return int(used) + _DECODER_BYTES


def seconds(image: Still) -> float:
    """CPU time."""
    return _SECONDS * image.decoded_pixels()
