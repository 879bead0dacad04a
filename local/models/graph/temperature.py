"""The temperature of a service's model: a Mul by 1 / temperature before its last activation."""

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from local.common.cli import UsageError
from local.models.graph.onnx_graph import (
    RESHAPING_OPS,
    GraphIndex,
    attributes,
    copy_of,
    drop_unused_constants,
)
from local.models.graph.sessions import batches

_NAME: Final = "temperature"
"""Of the node and of its output"""
_FACTOR: Final = "inverse_temperature"


class TemperatureError(UsageError):
    """The model cannot have a temperature; the message says why and what to do."""


def without_temperature(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model that has no temperature."""
    copy = copy_of(model)
    graph = copy.graph
    scale = GraphIndex(graph).producer.get(_NAME)
    if scale:
        for node in graph.node:
            node.input[:] = [scale.input[0] if name == _NAME else name for name in node.input]
        graph.node.remove(scale)
        drop_unused_constants(graph)
    return copy


def with_temperature(model: onnx.ModelProto, temperature: float) -> onnx.ModelProto:
    """A copy of the model with this temperature, in place of one that it has.

    temperature: more than 0; above 1 the probabilities are nearer to each other. Raises
    `TemperatureError` if the model ends in neither softmax nor sigmoid.
    """
    copy = without_temperature(model)
    graph = copy.graph
    activation = _activation(graph)
    kind = _element_type(copy, activation.input[0])
    factor = np.array(1 / temperature, helper.tensor_dtype_to_np_dtype(kind))
    graph.initializer.append(numpy_helper.from_array(factor, _FACTOR))
    scale = helper.make_node("Mul", [activation.input[0], _FACTOR], [_NAME], name=_NAME)
    graph.node.insert(list(graph.node).index(activation), scale)
    activation.input[0] = _NAME
    onnx.checker.check_model(copy, full_check=True)
    return copy


def class_logits(
    model: onnx.ModelProto, pixels: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], bool]:
    """The values before the last activation, without the temperature, and whether the activation
    is a sigmoid for each class (otherwise a softmax).

    pixels: [N, size, size, 3]; the logits are [N, classes]. A sigmoid of one output z is the
    softmax of (0, z). Raises `TemperatureError`.
    """
    plain = without_temperature(model)
    activation = _activation(plain.graph)
    tensor = activation.input[0]
    kind = _element_type(plain, tensor)
    found = np.concatenate([values for (values,) in batches(plain, {tensor: kind}, pixels)])
    logits = found.reshape(len(pixels), -1).astype(np.float64)
    if activation.op_type == "Softmax":
        return logits, False
    if logits.shape[1] == 1:
        return np.hstack([np.zeros_like(logits), logits]), False
    return logits, True


def _activation(graph: onnx.GraphProto) -> onnx.NodeProto:
    """The last softmax or sigmoid, the service's or the network's own."""
    index = GraphIndex(graph)
    node: onnx.NodeProto | None = index.producer.get(graph.output[0].name)
    while node and node.op_type in (*RESHAPING_OPS, "Concat"):
        # The Concat is of 1 - p and p, as service_io writes it.
        node = index.producer.get(node.input[-1 if node.op_type == "Concat" else 0])
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    if node and node.op_type == "Sigmoid":
        return node
    if node and node.op_type == "Softmax" and attributes(node).get("axis", -1) in (-1, 1):
        return node
    raise TemperatureError(
        f"The model has no softmax or sigmoid before its {classes} probabilities, so a temperature "
        "has no place. Export the network with its logits as output, and build it again."
    )


def _element_type(model: onnx.ModelProto, tensor: str) -> int:
    """float32, or float16 in networks of that type."""
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    kinds = {value.name: value.type.tensor_type.elem_type for value in inferred}
    return kinds.get(tensor) or onnx.TensorProto.FLOAT
