"""Small classifiers of six kinds, with random weights and a fitted last layer.

Weights are drawn as in He et al. 2015 (variance 2 / inputs), so that activations neither vanish
nor explode; the last layer is fitted to the classes of photos. The input is float32
[N, 3, size, size], pixels of 0 to 255 minus 127 and divided by 128, the output `output`
[N, outputs].
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from local.models.graph.onnx_graph import GraphIndex, copy_of
from local.models.graph.service_io import Normalization

Floats = NDArray[np.float32]

FEATURES: Final = "features"
OUTPUT: Final = "output"
OPSET: Final = 17

_RIDGE: Final = 1e-3
"""Of the features' mean square: noise of 3 % of a feature changes the logits little, as in trained
networks. Without it, the fit would amplify the smallest differences."""

_MARGIN: Final = 4.0
"""The logits that the fit aims at: 4 or more for right classes, -4 or less for others."""

_ROUNDS: Final = 15
"""Of the fit; the logits hardly change afterwards."""


def normalization(size: int) -> Normalization:
    return Normalization(size, (127.0,) * 3, (128.0,) * 3)


class Builder:
    """Nodes and constants; each method adds nodes behind a tensor and returns their output."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def node(self, op_type: str, inputs: list[str], **attributes: Any) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def weights(self, *shape: int, inputs: int, gain: float = 2.0) -> Floats:
        return self.random.normal(0, (gain / inputs) ** 0.5, shape).astype(np.float32)

    def conv(  # noqa: PLR0917
        self, x: str, before: int, after: int, kernel: int = 3, stride: int = 1, group: int = 1
    ) -> str:
        """A convolution of `before` to `after` channels with 'same' padding."""
        inputs = before // group * kernel**2
        weight = self.constant(self.weights(after, before // group, kernel, kernel, inputs=inputs))
        bias = self.constant(self.random.normal(0, 0.1, after).astype(np.float32))
        return self.node(
            "Conv",
            [x, weight, bias],
            pads=[kernel // 2] * 4,
            strides=[stride] * 2,
            group=group,
        )

    def linear(self, x: str, before: int, after: int, gain: float = 1.0) -> str:
        """A matrix product [..., before] -> [..., after] and a bias."""
        weight = self.constant(self.weights(before, after, inputs=before, gain=gain))
        bias = self.constant(self.random.normal(0, 0.1, after).astype(np.float32))
        return self.node("Add", [self.node("MatMul", [x, weight]), bias])

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def relu6(self, x: str) -> str:
        return self.node("Clip", [x, self.number(0), self.number(6)])

    def hard_swish(self, x: str) -> str:
        """x * HardSigmoid(x), as exporters write HardSwish for opsets below 14"""
        return self.node("Mul", [x, self.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)])

    def pool(self, x: str) -> None:
        self.features(self.node("GlobalAveragePool", [x]))

    def features(self, x: str) -> None:
        """Flatten a tensor to the inputs of the last layer."""
        self.nodes.append(helper.make_node("Flatten", [x], [FEATURES], name=FEATURES))

    def model(self, outputs: int, width: int) -> onnx.ModelProto:
        self.constants.append(numpy_helper.from_array(np.zeros((outputs, width), np.float32), "w"))
        self.constants.append(numpy_helper.from_array(np.zeros(outputs, np.float32), "b"))
        last = helper.make_node("Gemm", [FEATURES, "w", "b"], [OUTPUT], name=OUTPUT, transB=1)
        shape: list[str | int | None] = ["N", 3, self.size, self.size]
        return helper.make_model(
            helper.make_graph(
                [*self.nodes, last],
                "network",
                [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
                [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", outputs])],
                self.constants,
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=8,
        )


def depthwise(size: int, outputs: int, width: int = 16) -> onnx.ModelProto:
    """Inverted residuals with ReLU6, as in MobileNetV2."""
    net = Builder(size, 1)
    x = net.relu6(net.conv("input", 3, width, stride=2))
    for stride in (2, 1, 2, 1):
        inner = net.relu6(net.conv(x, width, 4 * width, kernel=1))
        inner = net.relu6(net.conv(inner, 4 * width, 4 * width, stride=stride, group=4 * width))
        inner = net.conv(inner, 4 * width, width, kernel=1)
        x = inner if stride == 2 else net.node("Add", [x, inner])
    net.pool(net.relu6(net.conv(x, width, 8 * width, kernel=1)))
    return net.model(outputs, 8 * width)


def residual(size: int, outputs: int, width: int = 16) -> onnx.ModelProto:
    """Basic blocks with a skip connection and batch norms, as in ResNet-18."""
    net = Builder(size, 2)
    x = net.relu(net.conv("input", 3, width, kernel=5, stride=2))
    x = net.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for _ in range(2):
        wide = 2 * width
        inner = net.relu(_normalized(net, net.conv(x, width, wide, stride=2), wide))
        inner = _normalized(net, net.conv(inner, wide, wide), wide)
        x = net.relu(net.node("Add", [inner, net.conv(x, width, wide, kernel=1, stride=2)]))
        width = wide
    net.pool(x)
    return net.model(outputs, width)


def _normalized(net: Builder, x: str, width: int) -> str:
    scale, variance = np.ones(width, np.float32), np.full(width, 2, np.float32)
    zeros = np.zeros(width, np.float32)
    constants = [net.constant(values) for values in (scale, zeros, zeros, variance)]
    return net.node("BatchNormalization", [x, *constants])


def squeeze_excite(size: int, outputs: int, width: int = 16) -> onnx.ModelProto:
    """Hard-swish, and channels scaled by squeeze-and-excitation, as in MobileNetV3."""
    net = Builder(size, 3)
    x = net.hard_swish(net.conv("input", 3, width, stride=2))
    for stride in (2, 1, 2):
        wide = 3 * width
        inner = net.hard_swish(net.conv(x, width, wide, kernel=1))
        inner = net.hard_swish(net.conv(inner, wide, wide, kernel=5, stride=stride, group=wide))
        squeezed = net.node("GlobalAveragePool", [inner])
        squeezed = net.relu(net.conv(squeezed, wide, wide // 4, kernel=1))
        gate = net.conv(squeezed, wide // 4, wide, kernel=1)
        inner = net.node("Mul", [inner, net.node("HardSigmoid", [gate], alpha=1 / 6, beta=0.5)])
        inner = net.conv(inner, wide, width, kernel=1)
        x = inner if stride == 2 else net.node("Add", [x, inner])
    net.pool(net.hard_swish(net.conv(x, width, 8 * width, kernel=1)))
    return net.model(outputs, 8 * width)


def transformer(size: int, outputs: int, width: int = 48) -> onnx.ModelProto:
    """Two blocks of attention and of a GELU perceptron on patches of 8 by 8, as in ViT."""
    net, patch, heads = Builder(size, 4), 8, 3
    count = (size // patch) ** 2
    weight = net.constant(net.weights(width, 3, patch, patch, inputs=3 * patch**2))
    x = net.node("Conv", ["input", weight], strides=[patch] * 2)
    shape = np.array([0, width, count], np.int64)
    x = net.node("Transpose", [net.node("Reshape", [x, net.constant(shape)])], perm=[0, 2, 1])
    positions = net.random.normal(0, 0.3, (1, count, width)).astype(np.float32)
    x = net.node("Add", [x, net.constant(positions)])
    for _ in range(2):
        x = net.node("Add", [x, _attention(net, _layer_norm(net, x, width), width, heads, count)])
        hidden = _gelu(net, net.linear(_layer_norm(net, x, width), width, 3 * width, gain=2))
        x = net.node("Add", [x, net.linear(hidden, 3 * width, width)])
    x = net.node("ReduceMean", [_layer_norm(net, x, width)], axes=[1], keepdims=0)
    net.features(x)
    return net.model(outputs, width)


def _layer_norm(net: Builder, x: str, width: int) -> str:
    scale = net.constant(net.random.uniform(0.5, 1.5, width).astype(np.float32))
    shift = net.constant(net.random.normal(0, 0.1, width).astype(np.float32))
    return net.node("LayerNormalization", [x, scale, shift], axis=-1)


def _attention(net: Builder, x: str, width: int, heads: int, count: int) -> str:
    shape = net.constant(np.array([0, count, heads, width // heads], np.int64))
    orders = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    query, key, value = (
        net.node(
            "Transpose", [net.node("Reshape", [net.linear(x, width, width), shape])], perm=order
        )
        for order in orders
    )
    scores = net.node(
        "Mul", [net.node("MatMul", [query, key]), net.number((width / heads) ** -0.5)]
    )
    mixed = net.node("MatMul", [net.node("Softmax", [scores], axis=-1), value])
    joined = net.constant(np.array([0, count, width], np.int64))
    mixed = net.node("Reshape", [net.node("Transpose", [mixed], perm=[0, 2, 1, 3]), joined])
    return net.linear(mixed, width, width)


def _gelu(net: Builder, x: str) -> str:
    """x (1 + erf(x / sqrt 2)) / 2, in the five nodes that PyTorch exports"""
    erf = net.node("Erf", [net.node("Div", [x, net.number(2**0.5)])])
    product = net.node("Mul", [x, net.node("Add", [erf, net.number(1)])])
    return net.node("Mul", [product, net.number(0.5)])


def plain(size: int, outputs: int, width: int = 16) -> onnx.ModelProto:
    """Convolutions and ReLU, as in VGG."""
    net = Builder(size, 5)
    x, before = "input", 3
    for after in (width, 2 * width, 2 * width, 4 * width):
        x, before = net.relu(net.conv(x, before, after, stride=2)), after
    net.pool(x)
    return net.model(outputs, before)


class Architecture(Protocol):
    """Builds a network for photos of size * size pixels."""

    def __call__(self, size: int, outputs: int, width: int = ..., /) -> onnx.ModelProto: ...


KINDS: Final[Mapping[str, Architecture]] = {
    "depthwise": depthwise,
    "residual": residual,
    "hard-swish and squeeze-excite": squeeze_excite,
    "vision transformer": transformer,
    "one logit": plain,
    "multi-label": plain,
}
"""What builds the network of each kind. The last two differ from others by their outputs."""


def fitted(
    model: onnx.ModelProto, pixels: NDArray[np.uint8], targets: NDArray[np.bool_]
) -> onnx.ModelProto:
    """The model with a last layer fitted to photos.

    pixels: uint8 [N, size, size, 3]; targets: which outputs are positive, [N, outputs].

    Ridge regression with one-sided errors: a logit beyond the margin is right, and becomes its own
    target in the next round. The decisions are then about as clear as those of a trained network.
    """
    fit = copy_of(model)
    x = features(fit, pixels).astype(np.float64)
    centre = x.mean(0)
    gram = (x - centre).T @ (x - centre)
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    solver = np.linalg.solve(gram + ridge, (x - centre).T)
    sign = np.where(targets, 1.0, -1.0)
    wanted = _MARGIN * sign
    for _ in range(_ROUNDS):
        bias, weight = wanted.mean(0), solver @ (wanted - wanted.mean(0))
        wanted = sign * np.maximum(sign * ((x - centre) @ weight + bias), _MARGIN)
    index = GraphIndex(fit.graph)
    index.set_constant("w", weight.T.astype(np.float32))
    index.set_constant("b", (bias - centre @ weight).astype(np.float32))
    return fit


def features(model: onnx.ModelProto, pixels: NDArray[np.uint8]) -> Floats:
    """The inputs of the last layer, [N, width], for pixels uint8 [N, size, size, 3]."""
    inner = copy_of(model)
    inner.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None))
    session = ort.InferenceSession(inner.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = normalization(pixels.shape[1]).apply(pixels)
    output: Floats = session.run([FEATURES], {"input": inputs})[0]
    return output


def ruined(model: onnx.ModelProto, channels: Mapping[str, float]) -> onnx.ModelProto:
    """The same function, with one channel of huge range behind some convolutions.

    channels: node name -> factor. The first output channel of that Conv is multiplied by it, and
    the next Conv's weights of this channel divided; between them may only be a ReLU. The shared
    scale of the activations then rounds all other channels to nothing.
    """
    copy = copy_of(model)
    index = GraphIndex(copy.graph)
    for name, factor in channels.items():
        node = next(node for node in copy.graph.node if node.name == name)
        user = index.consumers[node.output[0]][0]
        while user.op_type == "Relu":
            (user,) = index.consumers[user.output[0]]
        gain = np.ones(len(index.constant(node.input[1])), np.float32)
        gain[0] = factor
        for constant, shape in ((node.input[1], (-1, 1, 1, 1)), (node.input[2], (-1,))):
            index.set_constant(constant, index.constant(constant) * gain.reshape(shape))
        weight = index.constant(user.input[1])
        index.set_constant(user.input[1], weight / gain.reshape(1, -1, 1, 1))
    return copy
