"""Untrusted bytes -> pixels."""

from classifier.images.pillow import FORMATS, configure
from classifier.images.read import INTERPOLATIONS, MAX_DECODE_BYTES, MAX_PIXELS, read_image

__all__ = ["FORMATS", "INTERPOLATIONS", "MAX_DECODE_BYTES", "MAX_PIXELS", "read_image"]

configure()
