"""Equalizes the ranges of channels that share a quantization scale.

An activation tensor has one scale, so a channel with a tenth of its range gets a tenth of the 256
steps. Scaling a channel up where it is computed and the weights down that consume it leaves the
network's function unchanged (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization
and Bias Correction", section 4.1). Applied to tensors between convolutions without an activation
function in between: the linear bottlenecks and the skip connections that join them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from local.models.graph.onnx_graph import GraphIndex, attributes, copy_of
from local.models.graph.sessions import batches

Floats = NDArray[np.float64]

_LARGEST_GAIN: Final = 1000.0
"""Limits the gain of a channel that is almost zero."""


@dataclass
class _SharedChannels:
    """Tensors whose channels need the same gain, and the nodes that compute and consume them."""

    tensors: set[str] = field(default_factory=set)
    producers: list[onnx.NodeProto] = field(default_factory=list)
    users: list[onnx.NodeProto] = field(default_factory=list)


def equalize(network: onnx.ModelProto, inputs: NDArray[np.float32]) -> onnx.ModelProto:
    """The same function with equal channel ranges on `inputs`, where that is exact."""
    equal = copy_of(network)
    index = GraphIndex(equal.graph)
    groups = list(_find_shared_channels(index, equal.graph))
    magnitudes = _magnitudes(
        network, sorted({name for group in groups for name in group.tensors}), inputs
    )
    for group in groups:
        gains = _gains(group, magnitudes)
        for node in group.producers:
            for name in node.input[1:]:
                _multiply(index, name, gains, axis=0)
        for node in group.users:
            _multiply(index, node.input[1], 1 / gains, axis=1)
    return equal


def _find_shared_channels(index: GraphIndex, graph: onnx.GraphProto) -> Iterator[_SharedChannels]:
    seen: set[str] = set()
    for node in graph.node:
        if node.op_type == "Conv" and node.output[0] not in seen:
            shared = _shared_with(index, node.output[0])
            if shared:
                seen |= shared.tensors
                yield shared


def _shared_with(index: GraphIndex, start: str) -> _SharedChannels | None:
    """All tensors that share channels with `start`; None if a gain would change the function."""
    shared, pending = _SharedChannels(), [start]
    while pending:
        tensor = pending.pop()
        if tensor in shared.tensors:
            continue
        shared.tensors.add(tensor)
        producer_node, users = index.producer.get(tensor), index.consumers[tensor]
        if producer_node is None or not users or tensor in index.outputs:
            return None
        if producer_node.op_type == "Conv" and _own_constants(index, producer_node):
            shared.producers.append(producer_node)
        elif producer_node.op_type == "Add":
            pending += producer_node.input
        else:
            return None
        for user in users:
            if user.op_type == "Add":
                pending += user.output
            elif _takes_gain(index, user, tensor):
                shared.users.append(user)
            else:
                return None
    return shared


def _takes_gain(index: GraphIndex, node: onnx.NodeProto, tensor: str) -> bool:
    """Whether the node is an ungrouped convolution of the tensor with weights of its own."""
    return (
        node.op_type == "Conv"
        and node.input[0] == tensor
        and attributes(node).get("group", 1) == 1
        and _own_constants(index, node)
    )


def _own_constants(index: GraphIndex, node: onnx.NodeProto) -> bool:
    return all(
        index.is_constant(name) and len(index.consumers[name]) == 1 for name in node.input[1:]
    )


def _magnitudes(
    network: onnx.ModelProto, tensors: list[str], inputs: NDArray[np.float32]
) -> dict[str, Floats]:
    """The largest magnitude per channel, [C], of each tensor [N, C, ...]."""
    largest: dict[str, Floats] = {}
    if not tensors:
        return largest
    for values in batches(network, dict.fromkeys(tensors, TensorProto.FLOAT), inputs):
        for name, value in zip(tensors, values, strict=True):
            other = tuple(axis for axis in range(value.ndim) if axis != 1)
            here = np.abs(value).max(axis=other).astype(np.float64)
            largest[name] = np.maximum(largest.get(name, here), here)
    return largest


def _gains(shared: _SharedChannels, magnitudes: Mapping[str, Floats]) -> Floats:
    largest = np.max([magnitudes[name] for name in shared.tensors], axis=0)
    top = largest.max()
    gains: Floats = top / np.maximum(largest, top / _LARGEST_GAIN) if top else np.ones_like(largest)
    return gains


def _multiply(index: GraphIndex, name: str, factors: Floats, axis: int) -> None:
    values = index.constant(name)
    shape = [1] * values.ndim
    shape[axis] = -1
    index.set_constant(name, (values * factors.reshape(shape)).astype(np.float32))
