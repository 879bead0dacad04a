"""AVIF: what decoding it with Pillow takes (libavif and dav1d)."""

from typing import Final

from classifier.images.formats.isobmff.still import Still

# Measured with libavif 1.4.2, dav1d 1.5 and Pillow 13.0 at 1 to 24 megapixels
_COLOUR_BYTES: Final = 7.0
_GREY_BYTES: Final = 2.0
_ALPHA_BYTES: Final = 8.0
"""Per pixel: in RGB or RGBA from libavif, and in Pillow's own 4 bytes; grey in one byte each"""
_DECODED_BYTES: Final = 0.7
_DECODED_GREY_BYTES: Final = 0.5
"""Per pixel that dav1d decodes, beside the frame"""
_TILE_FRAMES: Final = 2
"""Frames of the size of a tile, beside that of the grid"""
_MAX_FRAMES: Final = 10
"""dav1d keeps 8 (AV1 specification, 7.20), the one it decodes and the one it has given; a photo has
one in all."""
_DECODER_BYTES: Final = 3 << 19
"""Of any image"""
_SECONDS: Final = 12e-9
"""Per pixel, if the file has next to nothing for it"""


def memory(image: Still) -> int:
    """Bytes beside the file."""
    if image.alpha:
        used = _ALPHA_BYTES * image.canvas
    elif image.colours.coded.samples == 1:
        used = _GREY_BYTES * image.canvas
    else:
        used = _COLOUR_BYTES * image.canvas
    if image.alpha and image.alpha.coded.limited:  # libavif makes a plane of the whole range
        used += image.alpha.coded.sample_bytes() * image.canvas
    for layer in image.layers():
        coded = layer.coded
        frames = min(coded.frames, _MAX_FRAMES) + coded.is_copied
        if layer.tiled:
            used += coded.sample_bytes() * image.canvas
            frames *= _TILE_FRAMES
        own = _DECODED_GREY_BYTES if coded.samples == 1 else _DECODED_BYTES
        used += frames * (coded.sample_bytes() + own) * coded.pixels() + layer.split_bytes
    return int(used) + _DECODER_BYTES


def seconds(image: Still) -> float:
    """CPU time."""
    return _SECONDS * max(image.canvas, image.decoded_pixels())
