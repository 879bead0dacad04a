"""Untrusted bytes -> pixels."""

from classifier.images.limits import MAX_PIXELS, UNLIMITED, MemoryBudget
from classifier.images.pillow import FORMATS, configure
from classifier.images.read import INTERPOLATIONS, RESIZES, Resize, read_image

__all__ = [
    "FORMATS",
    "INTERPOLATIONS",
    "MAX_PIXELS",
    "RESIZES",
    "UNLIMITED",
    "MemoryBudget",
    "Resize",
    "read_image",
]

configure()
