"""Runs of equal records, which hostile files hold by the million: NumPy counts them."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

PATIENCE: Final = 64
"""Equal records in a row after which it pays to count the rest at once"""

_BLOCK: Final = 1 << 16
"""Records that are compared at a time, so that memory does not grow with the file"""

_PIECE_BYTES: Final = 1 << 20


def count_equal(data: bytes, position: int, stride: int, columns: Sequence[int] | slice) -> int:
    """The number of whole records of `stride` bytes from `position` on, up to the first whose
    bytes at `columns` differ from those of the first record. 0 if the file ends before."""
    whole = (len(data) - position) // stride
    if not whole:
        return 0
    first = np.frombuffer(data, np.uint8, stride, position)[columns]
    for start in range(0, whole, _BLOCK):
        count = min(_BLOCK, whole - start)
        block = np.frombuffer(data, np.uint8, count * stride, position + start * stride)
        differs = (block.reshape(count, stride)[:, columns] != first).any(axis=1)
        if differs.any():
            return start + int(differs.argmax())
    return whole


def parts(data: bytes, position: int, stride: int, count: int, part: slice) -> Iterator[bytes]:
    """`part` of each of `count` records of `stride` bytes from `position` on, joined, in pieces of
    a mebibyte or one record."""
    at_once = max(1, _PIECE_BYTES // stride)
    for start in range(0, count, at_once):
        number = min(at_once, count - start)
        block = np.frombuffer(data, np.uint8, number * stride, position + start * stride)
        yield block.reshape(number, stride)[:, part].tobytes()
