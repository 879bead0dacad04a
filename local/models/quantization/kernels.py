"""How ONNX Runtime's quantized kernels round, by CPU.

QLinearAdd and QLinearMul compute in float32; QLinearAdd on arm64 does so in fixed point.
QLinearGlobalAveragePool multiplies the exact sum by a float32 scale on x86, and by a 24-bit integer
on arm64. All results are the nearest integer, so two kernels differ only where the exact value is
close to the middle between two integers.

The float kernels differ among themselves, too: AVX2's fuses products and sums, SSE2's does not, and
compilers fuse the constant part. So each function returns a result for every way in which a kernel
may compute.

Source: ONNX Runtime, onnxruntime/core/mlas/lib: qladd.cpp, intrinsics/avx2/qladd_avx2.cpp,
qlmul.cpp, qlgavgpool.cpp. tests/models compares the formulas with the kernels of ONNX Runtime, here
and in emulators.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.uint8]

_BYTES: Final = np.arange(256)

_RATIOS: Final = (2.0**-14, 2.0**8)
"""From the first to below the second: the ratios of scales for which the kernel of arm64 computes
in fixed point (`MlasCalcQLinearAddParameters`)"""

_MULTIPLIER_BITS: Final = 21
"""Bits after the first one of the larger multiplier of that kernel"""

_LARGEST_SHIFT: Final = 31
"""With a larger one, the kernel computes in float32"""


@dataclass(frozen=True)
class Step:
    """A quantization to uint8: float = (integer - zero_point) * scale."""

    scale: np.float32
    zero_point: int


def sums(steps: Sequence[Step]) -> Iterator[Integers]:
    """The sum of every pair of inputs, [256, 256], in each way in which a kernel may compute it;
    the first one is AVX2's, the last one arm64's.

    steps: of the first and the second input and of the output.
    """
    first, second, output = steps
    ratios = first.scale / output.scale, second.scale / output.scale
    a, b = _BYTES[:, None], _BYTES[None, :]
    for constant in _constants(ratios, (first.zero_point, second.zero_point), output.zero_point):
        # AVX2 adds the second input first, SSE2 the first one
        for fused in (True, False):
            yield _saturated(_add(_add(constant, b, ratios[1], fused), a, ratios[0], fused))
            yield _saturated(_add(_add(constant, a, ratios[0], fused), b, ratios[1], fused))
    yield _sum_neon(first, second, output)


def products(steps: Sequence[Step]) -> Iterator[Integers]:
    """The product of every pair of inputs, likewise; the first one is x86's, the last one arm64's
    if its compiler fuses."""
    first, second, output = steps
    exact = (_BYTES[:, None] - first.zero_point) * (_BYTES[None, :] - second.zero_point)
    ratio = first.scale * second.scale / output.scale
    for fused in (False, True):
        yield _saturated(_add(np.float32(output.zero_point), exact, ratio, fused))


def means(steps: Sequence[Step], positions: int) -> Iterator[Integers]:
    """The mean of every sum of inputs, [255 * positions + 1], as x86 and as arm64 compute it.

    steps: of the input and of the output. positions: inputs of a mean, 1 or more.
    """
    source, output = steps
    total = np.arange(255 * positions + 1) - source.zero_point * positions
    scale = source.scale / (output.scale * np.float32(positions))
    yield _saturated(np.rint(total.astype(np.float32) * scale) + np.float32(output.zero_point))
    mantissa, exponent = np.frexp(scale)  # exact: scale = multiplier * 2 ** -shift
    multiplier, shift = int(np.ldexp(mantissa, 24)), 24 - int(exponent)
    yield _saturated(_shifted(total * multiplier, shift) + output.zero_point)


def _constants(
    ratios: tuple[np.float32, np.float32], zero_points: tuple[int, int], output: int
) -> Iterator[np.float32]:
    """The part of a sum that does not depend on the inputs, with and without fusing."""
    first, second = (
        ratio * np.float32(zero) for ratio, zero in zip(ratios, zero_points, strict=True)
    )
    parts = (
        _add(second, np.array(zero_points[0]), ratios[0], True)[()],  # GCC, for AVX2
        _add(first, np.array(zero_points[1]), ratios[1], True)[()],
        first + second,
    )
    yield from dict.fromkeys(np.float32(output - part) for part in parts)


def _add(start: Any, factor: NDArray[Any], ratio: np.float32, fused: bool) -> Floats:
    """start + factor * ratio in float32, rounded once (fused) or twice."""
    if fused:  # exact in float64: an integer of 17 bits times a mantissa of 24
        return (np.float64(start) + factor * np.float64(ratio)).astype(np.float32)
    total: Floats = np.float32(start) + factor.astype(np.float32) * ratio
    return total


def _saturated(values: NDArray[Any]) -> Integers:
    """To the nearest integer, a half to the even one, of 0 to 255."""
    integers: Integers = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return integers


def _shifted(values: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """values / 2 ** shift to the nearest integer, a half away from zero."""
    return (values - (values < 0) + (1 << (shift - 1))) >> shift


def _sum_neon(first: Step, second: Step, output: Step) -> Integers:
    ratios = first.scale / output.scale, second.scale / output.scale
    a, b = _BYTES[:, None] - first.zero_point, _BYTES[None, :] - second.zero_point
    shift = _MULTIPLIER_BITS + 1 - int(np.frexp(max(ratios))[1])
    multipliers = [int(np.rint(np.ldexp(ratio, shift))) for ratio in ratios]
    if (
        all(_RATIOS[0] <= ratio < _RATIOS[1] for ratio in ratios)
        and shift <= _LARGEST_SHIFT
        and max(multipliers) < 2 ** (_MULTIPLIER_BITS + 1)
    ):
        total = _shifted(a * multipliers[0] + b * multipliers[1], shift)
        return _saturated(total + output.zero_point)
    floats = first.scale * a.astype(np.float32) + second.scale * b.astype(np.float32)
    return _saturated(floats / output.scale + np.float32(output.zero_point))
