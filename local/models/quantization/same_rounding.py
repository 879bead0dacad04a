"""Scales with which sums, products and means round to the same integers on every CPU.

The kernels of x86 and arm64 round a few inputs of an Add differently (`kernels`): those whose exact
sum lies within about 1e-5 of the middle between two integers. Another scale of the output moves all
sums by up to 1e-5 for each unit in the last place of its float32, so a scale a few units lower or
higher has no such inputs.

Only the output's scale changes: the inputs' are those of earlier layers. The scales of the biases
of the next layers follow, because they are the product of the scales of input and weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx

from local.models.graph.onnx_graph import GraphIndex, copy_of
from local.models.quantization.kernels import Integers, Step, means, products, sums
from local.models.quantization.qdq_layers import find_layers

_LARGEST_MOVE: Final = 64
"""Units in the last place: less than 1e-5 of the scale. The shipped models need at most 9."""

_PASSES: Final = 3
"""A scale may belong to several tensors, so that its change may affect a node that was done."""


@dataclass(frozen=True)
class Rounding:
    """An Add, a Mul or a GlobalAveragePool that computes uint8 from uint8.

    inputs, output: the names of their scales and zero points. positions: of which a pooling
    computes the mean.
    """

    node: onnx.NodeProto
    inputs: tuple[tuple[str, str], ...]
    output: tuple[str, str]
    positions: int = 1

    def steps(self, index: GraphIndex) -> list[Step]:
        """Those of the inputs, and last that of the output."""
        return [_step(index, *names) for names in (*self.inputs, self.output)]

    def results(self, index: GraphIndex) -> Iterator[Integers]:
        """For every pair or sum of inputs, in each way in which a kernel may compute them."""
        steps = self.steps(index)
        if self.node.op_type == "Add":
            return sums(steps)
        if self.node.op_type == "Mul":
            return products(steps)
        return means(steps, self.positions)

    def differences(self, index: GraphIndex) -> int:
        """The number of inputs (pairs or sums) for which two kernels differ."""
        first, *others = self.results(index)
        different = np.zeros(first.shape, bool)
        for other in others:
            different |= other != first
        return int(different.sum())


def align_rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a QDQ model whose Adds, Muls and global average poolings round every input as all
    kernels do, on x86 and on arm64.

    A node for which no scale within 64 units in the last place does so keeps its scale
    (`different_roundings` names it).
    """
    copy = copy_of(model)
    index = GraphIndex(copy.graph)
    nodes = list(roundings(copy, index))
    for _ in range(_PASSES):
        if not sum(_align(index, node) for node in nodes):
            break
    _follow(model, copy, index)
    return copy


def different_roundings(model: onnx.ModelProto) -> dict[str, int]:
    """The number of inputs that kernels round differently, by the name of the node; nodes without
    such inputs are left out."""
    index = GraphIndex(model.graph)
    counts = {each.node.name: each.differences(index) for each in roundings(model, index)}
    return {name: count for name, count in counts.items() if count}


def _align(index: GraphIndex, node: Rounding) -> bool:
    """Change the scale of the node's output if necessary; whether it changed."""
    if not node.differences(index):
        return False
    name = node.output[0]
    before = index.constant(name)
    for scale in _neighbours(np.float32(before)):
        index.set_constant(name, np.full_like(before, scale))
        if not node.differences(index):
            return True
    index.set_constant(name, before)
    return False


def _follow(before: onnx.ModelProto, after: onnx.ModelProto, index: GraphIndex) -> None:
    """Set the scales of the biases of layers whose inputs have another scale than before."""
    layers = zip(find_layers(before.graph), find_layers(after.graph), strict=True)
    for old, new in layers:
        if new.bias and new.input.scale != old.input.scale:
            scales = index.constant(new.bias[1])
            product = new.input.scale * index.constant(new.weight[1])
            index.set_constant(new.bias[1], np.reshape(product, scales.shape))


def _neighbours(scale: np.float32) -> Iterator[np.float32]:
    """Below and above in turn, nearest first."""
    low = high = scale
    for _ in range(_LARGEST_MOVE):
        low = np.nextafter(low, np.float32(0))
        high = np.nextafter(high, np.float32(np.inf))
        yield from (low, high)


def roundings(model: onnx.ModelProto, index: GraphIndex) -> Iterator[Rounding]:
    """In graph order: the output of one may be the input of the next."""
    shapes = _shapes(model)
    for node in model.graph.node:
        if node.op_type not in ("Add", "Mul", "GlobalAveragePool"):
            continue
        inputs = [_parameters(index, index.producer.get(name)) for name in node.input]
        readers = index.consumers[node.output[0]]
        output = _parameters(index, readers[0]) if len(readers) == 1 else None
        if output is None or readers[0].op_type != "QuantizeLinear":
            continue
        known = tuple(names for names in inputs if names is not None)
        if len(known) != len(inputs):
            continue
        if node.op_type != "GlobalAveragePool":
            yield Rounding(node, known, output)
        elif positions := int(np.prod(shapes.get(node.input[0], [0])[2:])):
            yield Rounding(node, known, output, positions)


def _parameters(index: GraphIndex, node: onnx.NodeProto | None) -> tuple[str, str] | None:
    """The names of scale and zero point of a node that quantizes or dequantizes uint8."""
    if node is None or node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return None
    names = node.input[1:]
    if len(names) != 2 or not all(index.is_constant(name) for name in names):
        return None
    values = [index.constant(name) for name in names]
    if values[1].dtype != np.uint8 or any(value.size != 1 for value in values):
        return None
    return names[0], names[1]


def _step(index: GraphIndex, scale: str, zero_point: str) -> Step:
    return Step(np.float32(index.constant(scale).item()), index.constant(zero_point).item())


def _shapes(model: onnx.ModelProto) -> Mapping[str, list[int]]:
    """The shapes of tensors as far as they can be inferred; an unknown dimension is 0."""
    graph: Any = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info)
    }
