"""Untrusted bytes -> pixels."""

from classifier.images.limits import MAX_PIXELS, UNLIMITED, MemoryBudget
from classifier.images.pillow import FORMATS, configure
from classifier.images.read import (
    INTERPOLATIONS,
    RESIZES,
    Photo,
    Resize,
    read_image,
    read_photo,
)

__all__ = [
    "FORMATS",
    "INTERPOLATIONS",
    "MAX_PIXELS",
    "RESIZES",
    "UNLIMITED",
    "MemoryBudget",
    "Photo",
    "Resize",
    "read_image",
    "read_photo",
]

configure()
