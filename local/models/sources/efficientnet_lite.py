"""EfficientNet-Lite0: named arrays -> a float ONNX graph, batch norms folded into convolutions.

The architecture is EfficientNet-B0 (Tan and Le 2019, table 1) without squeeze-and-excitation and
with ReLU6 instead of swish; stem and head keep their width. Mean, deviation, padding and epsilon
are those of the TensorFlow release of the weights (tensorflow/tpu,
models/official/efficientnet/lite).
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]

SIZE: Final = 224
MEAN: Final = (127.0, 127.0, 127.0)
STD: Final = (128.0, 128.0, 128.0)
CROP_FRACTION: Final = 0.875
INTERPOLATION: Final = "hamming"
"""The training used bicubic, whose support is twice as large and which costs 0.45 ms more of 6.8 ms
for a 100 kB JPEG. On 500 photos, top-1 of the float network is 89.2 % with either."""

OPSET: Final = 17
IR_VERSION: Final = 8
_BATCH_NORM_EPSILON: Final = 1e-3

_STRIDES: Final = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""The stride of each of the 16 blocks; kernel sizes and widths follow from the weights."""


def float_model(weights: Mapping[str, Array]) -> onnx.ModelProto:
    """The network for inference: `input` float32 [N, 3, 224, 224], normalized -> `logits` float32
    [N, classes].

    `weights` are the checkpoint's arrays by name. Raises `KeyError` if one is missing.
    """
    network = _Network(weights)
    size = SIZE
    tensor, size = network.conv("input", size, "stem", "_conv_stem", "_bn0", stride=2)
    for number, stride in enumerate(_STRIDES):
        tensor, size = network.block(tensor, size, number, stride)
    tensor, _ = network.conv(tensor, size, "head", "_conv_head", "_bn1")
    tensor = network.node("GlobalAveragePool", [tensor], "pool")
    tensor = network.node("Flatten", [tensor], "features")
    classes = len(weights["_fc.bias"])
    weight = network.constant("classifier.weight", weights["_fc.weight"])
    bias = network.constant("classifier.bias", weights["_fc.bias"])
    network.node("Gemm", [tensor, weight, bias], "logits", transB=1)
    return network.model(classes)


class _Network:
    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[TensorProto] = []
        self._six = [
            self.constant("relu6.min", np.array(0, np.float32)),
            self.constant("relu6.max", np.array(6, np.float32)),
        ]

    def constant(self, name: str, values: Array) -> str:
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def block(self, tensor: str, size: int, number: int, stride: int) -> tuple[str, int]:
        """An inverted residual (Sandler et al. 2018): expand, depthwise, project, add."""
        source, name, key = tensor, f"block{number}", f"_blocks.{number}."
        if key + "_expand_conv.weight" in self._weights:
            tensor, size = self.conv(
                tensor, size, f"{name}.expand", key + "_expand_conv", key + "_bn0"
            )
        tensor, size = self.conv(
            tensor, size, f"{name}.depthwise", key + "_depthwise_conv", key + "_bn1", stride=stride
        )
        tensor, size = self.conv(
            tensor, size, f"{name}.project", key + "_project_conv", key + "_bn2", relu6=False
        )
        outputs, inputs = self._width(key + "_project_conv"), self._inputs(key)
        if stride == 1 and inputs == outputs:
            tensor = self.node("Add", [tensor, source], f"{name}.add")
        return tensor, size

    def conv(  # noqa: PLR0913 - what a layer is made of
        self,
        tensor: str,
        size: int,
        name: str,
        conv: str,
        batch_norm: str,
        *,
        stride: int = 1,
        relu6: bool = True,
    ) -> tuple[str, int]:
        """Convolution and batch norm as one Conv, with TensorFlow's 'SAME' padding."""
        weight, bias = self._folded(conv, batch_norm)
        outputs, _, kernel, _ = weight.shape
        before, after = _same_padding(size, kernel, stride)
        tensor = self.node(
            "Conv",
            [
                tensor,
                self.constant(f"{name}.weight", weight),
                self.constant(f"{name}.bias", bias),
            ],
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=outputs if name.endswith("depthwise") else 1,
        )
        if relu6:
            tensor = self.node("Clip", [tensor, *self._six], f"{name}.relu6")
        return tensor, -(-size // stride)

    def model(self, classes: int) -> onnx.ModelProto:
        pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
        graph = helper.make_graph(
            self._nodes, "efficientnet-lite0", [pixels], [output], self._constants
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _folded(self, conv: str, batch_norm: str) -> tuple[Array, Array]:
        """gamma (W x - mean) / sqrt(var + eps) + beta as one weight and one bias."""

        def parameter(name: str) -> NDArray[np.float64]:
            return self._weights[f"{batch_norm}.{name}"].astype(np.float64)

        deviation = np.sqrt(parameter("running_var") + _BATCH_NORM_EPSILON)
        gain = parameter("weight") / deviation
        weight = self._weights[f"{conv}.weight"] * gain[:, None, None, None]
        bias = parameter("bias") - parameter("running_mean") * gain
        return weight.astype(np.float32), bias.astype(np.float32)

    def _width(self, conv: str) -> int:
        return len(self._weights[conv + ".weight"])

    def _inputs(self, key: str) -> int:
        expand = self._weights.get(key + "_expand_conv.weight")
        return self._width(key + "_depthwise_conv") if expand is None else expand.shape[1]


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's 'SAME': the output has ceil(size / stride) positions, and the larger half of the
    padding goes after the image."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
