"""Learned rounding: chooses integers whose errors cancel on real inputs.

The error of a layer on its inputs x is (w - s q)' H (w - s q), with H = E[x x']. Rounding each
weight to the nearest integer ignores that inputs are correlated. Here, weights are rounded two at a
time and the remaining weights compensate for the error so far (Frantar et al. 2022, "GPTQ"; Hassibi
and Stork 1993); then coordinate descent changes single integers while that lowers the error. A pair
always stays in the region that is safe on every CPU (`saturation`).

Shapes: G groups (1 for an ordinary layer, the channels for a depthwise one), R rows (output
channels) per group, K weights per row in kernel order.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from local.models.quantization.saturation import INT8_LIMIT, PAIR_LIMIT

Floats = NDArray[np.float64]

_SWEEPS: Final = 6

_BLOCK: Final = 64
"""Columns whose effect on the others is accumulated before it is applied: only for speed."""

_FLOORS: Final = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)


def round_weights(weights: Floats, scales: Floats, hessian: Floats, pair_safe: bool) -> Floats:
    """Integers q, [G, R, K], for which scales * q has a small quadratic error against weights.

    weights [G, R, K], scales [G, R], hessian [G, K, K], positive definite.
    """
    targets = weights / scales[..., None]
    rounded = _error_feedback(targets, hessian, pair_safe)
    return _coordinate_descent(targets, rounded, hessian, pair_safe)


def _error_feedback(targets: Floats, hessian: Floats, pair_safe: bool) -> Floats:
    size = targets.shape[-1]
    if size % 2:  # complete the last pair with a zero weight
        targets = np.pad(targets, ((0, 0), (0, 0), (0, 1)))
        hessian = np.pad(hessian, ((0, 0), (0, 1), (0, 1)))
        hessian[:, -1, -1] = hessian.trace(axis1=1, axis2=2) / size
    inverse = np.linalg.inv(hessian)
    factor = np.linalg.cholesky((inverse + inverse.swapaxes(1, 2)) / 2).swapaxes(1, 2)
    remaining, rounded = targets.copy(), np.empty_like(targets)
    for first in range(0, targets.shape[-1], _BLOCK):
        last = min(first + _BLOCK, targets.shape[-1])
        errors = np.empty_like(targets[..., first:last])
        for k in range(first, last, 2):
            pair, within = slice(k, k + 2), slice(k + 2, last)
            triangle = np.linalg.inv(factor[:, pair, pair])
            rounded[..., pair] = _round_pair(remaining[..., pair], triangle, pair_safe)
            error = (remaining[..., pair] - rounded[..., pair]) @ triangle
            remaining[..., within] -= error @ factor[:, pair, within]
            errors[..., k - first : k - first + 2] = error
        remaining[..., last:] -= errors @ factor[:, first:last, last:]
    return rounded[..., :size]


def _round_pair(pair: Floats, triangle: Floats, pair_safe: bool) -> Floats:
    """The best allowed integer point near each pair [G, R, 2]."""
    candidates = np.floor(pair)[..., None, :] + _FLOORS
    if pair_safe:
        candidates = np.concatenate([candidates, _edge(pair, triangle)], axis=-2)
    candidates = np.clip(candidates, -INT8_LIMIT, INT8_LIMIT)
    errors = (((pair[..., None, :] - candidates) @ triangle[:, None]) ** 2).sum(-1)
    if pair_safe:
        positive = np.maximum(candidates, 0).sum(-1)
        negative = np.maximum(-candidates, 0).sum(-1)
        errors = np.where(np.maximum(positive, negative) > PAIR_LIMIT, np.inf, errors)
    best = errors.argmin(-1)
    return np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]


def _edge(pair: Floats, triangle: Floats) -> Floats:
    """The two integer points nearest to the optimum on the edge of the safe region."""
    sign = np.where(pair.sum(-1) < 0, -1.0, 1.0)
    # the error of (a, sign * limit - a) is a parabola in a
    slope = triangle[:, None, 0] - triangle[:, None, 1]
    offset = pair @ triangle - (sign * PAIR_LIMIT)[..., None] * triangle[:, None, 1]
    best = (offset * slope).sum(-1) / (slope**2).sum(-1)
    low, high = PAIR_LIMIT - INT8_LIMIT, INT8_LIMIT
    first = np.clip(sign * best, low, high)
    ends = np.stack([np.floor(first), np.ceil(first)], -1)
    return np.stack([ends, PAIR_LIMIT - ends], -1) * sign[..., None, None]


def _coordinate_descent(targets: Floats, start: Floats, hessian: Floats, pair_safe: bool) -> Floats:
    rounded = start.copy()
    gradient = (rounded - targets) @ hessian
    size = targets.shape[-1]
    for _ in range(_SWEEPS):
        before = rounded.copy()
        for first in range(0, size, _BLOCK):
            block = slice(first, min(first + _BLOCK, size))
            steps = _descend(
                rounded[..., block],
                gradient[..., block].copy(),
                hessian[:, block, block],
                pair_safe,
            )
            gradient += steps @ hessian[:, block]
            rounded[..., block] += steps
        if (rounded == before).all():
            break
    return rounded


def _descend(rounded: Floats, gradient: Floats, hessian: Floats, pair_safe: bool) -> Floats:
    """The steps that lower the error most, column by column; the arguments are blocks."""
    values = rounded.copy()
    size = values.shape[-1]
    for k in range(size):
        best = np.rint(values[..., k] - gradient[..., k] / hessian[:, None, k, k])
        best = np.clip(best, -INT8_LIMIT, INT8_LIMIT)
        if pair_safe and (k ^ 1) < size:
            neighbour = values[..., k ^ 1]
            best = np.minimum(best, PAIR_LIMIT - np.maximum(neighbour, 0))
            best = np.maximum(best, np.maximum(-neighbour, 0) - PAIR_LIMIT)
        step = best - values[..., k]
        gradient += step[..., None] * hessian[:, None, k]
        values[..., k] = best
    return values - rounded
