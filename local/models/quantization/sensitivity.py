"""How much each layer's quantization changes the output, and how much each layer computes.

A layer is a node that ONNX Runtime's quantizer quantizes, with the activation function that it
fuses to it. Its sensitivity is the error of the logits if only this layer is quantized: its inputs
and its output rounded to uint8 with the ranges of the quantized network, its weights to int8. Only
the error's variance over photos counts: biases of later layers absorb its mean (`reconstruct`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tqdm import tqdm

from local.models.graph.onnx_graph import WEIGHTED_OPS, GraphIndex, attributes, copy_of
from local.models.graph.service_io import LOGITS
from local.models.graph.sessions import batches
from local.models.quantization.qdq_layers import unsupported_nodes, weight_from_rows, weight_rows
from local.models.quantization.quantize import QUANTIZED_OPS
from local.models.quantization.saturation import min_scales

_PHOTOS: Final = 16
"""Enough for a ranking: the errors of layers differ by orders of magnitude."""

_OPS: Final = frozenset(QUANTIZED_OPS) - {
    "MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze",
}  # fmt: skip
"""Without those that the quantizer quantizes only behind a layer that is quantized already."""

_FUSED: Final = ("Relu", "Clip")
"""Operators that the quantizer replaces by the range of their output."""


@dataclass(frozen=True)
class LayerError:
    """The nodes of one layer, and the variance of the logits' error that it causes alone."""

    nodes: tuple[str, ...]
    error: float


def layer_errors(
    network: onnx.ModelProto, quantized: onnx.ModelProto, inputs: NDArray[np.float32]
) -> list[LayerError]:
    """The layers of a network, the one with the largest error first.

    quantized: the QDQ graph of `network`, node and tensor names unchanged. inputs: photos, as the
    network takes them, [N, ...]; the first 16 are used.
    """
    few = inputs[:_PHOTOS]
    ranges = dict(_ranges(quantized.graph))
    exact = _logits(network, few)
    layers = list(_layers(network.graph, quantized.graph))
    errors = []
    for nodes in tqdm(layers, "Measuring layers", unit="layer", disable=None):
        logits = _logits(_quantized_alone(network, nodes, ranges), few)
        error = float(np.var(logits - exact, axis=0, dtype=np.float64).mean())
        # a layer that overflows is the worst of all
        errors.append(LayerError(nodes, error if np.isfinite(error) else np.inf))
    return sorted(errors, key=lambda layer: -layer.error)


def multiplications(network: onnx.ModelProto, inputs: NDArray[np.float32]) -> dict[str, int]:
    """The multiplications of each convolution and matrix product, by node name, for one photo.

    A convolution has outputs * inputs a group * kernel positions, a matrix product outputs * K.
    inputs: [N, ...]; the first photo is used.
    """
    index = GraphIndex(network.graph)
    nodes = [node for node in network.graph.node if node.op_type in WEIGHTED_OPS]
    tensors = {node.output[0]: TensorProto.FLOAT for node in nodes}
    left = {
        node.input[0]: TensorProto.FLOAT
        for node in nodes
        if node.op_type != "Conv" and node.input[0] in index.producer
    }
    wanted = {**tensors, **left}
    if not wanted:
        return {}
    values = dict(zip(wanted, next(batches(network, wanted, inputs[:1])), strict=True))
    values[network.graph.input[0].name] = inputs[:1]
    return {
        node.name: int(values[node.output[0]].size * _factors(index, node, values))
        for node in nodes
    }


def _factors(
    index: GraphIndex, node: onnx.NodeProto, values: Mapping[str, NDArray[np.float32]]
) -> int:
    """Multiplications of one output of the node."""
    if index.is_constant(node.input[1]):
        shape = index.constant(node.input[1]).shape
        if node.op_type == "Conv":
            return int(np.prod(shape[1:]))
        return int(shape[1] if attributes(node).get("transB") else shape[-2:][0])
    if node.input[0] in values and not attributes(node).get("transA"):
        return int(values[node.input[0]].shape[-1])
    return 1


def _ranges(graph: onnx.GraphProto) -> Iterator[tuple[str, list[NDArray[np.generic]]]]:
    """Scale and zero point of each quantized tensor of a QDQ graph, by its name."""
    index = GraphIndex(graph)
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            yield node.input[0], [index.constant(name) for name in node.input[1:]]


def _layers(network: onnx.GraphProto, quantized: onnx.GraphProto) -> Iterator[tuple[str, ...]]:
    """The names of the nodes of each layer."""
    index, quantized_index = GraphIndex(network), GraphIndex(quantized)
    remaining = {node.name: node for node in quantized.node}
    unsupported = set(unsupported_nodes(network))
    for node in network.node:
        candidate = remaining.get(node.name)
        if candidate is None or node.op_type not in _OPS or node.name in unsupported:
            continue
        sources = (quantized_index.producer.get(name) for name in candidate.input)
        if any(source is not None and source.op_type == "DequantizeLinear" for source in sources):
            fused = [
                user.name
                for user in index.consumers[node.output[0]]
                if user.op_type in _FUSED and user.name not in remaining
            ]
            yield (node.name, *fused)


def _quantized_alone(
    network: onnx.ModelProto,
    names: Iterable[str],
    ranges: Mapping[str, list[NDArray[np.generic]]],
) -> onnx.ModelProto:
    """The float network with rounding at the inputs and outputs and in the weights of a layer."""
    model = copy_of(network)
    graph, chosen = model.graph, set(names)
    index = GraphIndex(graph)
    nodes = []
    for node in graph.node:
        if node.name not in chosen:
            nodes.append(node)
            continue
        inputs, outputs = [*node.input], [*node.output]
        for place, name in enumerate(inputs):
            if name in ranges:
                inner = f"{node.name}.in{place}"
                nodes += _rounding(graph, name, inner, ranges[name])
                node.input[place] = inner
        if node.op_type in WEIGHTED_OPS and index.is_constant(inputs[1]):
            weight = index.constant(inputs[1])
            if weight.ndim > 1:
                node.input[1] = f"{node.name}.rounded"
                rounded = numpy_helper.from_array(_rounded(node, weight), node.input[1])
                graph.initializer.append(rounded)
        nodes.append(node)
        for place, name in enumerate(outputs):
            if name in ranges:
                node.output[place] = f"{node.name}.out{place}"
                nodes += _rounding(graph, node.output[place], name, ranges[name])
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _rounding(
    graph: onnx.GraphProto, source: str, output: str, parameters: list[NDArray[np.generic]]
) -> list[onnx.NodeProto]:
    """The nodes that round a tensor to its integers; adds their constants to the graph."""
    names = [f"{output}.{part}" for part in ("scale", "zero")[: len(parameters)]]
    graph.initializer.extend(
        numpy_helper.from_array(values, name)
        for values, name in zip(parameters, names, strict=True)
    )
    return [
        helper.make_node("QuantizeLinear", [source, *names], [f"{output}.integers"]),
        helper.make_node("DequantizeLinear", [f"{output}.integers", *names], [output]),
    ]


def _rounded(node: onnx.NodeProto, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight at the nearest multiples of each output channel's pair-safe scale."""
    rows = weight_rows(node, weight).astype(np.float64)
    scales = min_scales(rows, pair_safe=True)[:, None]
    rounded = weight_from_rows(node, np.rint(rows / scales) * scales, weight.shape)
    return rounded.astype(np.float32)


def _logits(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = [values for (values,) in batches(model, {LOGITS: TensorProto.FLOAT}, inputs)]
    return np.concatenate(parts)
