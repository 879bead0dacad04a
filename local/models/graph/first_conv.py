"""Space-to-depth for the first convolution: computes two neighbouring output columns at once.

The first convolution has few channels, so a CPU spends most of its time gathering the pixels under
the kernel, three bytes at a time. Four columns of pixels viewed as one of 12 channels, and two
output columns as one of twice the channels, are the same memory: the reshape is free, the function
is unchanged, and there are half as many gathers of longer runs. On EfficientNet-Lite0 in INT8 the
convolution takes 0.2 instead of 0.5 ms, of 4.7 ms for the network.
"""

from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from local.models.graph.onnx_graph import GraphIndex, attributes, copy_of, drop_unused_constants

_OUTPUTS: Final = 2
"""Output columns computed at once."""

_STRIDE: Final = 2
_ACTIVATIONS: Final = ("Clip", "Relu")
_TO_NHWC: Final = [0, 2, 3, 1]
_TO_NCHW: Final = [0, 3, 1, 2]


def apply_space_to_depth(network: onnx.ModelProto) -> onnx.ModelProto:
    """The same function of the network's input float32 [N, C, H, W].

    Returns the network unchanged if its first node is not a convolution that allows this exactly.
    """
    result = copy_of(network)
    graph, index = result.graph, GraphIndex(result.graph)
    source = graph.input[0]
    readers = index.consumers[source.name]
    if len(readers) != 1 or not _is_eligible(index, readers[0], source):
        return network
    (convolution,) = readers
    _, _, height, width = (dim.dim_value for dim in source.type.tensor_type.shape.dim)
    outputs, channels, *kernel = index.constant(convolution.input[1]).shape
    rows = _output_size(height, 0, kernel[0], attributes(convolution))

    columns = _STRIDE * _OUTPUTS
    before = _reshaping(
        graph, source.name, "columns", (height, width // columns, channels * columns)
    )
    convolution.input[0] = before[-1].output[0]
    _regroup_weights(index, convolution)

    last = convolution
    following = index.consumers[convolution.output[0]]
    if len(following) == 1 and following[0].op_type in _ACTIVATIONS:
        (last,) = following
    wide = last.output[0]
    after = _reshaping(graph, wide, "outputs", (rows, width // _STRIDE, outputs))
    for node in index.consumers[wide]:
        node.input[:] = [after[-1].output[0] if name == wide else name for name in node.input]
    nodes = list(graph.node)
    place = nodes.index(last) + 1
    nodes[place:place] = after
    nodes[0:0] = before
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused_constants(graph)
    del graph.value_info[:]
    return result


def _is_eligible(index: GraphIndex, node: onnx.NodeProto, source: onnx.ValueInfoProto) -> bool:
    if node.op_type != "Conv" or not all(index.is_constant(name) for name in node.input[1:]):
        return False
    weight, options = index.constant(node.input[1]), attributes(node)
    _, *sizes = (dim.dim_value for dim in source.type.tensor_type.shape.dim)
    if weight.ndim != 4 or len(sizes) != 3 or len(node.input) != 3:
        return False
    _, left, *_ = options.get("pads", [0] * 4)
    return (
        options.get("group", 1) == 1
        and options.get("auto_pad", b"NOTSET") == b"NOTSET"
        and set(options.get("dilations", [1])) == {1}
        and options.get("strides", [1, 1])[1] == _STRIDE
        and left == 0
        and sizes[2] % (_STRIDE * _OUTPUTS) == 0
        and _output_size(sizes[2], 1, weight.shape[3], options) == sizes[2] // _STRIDE
    )


def _output_size(size: int, axis: int, kernel: int, options: dict[str, Any]) -> int:
    pads, strides = options.get("pads", [0] * 4), options.get("strides", [1, 1])
    return int((size + pads[axis] + pads[axis + 2] - kernel) // strides[axis] + 1)


def _regroup_weights(index: GraphIndex, node: onnx.NodeProto) -> None:
    """Weights [O, C, h, w] -> [2 O, 4 C, h, groups]; unused positions stay zero."""
    weight = index.constant(node.input[1])
    outputs, channels, height, kernel = weight.shape
    columns = _STRIDE * _OUTPUTS
    groups = -(-(kernel + columns - _STRIDE) // columns)
    wide = np.zeros((_OUTPUTS, outputs, columns, channels, height, groups), weight.dtype)
    for output in range(_OUTPUTS):
        for column in range(kernel):
            group, place = divmod(_STRIDE * output + column, columns)
            wide[output, :, place, :, :, group] = weight[..., column]
    index.set_constant(
        node.input[1], wide.reshape(_OUTPUTS * outputs, columns * channels, height, groups)
    )
    index.set_constant(node.input[2], np.tile(index.constant(node.input[2]), _OUTPUTS))
    top, _, bottom, _ = attributes(node).get("pads", [0] * 4)
    stride, _ = attributes(node)["strides"]
    _set(node, kernel_shape=[height, groups], strides=[stride, 1])
    _set(node, pads=[top, 0, bottom, groups - 1])


def _set(node: onnx.NodeProto, **values: Any) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in values]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in values.items())


def _reshaping(
    graph: onnx.GraphProto, tensor: str, name: str, shape: tuple[int, ...]
) -> list[onnx.NodeProto]:
    """NCHW `tensor` -> NCHW of another width, via NHWC, where it moves no data."""
    constant: NDArray[np.int64] = np.array([0, *shape], np.int64)  # 0: copy the batch size
    graph.initializer.append(numpy_helper.from_array(constant, f"{name}.shape"))
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("Transpose", [], {"perm": _TO_NHWC}),
        ("Reshape", [f"{name}.shape"], {}),
        ("Transpose", [], {"perm": _TO_NCHW}),
    ]
    nodes = []
    for number, (op_type, constants, options) in enumerate(steps):
        output = f"{name}.{number}"
        nodes.append(helper.make_node(op_type, [tensor, *constants], [output], output, **options))
        tensor = output
    return nodes
