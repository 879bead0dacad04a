"""Weights whose products cannot saturate on a CPU without VNNI.

Such a CPU (AVX2's `vpmaddubsw`) adds two neighbouring uint8 x int8 products in 16 bits, which
saturate at 2^15 - 1. Neighbours are elements 2i and 2i + 1 of a row; a row holds the weights of one
output channel in the order kernel row, kernel column, input channel. With activations of at most
255, a pair cannot saturate if its positive weights sum to at most 128 and its negative weights to
at least -128: 255 * 128 = 32640 < 32768.

A depthwise convolution uses a kernel with wider arithmetic; its weights use the whole range of
int8.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

PAIR_LIMIT: Final = 128
"""The maximum sum of the positive (and of the negated negative) weights of a pair."""

INT8_LIMIT: Final = 127
"""The largest magnitude of a quantized weight."""

Floats = NDArray[np.float64]


def pair_sums(rows: NDArray[np.generic]) -> Floats:
    """The larger of each pair's positive sum and negated negative sum.

    rows: [outputs, K], in kernel order. Returns [outputs, ceil(K / 2)]; a last weight without a
    neighbour is paired with zero.
    """
    values = np.asarray(rows, np.float64)
    if values.shape[1] % 2:
        values = np.pad(values, ((0, 0), (0, 1)))
    pairs = values.reshape(len(values), -1, 2)
    sums: Floats = np.maximum(np.maximum(pairs, 0).sum(-1), np.maximum(-pairs, 0).sum(-1))
    return sums


def min_scales(rows: Floats, pair_safe: bool) -> Floats:
    """The smallest scale of each row, [outputs], at which no weight is clipped."""
    scales = np.abs(rows).max(axis=1, initial=0.0) / INT8_LIMIT
    if pair_safe:
        scales = np.maximum(scales, pair_sums(rows).max(axis=1, initial=0.0) / PAIR_LIMIT)
    return np.where(scales > 0, scales, 1.0)


def is_pair_safe(rows: NDArray[np.generic]) -> bool:
    """Whether no pair of the int8 weights rows [outputs, K] can saturate 16 bits."""
    return bool(pair_sums(rows).max(initial=0.0) <= PAIR_LIMIT)
