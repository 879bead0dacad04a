"""Learned rounding beats the nearest integer, within the region that is safe on every CPU."""

import numpy as np
import pytest

from local.models.quantization.rounding import round_weights
from local.models.quantization.saturation import is_pair_safe, min_scales, pair_sums


@pytest.mark.parametrize(
    ("weights", "safe"),
    [
        ([127, 1], True),
        ([127, 2], False),
        ([127, -127], True),  # opposite signs cannot add up
        ([-64, -64], True),
        ([-64, -65], False),
        ([1, 127, 127, 1], True),  # 127 and 127 are not of one pair
        ([0, 0, 127], True),  # the last of an odd number has no neighbour
    ],
)
def test_pair_safety(weights: list[int], safe: bool) -> None:
    assert is_pair_safe(np.array([weights], np.int8)) is safe
    # as in 16 bits at the largest activation, 255
    pairs = np.pad(np.array(weights), (0, len(weights) % 2)).reshape(-1, 2)
    sums = [255 * np.maximum(sign * pairs, 0).sum(1).max() for sign in (1, -1)]
    assert bool(max(sums) < 2**15) is safe


def test_min_scale_clips_no_weight() -> None:
    rows = np.array([[0.5, 0.5, 0.1], [1.0, -1.0, 0.2], [0.0, 0.0, 0.0]])
    scales = min_scales(rows, pair_safe=True)
    assert scales == pytest.approx([1.0 / 128, 1.0 / 127, 1.0])
    assert (pair_sums(rows / scales[:, None]) <= 128).all()


@pytest.mark.parametrize(
    ("groups", "rows", "size"), [(1, 20, 64), (1, 6, 27), (12, 1, 9), (3, 4, 150)]
)
@pytest.mark.parametrize("pair_safe", [True, False])
def test_learned_rounding_is_safe_and_better(
    groups: int, rows: int, size: int, pair_safe: bool
) -> None:
    # given correlated inputs, and weights whose neighbours are alike
    random = np.random.default_rng(size)
    inputs = random.normal(1, 1, (groups, 300, size)) @ random.normal(0, 1, (groups, size, size))
    hessian = inputs.swapaxes(1, 2) @ inputs / 300 + 0.01 * np.eye(size)
    weights = random.normal(0, 1, (groups, rows, size))
    scales = np.stack([min_scales(row, pair_safe) for row in weights])

    # when
    learned = round_weights(weights, scales, hessian, pair_safe)

    # then
    def error(integers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        off = integers * scales[..., None] - weights
        return float(np.einsum("grk,gkl,grl->", off, hessian, off))

    assert (learned == np.rint(learned)).all()
    assert np.abs(learned).max() <= 127
    assert not pair_safe or is_pair_safe(learned.reshape(-1, size))
    assert error(learned) < 0.5 * error(np.rint(weights / scales[..., None]))


def test_scales_too_small_for_the_weights_still_give_safe_pairs() -> None:
    random = np.random.default_rng(0)
    weights = random.normal(0, 1, (1, 30, 40))
    scales = min_scales(weights[0], pair_safe=True)[None] / 3
    learned = round_weights(weights, scales, np.eye(40)[None], pair_safe=True)
    assert is_pair_safe(learned[0])
