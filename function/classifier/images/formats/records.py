"""Runs of equal records, which hostile files hold by the million: NumPy counts them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

PATIENCE: Final = 64
"""Equal records in a row after which it pays to count the rest at once"""

_BLOCK: Final = 1 << 16
"""Records that are compared at a time, so that memory does not grow with the file"""


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


def join(data: bytes, position: int, stride: int, count: int, part: slice) -> bytes:
    """`part` of each of `count` records of `stride` bytes from `position` on."""
    records = np.frombuffer(data, np.uint8, count * stride, position).reshape(count, stride)
    return records[:, part].tobytes()
