"""Memory that `resize` takes beside the decoded image and `limits.WORKING_BYTES`, by kind."""

from typing import Final

CONVERTED_BYTES: Final = 1 << 21
"""Bands on their way to RGB or RGBA: of palettes, of one bit, or with transparency. Measured from 1
to 33 megapixels, 1.7 MiB at most"""

DEEP_GREY_BYTES: Final = 1 << 22
"""Bands of 16-bit grey as floating-point numbers. Measured likewise, 3.7 MiB at most"""
