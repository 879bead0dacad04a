"""The float graphs of the three networks, with random weights."""

import math
from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from local.models.graph.onnx_graph import copy_of
from local.models.graph.service_io import Normalization, add_service_io
from local.models.graph.sessions import session
from local.models.sources.efficientnet_lite import (
    LITE0,
    LITE1,
    LITE2,
    MEAN,
    STD,
    Architecture,
    Array,
    float_model,
)
from local.models.sources.pytorch_checkpoint import CheckpointError

CLASSES = 7
SIZE = 224
# kernel, output channels, expansion of each block: Tan and Le 2019, table 1
BLOCKS = [
    (3, 16, 1), (3, 24, 6), (3, 24, 6), (5, 40, 6), (5, 40, 6), (3, 80, 6), (3, 80, 6), (3, 80, 6),
    (5, 112, 6), (5, 112, 6), (5, 112, 6), (5, 192, 6), (5, 192, 6), (5, 192, 6), (5, 192, 6),
    (3, 320, 6),
]  # fmt: skip
# the same of the larger networks, as their published checkpoints have them
BLOCKS_1 = [
    (3, 16, 1), *[(3, 24, 6)] * 3, *[(5, 40, 6)] * 3, *[(3, 80, 6)] * 4, *[(5, 112, 6)] * 4,
    *[(5, 192, 6)] * 5, (3, 320, 6),
]  # fmt: skip
BLOCKS_2 = [
    (3, 16, 1), *[(3, 24, 6)] * 3, *[(5, 48, 6)] * 3, *[(3, 88, 6)] * 4, *[(5, 120, 6)] * 4,
    *[(5, 208, 6)] * 5, (3, 352, 6),
]  # fmt: skip


class RandomWeights(dict[str, Array]):
    def __init__(self, blocks: Sequence[tuple[int, int, int]] = BLOCKS) -> None:
        super().__init__()
        self.random = np.random.default_rng(0)
        self.conv("_conv_stem", "_bn0", 32, 3, 3)
        width = 32
        for number, (kernel, outputs, expansion) in enumerate(blocks):
            block, wide = f"_blocks.{number}.", width * expansion
            if expansion > 1:
                self.conv(block + "_expand_conv", block + "_bn0", wide, width, 1)
            self.conv(block + "_depthwise_conv", block + "_bn1", wide, 1, kernel)
            self.conv(block + "_project_conv", block + "_bn2", outputs, wide, 1)
            width = outputs
        self.conv("_conv_head", "_bn1", 1280, width, 1)
        self["_fc.weight"] = self.normal(CLASSES, 1280)
        self["_fc.bias"] = self.normal(CLASSES)

    def conv(self, conv: str, batch_norm: str, outputs: int, inputs: int, kernel: int) -> None:
        self[f"{conv}.weight"] = self.normal(outputs, inputs, kernel, kernel) / (
            kernel * inputs**0.5
        )
        for name in ("weight", "running_var"):
            self[f"{batch_norm}.{name}"] = np.float32(0.5) + np.abs(self.normal(outputs))
        for name in ("bias", "running_mean"):
            self[f"{batch_norm}.{name}"] = self.normal(outputs)

    def normal(self, *shape: int) -> Array:
        return self.random.normal(0, 1, shape).astype(np.float32)


@pytest.fixture(scope="module")
def weights() -> RandomWeights:
    return RandomWeights()


@pytest.fixture(scope="module")
def network(weights: RandomWeights) -> onnx.ModelProto:
    return float_model(weights)


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


def run(model: onnx.ModelProto, inputs: NDArray[np.generic]) -> Array:
    each = session(model, threads=1)
    output: Array = each.run(None, {each.get_inputs()[0].name: inputs})[0]
    return output


def test_any_batch_size_gives_probabilities(
    network: onnx.ModelProto, pixels: NDArray[np.uint8]
) -> None:
    model = add_service_io(network, Normalization(SIZE, MEAN, STD))
    together = run(model, pixels)
    assert together.shape == (3, CLASSES)
    np.testing.assert_allclose(together.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(together[:1], run(model, pixels[:1]), rtol=1e-3, atol=1e-6)


def test_padding_matches_tensorflow(network: onnx.ModelProto, pixels: NDArray[np.uint8]) -> None:
    # given the same graph with the padding left to ONNX's own SAME_UPPER, which means TensorFlow's
    automatic = copy_of(network)
    for node in automatic.graph.node:
        kept = [attribute for attribute in node.attribute if attribute.name != "pads"]
        del node.attribute[:]
        node.attribute.extend(kept)
        if node.op_type == "Conv":
            node.attribute.append(helper.make_attribute("auto_pad", "SAME_UPPER"))
    inputs = Normalization(SIZE, MEAN, STD).apply(pixels[:1])
    np.testing.assert_allclose(run(network, inputs), run(automatic, inputs), rtol=1e-3, atol=1e-4)


def test_batch_norm_is_folded(
    network: onnx.ModelProto, weights: RandomWeights, pixels: NDArray[np.uint8]
) -> None:
    # given the stem as a convolution and a batch norm with TensorFlow's epsilon
    arrays = [weights["_conv_stem.weight"]]
    arrays += [
        weights[f"_bn0.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
    ]
    names = ["w", "gamma", "beta", "mean", "var"]
    constants = [onnx.numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("BatchNormalization", ["y", *names[1:]], ["z"], epsilon=1e-3),
    ]
    x, z = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in ("x", "z")
    )
    graph = helper.make_graph(nodes, "stem", [x], [z], constants)
    opsets = [helper.make_opsetid("", 17)]
    unfolded = helper.make_model(graph, opset_imports=opsets, ir_version=8)

    # when the network's stem runs beside it
    stem = copy_of(network)
    del stem.graph.output[:]
    stem.graph.output.append(helper.make_tensor_value_info("stem", TensorProto.FLOAT, None))
    inputs = Normalization(SIZE, MEAN, STD).apply(pixels[:1])

    # then
    np.testing.assert_allclose(run(stem, inputs), run(unfolded, inputs), rtol=1e-3, atol=1e-4)


def test_missing_array_raises_key_error(weights: RandomWeights) -> None:
    incomplete = {name: array for name, array in weights.items() if name != "_blocks.3._bn1.bias"}
    with pytest.raises(KeyError, match=r"_blocks\.3\._bn1\.bias"):
        float_model(incomplete)


@pytest.mark.parametrize(
    ("architecture", "blocks", "parameters"),
    [(LITE0, BLOCKS, 4.7e6), (LITE1, BLOCKS_1, 5.4e6), (LITE2, BLOCKS_2, 6.1e6)],
    ids=["lite0", "lite1", "lite2"],
)
def test_network_has_the_published_size_and_number_of_parameters(
    architecture: Architecture, blocks: Sequence[tuple[int, int, int]], parameters: float
) -> None:
    # the table of the release counts a network with 1000 classes
    graph = float_model(RandomWeights(blocks), architecture).graph
    weights = sum(math.prod(constant.dims) for constant in graph.initializer)
    assert dims(graph.input[0])[1:] == [3, architecture.size, architecture.size]
    assert weights + 1281 * (1000 - CLASSES) == pytest.approx(parameters, abs=0.1e6)


@pytest.mark.parametrize(
    ("architecture", "blocks"), [(LITE1, BLOCKS_1), (LITE2, BLOCKS_2)], ids=["lite1", "lite2"]
)
def test_larger_network_ends_with_a_thirty_second_of_the_image(
    architecture: Architecture, blocks: Sequence[tuple[int, int, int]]
) -> None:
    # given 260 pixels: 130, 65, 33, 17, 9, each rounded up as TensorFlow does
    model = onnx.shape_inference.infer_shapes(float_model(RandomWeights(blocks), architecture))
    sizes = {value.name: dims(value) for value in model.graph.value_info}
    assert sizes["head"][1:] == [1280, *[math.ceil(architecture.size / 32)] * 2]
    assert sum(node.op_type == "Add" for node in model.graph.node) == 14


def dims(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize(
    ("architecture", "blocks"),
    [(LITE0, BLOCKS_1), (LITE1, BLOCKS_2), (LITE2, BLOCKS_1)],
    ids=["deeper than lite0", "wider than lite1", "narrower than lite2"],
)
def test_checkpoint_of_another_network_is_refused(
    architecture: Architecture, blocks: Sequence[tuple[int, int, int]]
) -> None:
    with pytest.raises(CheckpointError, match=f"not those of {architecture.name}"):
        float_model(RandomWeights(blocks), architecture)
