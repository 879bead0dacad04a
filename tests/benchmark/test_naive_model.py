"""The tutorial app's model is the float model without its normalization."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from local.benchmark.apps.naive_model import write_float_input
from local.benchmark.servers.server import MeasurementError
from local.models.graph.service_io import Normalization, add_service_io
from tests.models.networks import SIZE, Network


def convolution(path: Path) -> onnx.ModelProto:
    net = Network()
    net.add("Conv", net.weights(4, 3, 3, 3), net.weights(4))
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("Identity")
    net.save(path, input_shape=["N", 3, SIZE, SIZE], output_shape=["N", 4])
    model = onnx.load(path)
    model.graph.node[-1].output[0] = model.graph.output[0].name = "logits"
    return model


def run(path: Path, values: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    outputs: np.ndarray = session.run(None, {session.get_inputs()[0].name: values})[0]
    return outputs


@pytest.mark.parametrize("std", [(128.0, 128.0, 128.0), (58.0, 57.0, 57.0)])
def test_normalized_floats_and_pixels_give_the_same_output(
    tmp_path: Path, std: tuple[float, float, float]
) -> None:
    # given: a model for pixels, that dequantizes them or computes with them
    normalization = Normalization(SIZE, (127.0, 127.0, 127.0), std)
    model = add_service_io(convolution(tmp_path / "net.onnx"), normalization)
    onnx.save(model, tmp_path / "pixels.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    # when
    write_float_input(tmp_path / "pixels.onnx", tmp_path / "floats.onnx")
    # then
    outputs = run(tmp_path / "floats.onnx", normalization.apply(pixels))
    assert np.allclose(outputs, run(tmp_path / "pixels.onnx", pixels), atol=1e-5)


def test_model_without_convolutions_is_an_error(tmp_path: Path) -> None:
    net = Network()
    net.add("Flatten")
    net.save(tmp_path / "net.onnx", input_shape=["N", 4, 4, 3], output_shape=["N", 48])
    with pytest.raises(MeasurementError, match=r"net\.onnx has no convolution"):
        write_float_input(tmp_path / "net.onnx", tmp_path / "floats.onnx")
