"""The layers with weights in a quantized (QDQ) graph, as weight rows in kernel order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from local.models.graph.onnx_graph import WEIGHTED_OPS, GraphIndex, attributes
from local.models.quantization.saturation import is_pair_safe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Quantized:
    """A quantized tensor: the name of its integers, and float = (integer - zero_point) * scale."""

    name: str
    scale: np.float32
    zero_point: int

    def floats(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        return (integers.astype(np.float32) - np.float32(self.zero_point)) * self.scale


@dataclass(frozen=True)
class Layer:
    """A Conv, Gemm or MatMul node whose weights are int8 constants.

    `weight` and `bias` are the names of (integers, scales); the bias is optional.
    """

    node: onnx.NodeProto
    input: Quantized
    weight: tuple[str, str]
    bias: tuple[str, str] | None

    @property
    def groups(self) -> int:
        return int(attributes(self.node).get("group", 1))

    def rows(self, weight: NDArray[Any]) -> NDArray[Any]:
        """The weight tensor as [outputs, K], K in kernel order (see `saturation`)."""
        return weight_rows(self.node, weight)

    def weight_from(self, rows: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """The inverse of `rows`: a weight tensor of `shape`."""
        return weight_from_rows(self.node, rows, shape)

    def needs_safe_pairs(self, shape: tuple[int, ...]) -> bool:
        """False only for a depthwise convolution with one output per channel."""
        return not (self.node.op_type == "Conv" and 1 < self.groups == shape[0] and shape[1] == 1)


def weight_rows(node: onnx.NodeProto, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight of a Conv, Gemm or MatMul as [outputs, K], K in kernel order (`saturation`)."""
    if node.op_type == "Conv":
        return np.moveaxis(weight, 1, -1).reshape(len(weight), -1)
    return weight if _is_transposed(node) else weight.T


def weight_from_rows(
    node: onnx.NodeProto, rows: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """The inverse of `weight_rows`: a weight tensor of `shape`."""
    if node.op_type == "Conv":
        outputs, inputs, *kernel = shape
        return np.moveaxis(rows.reshape(outputs, *kernel, inputs), -1, 1)
    return rows if _is_transposed(node) else rows.T


def _is_transposed(node: onnx.NodeProto) -> bool:
    return bool(attributes(node).get("transB", 0))


def unsupported_nodes(graph: onnx.GraphProto) -> list[str]:
    """The names of nodes whose weights are in a position or shape that `Layer` does not support;
    they stay floats."""
    index = GraphIndex(graph)
    return [
        node.name
        for node in graph.node
        if node.op_type in WEIGHTED_OPS
        and any(index.is_constant(name) for name in node.input[:2])
        and not _is_supported(index, node)
    ]


def _is_supported(index: GraphIndex, node: onnx.NodeProto) -> bool:
    if index.is_constant(node.input[0]) or attributes(node).get("transA"):
        return False
    shape = index.constant(node.input[1]).shape
    if node.op_type == "Conv":
        return True
    outputs = shape[0 if attributes(node).get("transB") else -1]
    biases = [index.constant(name).size for name in node.input[2:] if index.is_constant(name)]
    return len(shape) == 2 and all(size in (1, outputs) for size in biases)


def unsafe_layers(graph: onnx.GraphProto) -> list[str]:
    """The names of layers in a QDQ graph that could saturate on a CPU without VNNI."""
    index = GraphIndex(graph)
    unsafe = []
    for layer in find_layers(graph):
        weight = index.constant(layer.weight[0])
        if layer.needs_safe_pairs(weight.shape) and not is_pair_safe(layer.rows(weight)):
            unsafe.append(layer.node.name)
    return unsafe


def find_layers(graph: onnx.GraphProto) -> Iterator[Layer]:
    """The layers of a QDQ graph in graph order."""
    index = GraphIndex(graph)
    for node in graph.node:
        if node.op_type not in WEIGHTED_OPS:
            continue
        source, weight, *bias = (_dequantized(index, name) for name in node.input)
        if not source or not weight or not index.is_constant(weight[0]):
            continue
        yield Layer(
            node,
            quantized(index, source),
            (weight[0], weight[1]),
            (bias[0][0], bias[0][1]) if bias and bias[0] else None,
        )


def _dequantized(index: GraphIndex, tensor: str) -> list[str]:
    """The inputs of the DequantizeLinear that produces the tensor, or an empty list."""
    node = index.producer.get(tensor)
    return list(node.input) if node is not None and node.op_type == "DequantizeLinear" else []


def quantized(index: GraphIndex, inputs: list[str]) -> Quantized:
    """The quantized tensor that a DequantizeLinear with these inputs reads."""
    zero_point = int(index.constant(inputs[2])) if len(inputs) > 2 else 0
    return Quantized(inputs[0], np.float32(index.constant(inputs[1])), zero_point)


def skip_connection(index: GraphIndex, layer: Layer) -> tuple[str, Quantized] | None:
    """The name of the Add that consumes a layer's output, and the other, quantized operand."""
    tensor = layer.node.output[0]
    for op_type in ("QuantizeLinear", "DequantizeLinear", "Add"):
        readers = index.consumers[tensor]
        if len(readers) != 1 or readers[0].op_type != op_type:
            return None
        (reader,) = readers
        if op_type != "Add":
            tensor = reader.output[0]
    (other,) = (name for name in reader.input if name != tensor)
    dequantize = index.producer.get(other)
    if dequantize is None or dequantize.op_type != "DequantizeLinear":
        return None
    return reader.name, quantized(index, list(dequantize.input))
