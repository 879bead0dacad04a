"""Input and output of the service's models: uint8 pixels [N, size, size, 3] and probabilities.

The network in between maps normalized floats to logits. If mean and deviation are the same for the
three channels and the mean is an integer, (pixel - mean) / std equals DequantizeLinear with scale 1
/ std and zero point mean: the pixel *is* the quantized input, without other preprocessing.
Otherwise the graph contains the normalization.

The network's last activation is part of the output:

| activation | network's output      | probabilities                            |
| ---------- | --------------------- | ---------------------------------------- |
| softmax    | logits                | of classes that exclude each other       |
| sigmoid    | logits                | of classes that are independent          |
| none       | already probabilities | the same                                 |

A network with one output p (after the activation) becomes two classes, 1 - p and p.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from local.models.graph.onnx_graph import copy_of, declare, drop_unused_constants

PIXELS: Final = "pixels"
LOGITS: Final = "logits"
PROBABILITIES: Final = "probabilities"

Layout = Literal["nchw", "nhwc"]
Colour = Literal["rgb", "bgr"]
Activation = Literal["softmax", "sigmoid", "none"]


@dataclass(frozen=True)
class Normalization:
    """input = (pixel - mean) / std with pixels of 0 to 255, and the network's layout.

    mean and std are in the order R, G, B; colour is the order of the network's channels.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: Layout = "nchw"
    colour: Colour = "rgb"

    @property
    def quantized(self) -> tuple[np.float32, np.uint8] | None:
        """Scale and zero point for which pixels are the quantized input, or None."""
        (mean, *means), (std, *stds) = self.mean, self.std
        if set(means) <= {mean} and set(stds) <= {std} and mean in range(256):
            return np.float32(1 / std), np.uint8(mean)
        return None

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest normalized pixel value."""
        ends = [(end - m) / s for m, s in zip(self.mean, self.std, strict=True) for end in (0, 255)]
        return min(ends), max(ends)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """pixels [N, size, size, 3] -> the network's input, float32."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        floats: NDArray[np.float32] = (pixels.astype(np.float32) - mean) / std
        if self.colour == "bgr":
            floats = floats[..., ::-1]
        return floats if self.layout == "nhwc" else floats.transpose(0, 3, 1, 2)


def add_service_io(
    network: onnx.ModelProto, normalization: Normalization, activation: Activation = "softmax"
) -> onnx.ModelProto:
    """The network with the service's input and output.

    network: normalized floats -> the tensor `logits` [N, classes], or [N, 1] for two classes. If it
    begins by quantizing its input with `normalization.quantized`, that node is removed.
    """
    model = copy_of(network)
    graph = model.graph
    batch = graph.input[0].type.tensor_type.shape.dim[0]
    front = _InputNodes(graph, normalization)
    front.connect()
    outputs = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    nodes = [*front.nodes, *graph.node, *_output_nodes(graph, activation, outputs)]
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused_constants(graph)
    n: Any = batch.dim_value or "N"
    size, classes = normalization.size, served_classes(outputs)
    declare(
        graph,
        inputs=[helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, [n, size, size, 3])],
        outputs=[helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, [n, classes])],
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def served_classes(outputs: int) -> int:
    """The number of classes of a network with that many outputs."""
    return 2 if outputs == 1 else outputs


def _output_nodes(
    graph: onnx.GraphProto, activation: Activation, outputs: int
) -> list[onnx.NodeProto]:
    """The nodes from `logits` to `probabilities`; adds their constants to the graph."""

    def constant(name: str, values: NDArray[Any]) -> str:
        graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def last(op_type: str, inputs: list[str], **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(op_type, inputs, [PROBABILITIES], name=PROBABILITIES, **attributes)

    binary = outputs == 1
    if binary and activation == "none":
        one = constant("one", np.array(1, np.float32))
        rest = helper.make_node("Sub", [one, LOGITS], ["negative"], name="negative")
        return [rest, last("Concat", ["negative", LOGITS], axis=1)]
    if binary:  # softmax(0, z) = (1 - sigmoid(z), sigmoid(z))
        pads = constant("pair_pads", np.array([0, 1, 0, 0], np.int64))
        pair = helper.make_node("Pad", [LOGITS, pads], ["pair"], name="pair")
        return [pair, last("Softmax", ["pair"], axis=-1)]
    if activation == "softmax":
        return [last("Softmax", [LOGITS], axis=-1)]
    return [last("Sigmoid" if activation == "sigmoid" else "Identity", [LOGITS])]


class _InputNodes:
    """The nodes from the tensor `pixels` to the network's first tensor."""

    def __init__(self, graph: onnx.GraphProto, normalization: Normalization) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._graph = graph
        self._normalization = normalization

    def connect(self) -> None:
        source = self._graph.input[0].name
        quantized = self._normalization.quantized
        readers = [node for node in self._graph.node if source in node.input]
        first_is_quantize = [node.op_type for node in readers] == ["QuantizeLinear"]
        tensor = PIXELS
        if quantized and first_is_quantize:
            (quantize,) = readers
            self._ordered(tensor, quantize.output[0])
            self._graph.node.remove(quantize)
        elif quantized:
            tensor = self._ordered(tensor, "pixels_transposed")
            scale, zero_point = quantized
            constants = [
                self._constant("pixels_scale", np.array(scale)),
                self._constant("pixels_zero_point", np.array(zero_point)),
            ]
            self._node("DequantizeLinear", [tensor, *constants], source)
        else:
            self._normalized(self._ordered(tensor, "pixels_transposed"), source)

    def _normalized(self, tensor: str, output: str) -> None:
        shape = (1, 3, 1, 1) if self._normalization.layout == "nchw" else (1, 1, 1, 3)
        order = slice(None, None, -1 if self._normalization.colour == "bgr" else 1)
        mean = np.array(self._normalization.mean[order], np.float32).reshape(shape)
        gain = (1 / np.array(self._normalization.std[order])).astype(np.float32).reshape(shape)
        tensor = self._node("Cast", [tensor], "pixels_float", to=TensorProto.FLOAT)
        tensor = self._node("Sub", [tensor, self._constant("pixels_mean", mean)], "pixels_centred")
        self._node("Mul", [tensor, self._constant("pixels_gain", gain)], output)

    def _ordered(self, tensor: str, output: str) -> str:
        """The pixels in the network's order of dimensions and channels."""
        if self._normalization.colour == "rgb":
            return self._transposed(tensor, output)
        tensor = self._transposed(tensor, "pixels_rgb")
        order = self._constant("pixels_bgr_order", np.array([2, 1, 0], np.int64))
        axis = 1 if self._normalization.layout == "nchw" else 3
        return self._node("Gather", [tensor, order], output, axis=axis)

    def _transposed(self, tensor: str, output: str) -> str:
        if self._normalization.layout == "nhwc":
            return self._node("Identity", [tensor], output)
        return self._node("Transpose", [tensor], output, perm=[0, 3, 1, 2])

    def _node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name
