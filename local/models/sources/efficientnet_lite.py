"""EfficientNet-Lite0, 1 and 2: named arrays -> a float ONNX graph, batch norms folded.

The architecture is EfficientNet-B0 (Tan and Le 2019, table 1), scaled in width and depth, without
squeeze-and-excitation and with ReLU6 instead of swish. Stem and head keep their width, the first
and the last stage their number of blocks. The coefficients, image sizes, mean, deviation, padding,
epsilon and rounding of widths are those of the TensorFlow release of the weights (tensorflow/tpu,
models/official/efficientnet/lite).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from local.models.sources.pytorch_checkpoint import CheckpointError

Array = NDArray[np.float32]

MEAN: Final = (127.0, 127.0, 127.0)
STD: Final = (128.0, 128.0, 128.0)
INTERPOLATION: Final = "hamming"
"""The training used bicubic, whose support is twice as large and which costs 0.45 ms more of 6.8 ms
for a 100 kB JPEG. On 500 photos, top-1 of the float network of Lite0 is 89.2 % with either."""

OPSET: Final = 17
IR_VERSION: Final = 8
_BATCH_NORM_EPSILON: Final = 1e-3

_STEM_WIDTH: Final = 32
_HEAD_WIDTH: Final = 1280
_WIDTH_MULTIPLE: Final = 8


@dataclass(frozen=True)
class _Stage:
    """Blocks of one width; the first has the stride, the others 1."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


_STAGES: Final = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
"""Of EfficientNet-B0."""


@dataclass(frozen=True)
class Block:
    """An inverted residual: kernel size, stride, and channels (expanded channels = inputs times
    expansion)."""

    kernel: int
    stride: int
    inputs: int
    expanded: int
    outputs: int


@dataclass(frozen=True)
class Architecture:
    """A network of the family. size: width and height of its input in pixels.

    crop_fraction: 0.875 in TensorFlow's code for all sizes, size / (size + 32) in timm, where that
    is more accurate: on 500 photos, top-1 of the float networks is 86.8 % and 87.4 % (Lite1), and
    90.4 % with either (Lite2).
    """

    name: str
    size: int
    width: float
    depth: float
    crop_fraction: float

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks in order."""
        found: list[Block] = []
        inputs = _STEM_WIDTH
        for number, stage in enumerate(_STAGES):
            fixed = number in (0, len(_STAGES) - 1)
            repeats = stage.repeats if fixed else math.ceil(self.depth * stage.repeats)
            outputs = _rounded_width(self.width * stage.width)
            for repeat in range(repeats):
                stride = 1 if repeat else stage.stride
                expanded = inputs * stage.expansion
                found.append(Block(stage.kernel, stride, inputs, expanded, outputs))
                inputs = outputs
        return tuple(found)

    def shapes(self, classes: int) -> dict[str, tuple[int, ...]]:
        """The checkpoint's convolutions and its linear layer: name -> shape."""
        last = self.blocks[-1].outputs
        expected: dict[str, tuple[int, ...]] = {
            "_conv_stem.weight": (_STEM_WIDTH, 3, 3, 3),
            "_conv_head.weight": (_HEAD_WIDTH, last, 1, 1),
            "_fc.weight": (classes, _HEAD_WIDTH),
        }
        for number, block in enumerate(self.blocks):
            key = f"_blocks.{number}."
            if block.expanded != block.inputs:
                expected[key + "_expand_conv.weight"] = (block.expanded, block.inputs, 1, 1)
            square = (block.kernel, block.kernel)
            expected[key + "_depthwise_conv.weight"] = (block.expanded, 1, *square)
            expected[key + "_project_conv.weight"] = (block.outputs, block.expanded, 1, 1)
        return expected


LITE0: Final = Architecture("efficientnet-lite0", 224, 1.0, 1.0, 0.875)
LITE1: Final = Architecture("efficientnet-lite1", 240, 1.0, 1.1, 0.882)
LITE2: Final = Architecture("efficientnet-lite2", 260, 1.1, 1.2, 0.875)


def float_model(
    weights: Mapping[str, Array], architecture: Architecture = LITE0
) -> onnx.ModelProto:
    """The network for inference: `input` float32 [N, 3, size, size], normalized -> `logits` float32
    [N, classes].

    `weights` are the checkpoint's arrays by name. Raises `KeyError` if one is missing, and
    `CheckpointError` if they are of another network.
    """
    classes = len(weights["_fc.bias"])
    _check_shapes(weights, architecture, classes)
    network = _Network(weights)
    size = architecture.size
    tensor, size = network.conv("input", size, "stem", "_conv_stem", "_bn0", stride=2)
    for number, block in enumerate(architecture.blocks):
        tensor, size = network.block(tensor, size, number, block)
    tensor, _ = network.conv(tensor, size, "head", "_conv_head", "_bn1")
    tensor = network.node("GlobalAveragePool", [tensor], "pool")
    tensor = network.node("Flatten", [tensor], "features")
    weight = network.constant("classifier.weight", weights["_fc.weight"])
    bias = network.constant("classifier.bias", weights["_fc.bias"])
    network.node("Gemm", [tensor, weight, bias], "logits", transB=1)
    return network.model(architecture, classes)


def _rounded_width(width: float) -> int:
    """The nearest multiple of 8 that is at least 90 % of `width` (`round_filters`)."""
    nearest = max(_WIDTH_MULTIPLE, int(width + _WIDTH_MULTIPLE / 2) // 8 * 8)
    return nearest + _WIDTH_MULTIPLE if nearest < 0.9 * width else nearest


def _check_shapes(weights: Mapping[str, Array], architecture: Architecture, classes: int) -> None:
    expected = architecture.shapes(classes)
    wrong = [name for name, shape in expected.items() if weights[name].shape != shape]
    if wrong:
        raise CheckpointError(
            f"the weights are not those of {architecture.name}: {wrong[0]} has the shape "
            f"{list(weights[wrong[0]].shape)}. Use the checkpoint of {architecture.name}."
        )


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

    def block(self, tensor: str, size: int, number: int, block: Block) -> tuple[str, int]:
        """An inverted residual (Sandler et al. 2018): expand, depthwise, project, add."""
        source, name, key = tensor, f"block{number}", f"_blocks.{number}."
        if block.expanded != block.inputs:
            tensor, size = self.conv(
                tensor, size, f"{name}.expand", key + "_expand_conv", key + "_bn0"
            )
        tensor, size = self.conv(
            tensor,
            size,
            f"{name}.depthwise",
            key + "_depthwise_conv",
            key + "_bn1",
            stride=block.stride,
        )
        tensor, size = self.conv(
            tensor, size, f"{name}.project", key + "_project_conv", key + "_bn2", relu6=False
        )
        if block.stride == 1 and block.inputs == block.outputs:
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

    def model(self, architecture: Architecture, classes: int) -> onnx.ModelProto:
        shape: list[str | int | None] = ["N", 3, architecture.size, architecture.size]
        pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
        graph = helper.make_graph(
            self._nodes, architecture.name, [pixels], [output], self._constants
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


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's 'SAME': the output has ceil(size / stride) positions, and the larger half of the
    padding goes after the image."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
