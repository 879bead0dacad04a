"""The output does not depend on the CPU: this one, and an emulated one without VNNI."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from classifier.images import read_image
from local.models.graph.onnx_graph import GraphIndex
from local.models.quantization.qdq_layers import find_layers, unsafe_layers
from tests.support.paths import ROOT, SHIPPED_MODEL, SHIPPED_MODELS
from tests.support.pictures import encode, photo
from tests.support.tools import QEMU, needs

MODEL = SHIPPED_MODEL / "model.onnx"
MORE_PHOTOS = ROOT.parent / "shared" / "images"
PHOTOS = 24


def read_pixels(size: int) -> NDArray[np.uint8]:
    """24 different photos, uint8 [24, size, size, 3]: from a folder beside the checkout if it
    exists, else mirrored and cropped from scikit-image's."""
    files = sorted(MORE_PHOTOS.glob("*.JPEG"))
    if files:
        chosen = files[:: len(files) // PHOTOS][:PHOTOS]
        return np.stack([read_image(photo.read_bytes(), size) for photo in chosen])
    names = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg"]
    names += ["retina.jpg"]
    crops = [
        read_image(encode(photo(name), "PNG"), size, fraction)
        for name in names
        for fraction in (0.875, 0.5)
    ]
    return np.stack([*crops, *(crop[:, ::-1] for crop in crops)])


def outputs(
    model: Path, pixels: NDArray[np.uint8], folder: Path, *emulator: str
) -> dict[str, NDArray[np.float32]]:
    np.save(folder / "pixels.npy", pixels)
    program = str(Path(__file__).with_name("run_model.py"))
    files = [str(model), str(folder / "pixels.npy"), str(folder / "answers.npz")]
    subprocess.run([*emulator, sys.executable, program, *files], check=True, capture_output=True)
    with np.load(folder / "answers.npz") as stored:
        return dict(stored)


def with_logits(model: onnx.ModelProto, path: Path) -> Path:
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    model.graph.output.insert(0, logits)
    onnx.save(model, path)
    return path


@pytest.mark.slow
@needs(QEMU)
@pytest.mark.parametrize("folder", SHIPPED_MODELS, ids=lambda folder: folder.name)
def test_logits_are_the_same_bit_for_bit_without_vnni(folder: Path, tmp_path: Path) -> None:
    # given a shipped model, its logits as an output too
    graph = onnx.load(folder / "model.onnx")
    pixels = read_pixels(graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value)
    model = with_logits(graph, tmp_path / "model.onnx")

    # when it runs on this processor and on an emulated Haswell, which has AVX2 and no VNNI
    here = outputs(model, pixels, tmp_path)
    there = outputs(model, pixels, tmp_path, str(QEMU.path()), "-cpu", "Haswell")

    # then
    assert len(here["logits"]) == PHOTOS
    assert len({row.tobytes() for row in here["logits"]}) == PHOTOS
    assert (here["logits"] == there["logits"]).all()
    assert np.abs(here["probabilities"] - there["probabilities"]).max() <= 1e-6


def test_every_layer_of_the_shipped_model_is_safe() -> None:
    model = onnx.load(MODEL)
    assert len(list(find_layers(model.graph))) == 50
    assert unsafe_layers(model.graph) == []


def test_layer_that_could_saturate_is_found() -> None:
    # given the shipped model with one pair of weights that sums to more than 128
    model = onnx.load(MODEL)
    index = GraphIndex(model.graph)
    layer = next(layer for layer in find_layers(model.graph) if layer.node.name == "head")
    weight = index.constant(layer.weight[0]).copy()
    weight[7, 2:4, 0, 0] = 65, 64
    index.set_constant(layer.weight[0], weight)

    assert unsafe_layers(model.graph) == ["head"]
