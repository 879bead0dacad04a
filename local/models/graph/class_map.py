"""Adds a class activation map to a network that ends in average pooling and one linear layer.

The logit of such a network is the mean over the positions (y, x) of

    map[y, x] = sum over c of weight[class, c] * feature[c, y, x]

plus the bias of the class, so the map shows how much each position contributes (Zhou et al.,
"Learning Deep Features for Discriminative Localization", CVPR 2016).

The model gets the output `class_map`, float32 [M, H, W], of the most probable class, and the input
`explain`, a bool with the default False: M is the batch size N if it is True, and else 0. Its nodes
are in a branch of an If, because ONNX Runtime executes also the nodes of outputs that are not
requested.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from classifier.artifact import CLASS_MAP, EXPLAIN
from local.models.graph.onnx_graph import (
    RESHAPING_OPS,
    GraphIndex,
    attributes,
    copy_of,
)
from local.models.graph.service_io import LOGITS, PIXELS, PROBABILITIES
from local.models.graph.sessions import session

_PASSING_OPS: Final = (*RESHAPING_OPS, "Unsqueeze", "Dropout")
"""Operators between pooling and layer that leave each channel's value as it is."""

_FLOAT_TOLERANCE: Final = 1e-3
"""Of a logit, relative to the sum of its absolute terms: float32 sums of thousands of terms, and
biases in int32, differ by less."""

_CHECKED_PHOTOS: Final = 8

Step = tuple[float, int]
"""Scale and zero point of a quantization"""


@dataclass(frozen=True)
class ClassMap:
    """The map of a model: the rows and columns of its grid, and by how much its mean plus the bias
    may differ from the logit, because the model rounds the pooled values to 8 bits."""

    height: int
    width: int
    tolerance: float

    def __str__(self) -> str:
        return f"{self.height} x {self.width}"


@dataclass(frozen=True)
class _Constant:
    """Weights or biases: `name` of floats, or of integers whose scales are named `scale`."""

    name: str
    scale: str | None
    values: NDArray[np.float32]


@dataclass(frozen=True)
class _Head:
    """The end of a network; `weight` has the rows [K, C] if `by_row`, else the columns [C, K]."""

    features: str
    channels_last: bool
    steps: frozenset[Step]
    weight: _Constant
    by_row: bool
    bias: NDArray[np.float32]

    @property
    def weights(self) -> NDArray[np.float32]:
        """[K, C]"""
        values = self.weight.values
        rows = values if self.by_row else values.T
        return rows.reshape(len(rows), -1)

    @property
    def rounding(self) -> NDArray[np.float32]:
        """By how much each logit may differ, [K]: quantizing moves a value by half a step."""
        half: NDArray[np.float32] = np.abs(self.weights).sum(1) / 2
        return half * np.float32(sum(scale for scale, _ in self.steps))


def add_class_map(
    model: onnx.ModelProto, pixels: NDArray[np.uint8]
) -> tuple[onnx.ModelProto, ClassMap | None]:
    """The model with a map, and a description of the map; or the model itself and None.

    pixels: photos of the calibration, [N, size, size, 3], on which the map is checked. None is for
    networks with another end, and for those whose map does not sum up to the logits. The model must
    have the service's input and output. Apply this last: other functions of this package do not
    look into branches.
    """
    head = _find_head(GraphIndex(model.graph))
    if head is None:
        return model, None
    mapped = _with_branch(model, head)
    found = _checked(mapped, head, pixels[:_CHECKED_PHOTOS])
    return (model, None) if found is None else (mapped, found)


def _find_head(index: GraphIndex) -> _Head | None:
    tensor, _ = _skip(index, LOGITS)
    layer = index.producer.get(tensor)
    bias = np.zeros(1, np.float32)
    if layer is not None and layer.op_type == "Add":  # the bias of a MatMul
        first, second = (_constant(index, name) for name in layer.input)
        tensor, found = (layer.input[0], second) if second else (layer.input[1], first)
        if found is None:
            return None
        bias, layer = found.values.reshape(-1), index.producer.get(_skip(index, tensor)[0])
    if layer is None or layer.op_type not in ("Gemm", "MatMul", "Conv"):
        return None
    weight = _constant(index, layer.input[1])
    by_row = layer.op_type == "Conv" or bool(attributes(layer).get("transB"))
    if weight is None or not _is_plain(layer, weight.values):
        return None
    if len(layer.input) > 2:
        found = _constant(index, layer.input[2])
        if found is None:
            return None
        bias = found.values.reshape(-1)
    pooled, steps = _skip(index, layer.input[0])
    pooling = index.producer.get(pooled)
    channels_last = _pools_channels_last(index, pooling)
    if pooling is None or channels_last is None:
        return None
    return _Head(pooling.input[0], channels_last, steps, weight, by_row, bias)


def _skip(index: GraphIndex, tensor: str) -> tuple[str, frozenset[Step]]:
    """The tensor before the nodes that keep the values, and the steps to which they round; to
    round to the same steps again changes nothing."""
    steps: set[Step] = set()
    while (node := index.producer.get(tensor)) is not None:
        if node.op_type == "QuantizeLinear" and index.is_constant(node.input[1]):
            scale, zero_point = (index.constant(name) for name in node.input[1:3])
            steps.add((float(scale), int(zero_point)))
        elif node.op_type not in (*_PASSING_OPS, "DequantizeLinear"):
            break
        tensor = node.input[0]
    return tensor, frozenset(steps)


def _constant(index: GraphIndex, name: str) -> _Constant | None:
    """Floats, or integers with the zero point 0, and a scale or one for each class."""
    if index.is_constant(name):
        values = index.constant(name)
        return _Constant(name, None, values) if values.dtype == np.float32 else None
    node = index.producer.get(name)
    if node is None or node.op_type != "DequantizeLinear":
        return None
    if not all(index.is_constant(each) for each in node.input):
        return None
    integers, scale, *zero_points = (index.constant(each) for each in node.input)
    if any(zero_point.any() for zero_point in zero_points):
        return None
    axis = attributes(node).get("axis", 1) % max(integers.ndim, 1)
    along = [-1 if dimension == axis else 1 for dimension in range(integers.ndim)]
    values = integers.astype(np.float32) * (scale.reshape(along) if scale.size > 1 else scale)
    return _Constant(node.input[0], node.input[1], values)


def _is_plain(layer: onnx.NodeProto, weight: NDArray[np.float32]) -> bool:
    """Whether the layer multiplies each pooled channel by a weight for each class, and no more."""
    options = attributes(layer)
    if layer.op_type == "Conv":
        return (
            weight.ndim >= 3
            and weight.shape[2:].count(1) == weight.ndim - 2
            and (options.get("group", 1) == 1)
        )
    return (
        weight.ndim == 2
        and not options.get("transA")
        and options.get("alpha", 1) == options.get("beta", 1) == 1
    )


def _pools_channels_last(index: GraphIndex, node: onnx.NodeProto | None) -> bool | None:
    """Whether the features of a pooling over height and width are [N, H, W, C]; None if the node
    is not one."""
    if node is None:
        return None
    if node.op_type == "GlobalAveragePool":
        return False
    if node.op_type != "ReduceMean":
        return None
    axes = attributes(node).get("axes")
    if axes is None and len(node.input) > 1 and index.is_constant(node.input[1]):
        axes = index.constant(node.input[1]).tolist()
    return {(2, 3): False, (1, 2): True}.get(tuple(sorted(axis % 4 for axis in axes or ())))


def _with_branch(model: onnx.ModelProto, head: _Head) -> onnx.ModelProto:
    """A copy of the model with the input `explain` and the output `class_map`."""
    model = copy_of(model)
    graph = model.graph
    branch = _Branch(graph, head)
    explained = branch.explained()
    graph.initializer.append(numpy_helper.from_array(np.array(False), EXPLAIN))
    graph.input.append(helper.make_tensor_value_info(EXPLAIN, TensorProto.BOOL, []))
    graph.node.extend(branch.before)
    graph.node.append(
        helper.make_node(
            "If",
            [EXPLAIN],
            [CLASS_MAP],
            name=CLASS_MAP,
            then_branch=explained,
            else_branch=_unexplained(),
        )
    )
    grid = ["M", "map_height", "map_width"]
    graph.output.append(helper.make_tensor_value_info(CLASS_MAP, TensorProto.FLOAT, grid))
    onnx.checker.check_model(model, full_check=True)
    return model


def _unexplained() -> onnx.GraphProto:
    """No map."""
    empty = numpy_helper.from_array(np.zeros((0, 1, 1), np.float32))
    node = helper.make_node("Constant", [], ["no_map"], name="no_map", value=empty)
    output = helper.make_tensor_value_info("no_map", TensorProto.FLOAT, [0, 1, 1])
    return helper.make_graph([node], "unexplained", [], [output])


class _Branch:
    """The nodes of the map, and those before the If.

    The features come from outside of the branch. ONNX Runtime computes quantized ones in the order
    [N, H, W, C], so a Transpose to that order before the If costs nothing, while without it every
    run would transpose them to [N, C, H, W].
    """

    def __init__(self, graph: onnx.GraphProto, head: _Head) -> None:
        self.before: list[onnx.NodeProto] = []
        self._nodes: list[onnx.NodeProto] = []
        self._graph = graph
        self._head = head
        self._index = GraphIndex(graph)

    def explained(self) -> onnx.GraphProto:
        """features [N, H, W, C] x weights [N, 1, C, 1] -> the map [N, H, W]"""
        classes, channels = self._head.weights.shape
        top = self._node("ArgMax", [PROBABILITIES], "class", axis=1, keepdims=1)
        weight, scale = self._head.weight.name, self._head.weight.scale
        if classes > 1 and self._head.by_row:
            weight = self._node("Gather", [weight, top], "row", axis=0)
        elif classes > 1:
            column = self._node("Gather", [weight, top], "column", axis=1)
            weight = self._node("Transpose", [column], "row", perm=[1, 2, 0])
        if scale:
            weight = self._node("Cast", [weight], "weights", to=TensorProto.FLOAT)
        shape = self._constant("weights_shape", np.array([-1, 1, channels, 1], np.int64))
        weight = self._node("Reshape", [weight, shape], "vector")
        product = self._node("MatMul", [self._features(), weight], "product")
        axis = self._constant("axis", np.array([-1], np.int64))
        tensor = self._node("Squeeze", [product, axis], "grid")
        factors = self._factors(top, scale, classes)
        if factors:
            factor = self._node("Unsqueeze", [factors, axis], "factor")
            tensor = self._node("Mul", [tensor, factor], "scaled")
        output = helper.make_tensor_value_info(tensor, TensorProto.FLOAT, ["N", "H", "W"])
        return helper.make_graph(self._nodes, "explained", [], [output])

    def _factors(self, top: str, scale: str | None, classes: int) -> str | None:
        """[N, 1]: by which the map of the class `top` is to be multiplied."""
        values = np.ones(1, np.float32) if scale is None else self._index.constant(scale)
        if classes == 1:  # the logit of the first class is minus that of the second
            values = np.concatenate([-values.reshape(-1), values.reshape(-1)])
            scale = self._constant("signs", values)
        elif scale is not None and values.size == 1:
            scale = self._constant("scales", np.full(classes, values, np.float32))
        return self._node("Gather", [scale, top], "scale", axis=0) if scale else None

    def _features(self) -> str:
        """float32 [N, H, W, C]"""
        node = self._index.producer.get(self._head.features)
        quantized = node is not None and node.op_type == "DequantizeLinear"
        tensor = node.input[0] if node is not None and quantized else self._head.features
        if not self._head.channels_last:
            place = self.before if quantized else self._nodes
            tensor = _append(place, "Transpose", [tensor], "channels_last", perm=[0, 2, 3, 1])
        if node is None or not quantized:
            return tensor
        return self._node("DequantizeLinear", [tensor, *node.input[1:]], "features")

    def _node(self, op_type: str, inputs: list[str], name: str, **options: Any) -> str:
        return _append(self._nodes, op_type, inputs, name, **options)

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self._graph.initializer.append(numpy_helper.from_array(values, f"{CLASS_MAP}.{name}"))
        return f"{CLASS_MAP}.{name}"


def _append(
    nodes: list[onnx.NodeProto], op_type: str, inputs: list[str], name: str, **options: Any
) -> str:
    """Append a node; the name of its output."""
    output = f"{CLASS_MAP}.{name}"
    nodes.append(helper.make_node(op_type, inputs, [output], name=output, **options))
    return output


def _checked(mapped: onnx.ModelProto, head: _Head, pixels: NDArray[np.uint8]) -> ClassMap | None:
    """The description of the map; None if its mean plus the bias is not the logit."""
    model = copy_of(mapped)
    model.graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, None))
    checked = session(model)
    names = [PROBABILITIES, CLASS_MAP, LOGITS]
    for photo in pixels[:, None]:
        feeds = {PIXELS: photo, EXPLAIN: np.array(True)}
        (probabilities,), (grid,), (logits,) = checked.run(names, feeds)
        index = int(probabilities.argmax()) if len(logits) > 1 else 0
        sign = -1 if len(logits) == 1 and probabilities.argmax() == 0 else 1
        bias = head.bias[index if head.bias.size > 1 else 0]
        float_error = _FLOAT_TOLERANCE * (np.abs(grid).mean() + abs(bias))
        if not abs(sign * grid.mean() + bias - logits[index]) <= head.rounding[index] + float_error:
            return None
    height, width = grid.shape
    return ClassMap(height, width, round(float(head.rounding.max()), 4))
