"""Layers that are to stay floats are floats in ONNX Runtime, too."""

from pathlib import Path

import onnx
import onnxruntime as ort
import pytest

from local.models.graph.service_io import add_service_io
from local.models.quantization.float_layers import protect_float_layers
from local.models.quantization.quantize import PreparedNetwork
from tests.models.architectures import normalization
from tests.models.examples import network_of, photos_for, source_of

SIZE = 32


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedNetwork:
    photos = photos_for("plain", 20, SIZE)
    network = source_of(network_of("plain", photos), SIZE, tmp_path_factory.mktemp("net")).network
    return PreparedNetwork.of(network, photos.pixels, normalization(SIZE))


def optimized(model: onnx.ModelProto, folder: Path) -> list[str]:
    """The operators that ONNX Runtime runs."""
    options = ort.SessionOptions()
    options.log_severity_level = 4  # it warns that the file depends on the processor
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(folder / "optimized.onnx").graph.node
    return [node.op_type for node in nodes]


@pytest.mark.parametrize("layer", ["0.Conv", "4.Conv"], ids=["first", "between two others"])
def test_float_layer_among_quantized_ones_is_not_quantized(
    layer: str, prepared: PreparedNetwork, tmp_path: Path
) -> None:
    # given a network with four convolutions, one of them in float
    model = add_service_io(prepared.quantized([layer]), normalization(SIZE))
    # when ONNX Runtime optimizes it
    operators = optimized(protect_float_layers(model), tmp_path)
    # then the others are quantized
    assert operators.count("QLinearConv") == 3


def test_protection_changes_no_value(prepared: PreparedNetwork) -> None:
    protected = prepared.quantized(["4.Conv"])
    assert protect_float_layers(protected) is protected
    (own,) = (node for node in protected.graph.node if node.name == "4.Conv.input")
    constants = {
        each.name: onnx.numpy_helper.to_array(each) for each in protected.graph.initializer
    }
    (shared,) = (
        node
        for node in protected.graph.node
        if node.op_type == "QuantizeLinear" and node.output[0] == own.input[0]
    )
    for repeated, single in zip(own.input[1:], shared.input[1:], strict=True):
        assert constants[repeated].shape == (32,)
        assert (constants[repeated] == constants[single]).all()


def test_model_without_float_layers_is_unchanged(prepared: PreparedNetwork) -> None:
    quantized = prepared.quantized()
    assert protect_float_layers(quantized) is quantized
