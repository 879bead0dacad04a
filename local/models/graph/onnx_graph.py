"""Access to and edits of ONNX graphs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

WEIGHTED_OPS: Final = ("Conv", "Gemm", "MatMul")
"""Operators with weights that are quantized."""

RESHAPING_OPS: Final = ("Identity", "Flatten", "Reshape", "Squeeze", "Cast")
"""Operators that change the shape or the type of a float output, and not its values."""


class GraphIndex:
    """Producers and consumers of each tensor of a graph, and its constants, which can be set."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.outputs = {value.name for value in graph.output}
        self.producer = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.consumers[name].append(node)
        self._constants = {constant.name: constant for constant in graph.initializer}

    def is_constant(self, name: str) -> bool:
        return name in self._constants

    def constant(self, name: str) -> NDArray[Any]:
        return numpy_helper.to_array(self._constants[name])

    def set_constant(self, name: str, values: NDArray[Any]) -> None:
        self._constants[name].CopyFrom(numpy_helper.from_array(values, name))


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def part_up_to(model: onnx.ModelProto, tensors: Mapping[str, int]) -> onnx.ModelProto:
    """The part of the model that computes `tensors` (name -> ONNX element type)."""
    part = onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    needed, nodes = set(tensors), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    part.graph.name = model.graph.name
    part.graph.node.extend(reversed(nodes))
    part.graph.input.extend(each for each in model.graph.input if each.name in needed)
    part.graph.initializer.extend(
        constant for constant in model.graph.initializer if constant.name in needed
    )
    part.graph.output.extend(
        helper.make_tensor_value_info(name, element, None) for name, element in tensors.items()
    )
    return part


def rename_tensors(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename tensors (old name -> new name) wherever they appear."""
    for node in graph.node:
        for used in (node.input, node.output):
            used[:] = [names.get(name, name) for name in used]
    for value in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Put each node behind those that it needs; a sorted graph, or one with a cycle, stays as it
    is."""
    made = {name for node in graph.node for name in node.output if name}
    done: set[str] = set()
    order: list[onnx.NodeProto] = []
    waiting = list(graph.node)
    while waiting:
        later = []
        for node in waiting:
            if made.intersection(node.input) <= done:
                order.append(node)
                done.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            return
        waiting = later
    del graph.node[:]
    graph.node.extend(order)


def drop_unused_constants(graph: onnx.GraphProto) -> None:
    used = set(_used_names(graph))
    kept = [constant for constant in graph.initializer if constant.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _used_names(graph: onnx.GraphProto) -> Iterator[str]:
    """The inputs of nodes, also of those in branches, which may use tensors of the graph."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            for branch in (attribute.g, *attribute.graphs):
                yield from _used_names(branch)


def declare(graph: onnx.GraphProto, *, inputs: list[Any], outputs: list[Any]) -> None:
    """Set the graph's inputs and outputs; drops the shapes of other tensors."""
    for values, declared in ((graph.input, inputs), (graph.output, outputs)):
        del values[:]
        values.extend(declared)
    del graph.value_info[:]
