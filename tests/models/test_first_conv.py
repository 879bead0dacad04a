"""Space-to-depth of the first convolution keeps the function."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from local.models.graph.first_conv import apply_space_to_depth
from local.models.graph.service_io import Normalization
from local.models.graph.sessions import session
from local.models.quantization.qdq_layers import find_layers, unsafe_layers
from local.models.quantization.quantize import quantize
from local.models.sources.import_onnx import import_onnx
from tests.models.networks import CLASSES, SIZE, Network, channels_last

NORMALIZATION = Normalization(SIZE, (127.0,) * 3, (128.0,) * 3)


def network(path: Path, *, kernel: int = 3, activation: str = "Relu", **options: Any) -> Path:
    """A classifier whose first convolution has these attributes."""
    net = Network(4)
    groups = options.get("group", 1)
    net.add("Conv", net.weights(6, 3 // groups, kernel, kernel), net.weights(6), **options)
    if activation == "Clip":
        net.add("Clip", np.array(0, np.float32), np.array(1, np.float32))
    elif activation:
        net.add(activation)
    net.add("Conv", net.weights(8, 6, 1, 1), net.weights(8))
    net.add("Relu")
    net.add("GlobalAveragePool")
    net.add("Flatten", axis=1)
    net.add("Gemm", net.weights(CLASSES, 8), net.weights(CLASSES), transB=1)
    return net.save(path, input_shape=["N", 3, SIZE, SIZE], output_shape=["N", CLASSES])


def first_weight(model: onnx.ModelProto) -> tuple[int, ...]:
    constants = {constant.name: constant for constant in model.graph.initializer}
    convolution = next(node for node in model.graph.node if node.op_type == "Conv")
    return numpy_helper.to_array(constants[convolution.input[1]]).shape


@pytest.mark.parametrize("activation", ["Relu", "Clip", "Sigmoid", ""])
@pytest.mark.parametrize(
    ("kernel", "pads", "strides", "shape"),
    [
        (3, [0, 0, 1, 1], [2, 2], (12, 12, 3, 2)),  # TensorFlow's 'SAME'
        (5, [2, 0, 2, 3], [2, 2], (12, 12, 5, 2)),
        (2, [0, 0, 0, 0], [2, 2], (12, 12, 2, 1)),
        (3, [1, 0, 1, 1], [1, 2], (12, 12, 3, 2)),
    ],
)
def test_space_to_depth_keeps_the_function(  # noqa: PLR0917
    kernel: int,
    pads: list[int],
    strides: list[int],
    shape: tuple[int, ...],
    activation: str,
    tmp_path: Path,
) -> None:
    # given a first convolution of stride 2
    path = network(
        tmp_path / "n.onnx", kernel=kernel, activation=activation, pads=pads, strides=strides
    )
    floats = import_onnx(path, NORMALIZATION).network
    # when
    result = apply_space_to_depth(floats)
    # then it makes two columns of twice the channels, and the logits are the same
    onnx.checker.check_model(result, full_check=True)
    assert first_weight(result) == shape
    photos = np.random.default_rng(0).normal(0, 1, (3, 3, SIZE, SIZE)).astype(np.float32)
    name = floats.graph.input[0].name
    (expected,), (output,) = (
        session(model).run(None, {name: photos}) for model in (floats, result)
    )
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (3, {"pads": [0, 0, 1, 1], "strides": [2, 1]}),
        (3, {"pads": [1, 1, 1, 1], "strides": [2, 2]}),  # columns that begin before the photo
        (3, {"strides": [2, 2]}),  # one output column short
        (3, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        (3, {"pads": [0, 0, 3, 3], "strides": [2, 2], "dilations": [2, 2]}),
        (3, {"pads": [0, 0, 1, 1], "strides": [2, 2], "group": 3}),
    ],
)
def test_unsupported_convolutions_are_unchanged(
    kernel: int, options: dict[str, Any], tmp_path: Path
) -> None:
    path = network(tmp_path / "n.onnx", kernel=kernel, **options)
    floats = import_onnx(path, NORMALIZATION).network
    assert apply_space_to_depth(floats) is floats


def test_network_without_convolution_is_unchanged(tmp_path: Path) -> None:
    normalization = Normalization(SIZE, (127.0,) * 3, (128.0,) * 3, "nhwc")
    floats = import_onnx(channels_last(tmp_path / "n.onnx"), normalization).network
    assert apply_space_to_depth(floats) is floats


def test_quantized_network_is_safe_on_every_cpu(tmp_path: Path) -> None:
    # given a network that is widened
    path = network(tmp_path / "n.onnx", pads=[0, 0, 1, 1], strides=[2, 2])
    floats = import_onnx(path, NORMALIZATION).network
    pixels = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)
    # when
    model = quantize(floats, pixels, NORMALIZATION)
    # then
    assert first_weight(apply_space_to_depth(floats)) == (12, 12, 3, 2)
    assert len(list(find_layers(model.graph))) == 3
    assert unsafe_layers(model.graph) == []
    # and it answers as the float network does
    (expected,) = session(floats).run(
        None, {floats.graph.input[0].name: NORMALIZATION.apply(pixels)}
    )
    powers = np.exp(expected - expected.max(1, keepdims=True))
    (output,) = session(model).run(None, {"pixels": pixels})
    np.testing.assert_allclose(output, powers / powers.sum(1, keepdims=True), atol=0.05)
