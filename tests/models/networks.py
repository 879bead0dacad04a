"""Small image classifiers as ONNX files, in the style of other tools."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 16
CLASSES = 5


class Network:
    """A sequence of nodes and constants; the current tensor is the next node's input."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.tensor = "input"

    def add(self, op_type: str, *constants: NDArray[Any], **attributes: Any) -> None:
        names = [f"c{len(self.constants) + number}" for number in range(len(constants))]
        self.constants += [
            numpy_helper.from_array(values, name)
            for values, name in zip(constants, names, strict=True)
        ]
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, [self.tensor, *names], [output], **attributes))
        self.tensor = output

    def weights(self, *shape: int) -> NDArray[np.float32]:
        return self.random.normal(0, 0.4, shape).astype(np.float32)

    def save(
        self,
        path: Path,
        *,
        input_shape: list[Any],
        output_shape: list[Any],
        opset: int = 17,
        constants_as_inputs: bool = False,
        element: int = TensorProto.FLOAT,
    ) -> Path:
        inputs = [helper.make_tensor_value_info("input", element, input_shape)]
        if constants_as_inputs:
            inputs += [
                helper.make_tensor_value_info(constant.name, constant.data_type, constant.dims)
                for constant in self.constants
            ]
        outputs = [helper.make_tensor_value_info(self.tensor, element, output_shape)]
        graph = helper.make_graph(self.nodes, "tiny", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", opset)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path


def old_fixed_batch(path: Path) -> Path:
    """Opset 11, batch 1 even in a Reshape, probabilities, batch norm, constants as inputs."""
    net = Network(1)
    net.add("Conv", net.weights(8, 3, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    ones, zeros = np.ones(8, np.float32), np.zeros(8, np.float32)
    net.add("BatchNormalization", ones * 2, zeros + 0.1, zeros + 0.2, ones * 3)
    net.add("Relu")
    net.add("GlobalAveragePool")
    net.add("Reshape", np.array([1, 8], np.int64))
    net.add("Gemm", net.weights(CLASSES, 8), net.weights(CLASSES), transB=1, alpha=3.0, beta=0.5)
    net.add("Softmax", axis=1)
    return net.save(
        path,
        input_shape=[1, 3, SIZE, SIZE],
        output_shape=[1, CLASSES],
        opset=11,
        constants_as_inputs=True,
    )


def grouped_rank_4(path: Path) -> Path:
    """Grouped and depthwise convolutions, odd kernel lengths, logits [N, classes, 1, 1]."""
    net = Network(2)
    net.add("Conv", net.weights(6, 3, 3, 3), net.weights(6), auto_pad="SAME_UPPER", strides=[2, 2])
    net.add("Clip", np.array(0, np.float32), np.array(6, np.float32))
    net.add("Conv", net.weights(6, 1, 3, 3), net.weights(6), group=6, dilations=[2, 2])
    net.add("Relu")
    net.add("Conv", net.weights(12, 2, 1, 1), net.weights(12), group=3)
    net.add("Relu")
    net.add("Conv", net.weights(CLASSES, 12, 1, 1), net.weights(CLASSES))
    net.add("GlobalAveragePool")
    return net.save(
        path, input_shape=["batch", 3, SIZE, SIZE], output_shape=["batch", CLASSES, 1, 1]
    )


def channels_last(path: Path) -> Path:
    """A perceptron of MatMuls on [N, H, W, 3], logits."""
    net = Network(3)
    net.add("Reshape", np.array([-1, SIZE * SIZE * 3], np.int64))
    net.add("MatMul", net.weights(SIZE * SIZE * 3, 9) / 10)
    net.add("Relu")
    net.add("MatMul", net.weights(9, CLASSES))
    return net.save(path, input_shape=["N", SIZE, SIZE, 3], output_shape=["N", CLASSES])


def small_convolution(
    path: Path,
    *ends: tuple[str, dict[str, Any]],
    outputs: int = CLASSES,
    layout: str = "nchw",
    free_size: bool = False,
    half: Literal["", "inside", "everywhere"] = "",
    output_shape: list[Any] | None = None,
) -> Path:
    """One convolution and one matrix product, and then the operators of `ends` with their
    attributes. Height and width are free, and float16 is inside or everywhere, if wanted."""
    net = Network(4)
    kind = np.float16 if half else np.float32
    if layout == "nhwc":
        net.add("Transpose", perm=[0, 3, 1, 2])
    if half == "inside":
        net.add("Cast", to=TensorProto.FLOAT16)
    net.add("Conv", net.weights(8, 3, 3, 3).astype(kind), pads=[1, 1, 1, 1], strides=[2, 2])
    net.add("Relu")
    net.add("GlobalAveragePool")
    net.add("Flatten")
    # times two: probabilities far from 0.5
    weight, bias = 2 * net.weights(outputs, 8), net.weights(outputs)
    net.add("Gemm", weight.astype(kind), bias.astype(kind), transB=1)
    for op_type, attributes in ends:
        net.add(op_type, **attributes)
    if half == "inside":
        net.add("Cast", to=TensorProto.FLOAT)
        net.nodes.append(net.nodes.pop(0))  # in no order, as ONNX Runtime's converter writes it
    side: Any = None if free_size else SIZE
    shape = [3, side, side] if layout == "nchw" else [side, side, 3]
    return net.save(
        path,
        input_shape=["batch", *shape],
        output_shape=["batch", outputs] if output_shape is None else output_shape,
        element=TensorProto.FLOAT16 if half == "everywhere" else TensorProto.FLOAT,
    )


def flat(path: Path) -> Path:
    """A perceptron for images of 8 by 8 pixels that declares a free height and width."""
    net = Network(5)
    net.add("Flatten")
    net.add("Gemm", net.weights(CLASSES, 3 * 8 * 8), net.weights(CLASSES), transB=1)
    return net.save(path, input_shape=["N", 3, None, None], output_shape=["N", CLASSES])
