"""Keeps layers that are to stay floats from being quantized by ONNX Runtime.

When it loads a model, ONNX Runtime (1.32, `WeightBiasQuantization`) quantizes the float weights of
a convolution or Gemm between a DequantizeLinear and a QuantizeLinear to int8, with one scale for
the whole tensor. That costs accuracy, and the weights are not safe from saturation. It does so only
behind a DequantizeLinear with a single scale, so these layers get one with a scale per channel, all
equal, that computes the same.
"""

from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from local.models.graph.onnx_graph import GraphIndex, attributes, copy_of

_CHANNELS: Final = 1
"""The axis of the channels of a convolution's and of a Gemm's input."""


def protect_float_layers(model: onnx.ModelProto) -> onnx.ModelProto:
    """The QDQ model with the same function, whose float layers ONNX Runtime does not quantize.

    A model without such layers is returned unchanged.
    """
    copy = copy_of(model)
    graph, index = copy.graph, GraphIndex(copy.graph)
    nodes = []
    for node in graph.node:
        source = index.producer.get(node.input[0]) if node.input else None
        if (
            source is not None
            and source.op_type == "DequantizeLinear"
            and node.op_type in ("Conv", "Gemm")
            and index.is_constant(node.input[1])
            and not attributes(node).get("transA")
            and index.constant(source.input[1]).size == 1
        ):
            nodes.append(_by_channel(graph, index, node, source))
        nodes.append(node)
    if len(nodes) == len(graph.node):
        return model
    del graph.node[:]
    graph.node.extend(nodes)
    return copy


def _by_channel(
    graph: onnx.GraphProto, index: GraphIndex, node: onnx.NodeProto, source: onnx.NodeProto
) -> onnx.NodeProto:
    """The layer's own DequantizeLinear, connected to it; adds its constants to the graph."""
    name = f"{node.name}.input"
    names = [f"{name}_{part}" for part in ("scale", "zero_point")[: len(source.input) - 1]]
    for constant, values in zip(names, source.input[1:], strict=True):
        repeated = np.repeat(index.constant(values).reshape(1), _channels(index, node))
        graph.initializer.append(numpy_helper.from_array(repeated, constant))
    node.input[0] = name
    return helper.make_node(
        "DequantizeLinear", [source.input[0], *names], [name], name=name, axis=_CHANNELS
    )


def _channels(index: GraphIndex, node: onnx.NodeProto) -> int:
    """The number of channels of the layer's input."""
    options, shape = attributes(node), index.constant(node.input[1]).shape
    if node.op_type == "Conv":
        return int(shape[1] * options.get("group", 1))
    return int(shape[1 if options.get("transB") else 0])
