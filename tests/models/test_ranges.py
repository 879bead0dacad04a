"""Narrowed activation ranges reduce the quantization error."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from local.models.graph.onnx_graph import GraphIndex
from local.models.quantization.ranges import STEPS, affine_parameters, best_range, narrow_ranges

BINS = 2000


def squared_error(values: NDArray[np.float64], low: float, high: float) -> float:
    """The mean squared error of quantizing `values`."""
    scale, zero_point = affine_parameters(low, high)
    integers = np.clip(np.rint(values / scale) + zero_point, 0, STEPS)
    return float((((integers - zero_point) * scale - values) ** 2).mean())


def test_affine_parameters_of_a_range() -> None:
    for low, high, integer in ((-1.0, 3.0, 64), (0.0, 6.0, 0), (-2.0, 0.0, 255)):
        scale, zero_point = affine_parameters(low, high)
        assert float(scale) == pytest.approx((high - low) / 255)
        assert int(zero_point) == integer


@pytest.mark.parametrize("kind", ["normal", "laplace", "one outlier", "skewed"])
def test_best_range_beats_its_neighbours(kind: str) -> None:
    # given values with tails
    random = np.random.default_rng(0)
    values = random.laplace(0, 1, 100_000) if kind == "laplace" else random.normal(0, 1, 100_000)
    if kind == "one outlier":
        values[0] = 12.0
    if kind == "skewed":
        values = np.where(values > 0, values**2, values)
    low, high = values.min(), values.max()
    # when
    best = best_range(np.histogram(values, BINS, (low, high))[0].astype(float), low, high)
    # then the error measured is what the model of it promised
    assert low <= best[0] < 0 < best[1] <= high
    least = squared_error(values, *best)
    assert least < squared_error(values, low, high)
    for factor in (0.85, 1.15):
        for other in ((factor * best[0], best[1]), (best[0], factor * best[1])):
            if low <= other[0] and other[1] <= high:
                assert least < 1.01 * squared_error(values, *other)


def test_values_without_tails_keep_the_whole_range() -> None:
    assert best_range(np.ones(BINS), -1.0, 2.0) == pytest.approx((-1.0, 2.0))


def networks(*, relu: bool) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """An identity convolution, as floats and with its output quantized to -8 ... 8, or to 0 ... 8
    after a ReLU that the quantization replaces."""
    scale, zero_point = affine_parameters(0.0 if relu else -8.0, 8.0)
    constants = [
        numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "w"),
        numpy_helper.from_array(np.array(scale), "scale"),
        numpy_helper.from_array(np.array(zero_point), "zero"),
    ]
    convolution = helper.make_node("Conv", ["input", "w"], ["t"])
    steps = [
        helper.make_node("QuantizeLinear", ["t", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["logits"]),
    ]
    copy = [helper.make_node("Relu" if relu else "Identity", ["t"], ["logits"])]
    source, output = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 1, 64, 64])]
        for name in ("input", "logits")
    )
    opset = helper.make_opsetid("", 17)
    quantized, floats = (
        helper.make_model(
            helper.make_graph([convolution, *rest], "net", source, output, constants),
            opset_imports=[opset],
            ir_version=8,
        )
        for rest in (steps, copy)
    )
    return quantized, floats


def range_of(model: onnx.ModelProto) -> tuple[float, float]:
    index = GraphIndex(model.graph)
    scale, zero_point = float(index.constant("scale")), int(index.constant("zero"))
    return -zero_point * scale, (STEPS - zero_point) * scale


def test_range_of_a_linear_output_is_narrowed() -> None:
    quantized, floats = networks(relu=False)
    values = np.random.default_rng(0).normal(0, 1, (20, 1, 64, 64))
    narrowed = range_of(narrow_ranges(quantized, floats, values.astype(np.float32)))
    before = range_of(quantized)
    assert before[0] < narrowed[0] < 0 < narrowed[1] < before[1]
    assert squared_error(values, *narrowed) < 0.5 * squared_error(values, *before)


def test_range_that_ends_at_zero_is_kept() -> None:
    quantized, floats = networks(relu=True)
    values = np.random.default_rng(0).normal(0, 1, (20, 1, 64, 64))
    assert narrow_ranges(quantized, floats, values.astype(np.float32)) == quantized
