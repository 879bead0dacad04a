"""Turns a float16 network into a float32 one.

Each float16 value is a float32 value, so no weight changes. ONNX Runtime has few float16 kernels
for CPUs, and its quantizer expects float32.
"""

from collections.abc import Iterable, Iterator

import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

_HALF = TensorProto.FLOAT16
_FLOAT = TensorProto.FLOAT


def to_float32(model: onnx.ModelProto) -> None:
    """Convert the float16 inputs, outputs, constants and casts of `model`, in place."""
    for graph in _graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == _HALF:
                value.type.tensor_type.elem_type = _FLOAT
        for constant in graph.initializer:
            _widen(constant)
        _widen_attributes(graph.node)
    for function in model.functions:
        _widen_attributes(function.node)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and those inside its nodes (If, Loop)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _widen_attributes(nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                _widen(attribute.t)
            elif (
                attribute.name in ("to", "dtype") and helper.get_attribute_value(attribute) == _HALF
            ):
                attribute.i = _FLOAT


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type == _HALF:
        values = numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
