"""What video codings say about a picture."""

from typing import Final, NamedTuple

MAX_UNITS: Final = 100_000
"""Units in the pixels of a file, of 0.5 us each. A photo has a few in each tile."""


class Coded(NamedTuple):
    """What a decoder allocates memory for."""

    width: int
    height: int
    samples: float
    """For each pixel: 1 (grey), 1.5 (4:2:0), 2 (4:2:2) or 3"""
    deep: bool
    """Whether a sample has more than 8 bits"""
    frames: int = 1
    limited: bool = False
    """Whether samples do not have the whole range of numbers"""
    is_copied: bool = False
    """Whether a decoded frame may go through another one: scaled, or with film grain"""

    def pixels(self) -> int:
        """Of one frame."""
        return self.width * self.height

    def sample_bytes(self) -> float:
        """Bytes that one frame has for each pixel."""
        return self.samples * (2 if self.deep else 1)


def largest(*pictures: Coded) -> Coded:
    """The greatest of each number."""
    return Coded(*(max(values) for values in zip(*pictures, strict=True)))
