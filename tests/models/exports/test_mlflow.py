"""MLflow's MLmodel names the ONNX file; the facts are in it, or in options."""

from pathlib import Path

import pytest

from tests.models.exports.building import Build, Refuse, check_probabilities, same, softmax
from tests.models.exports.metadata import ultralytics
from tests.models.networks import small_convolution

ML_MODEL = """\
artifact_path: file:///srv/mlruns/1/models/m-51/artifacts
flavors:
  onnx:
    code: null
    data: model.onnx
    onnx_version: 1.19.1
    providers:
    - CUDAExecutionProvider
    - CPUExecutionProvider
  python_function:
    data: other.onnx
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.onnx
    python_version: 3.13.5
mlflow_version: 3.17.2
model_size_bytes: 44730212
model_uuid: m-51
signature:
  inputs: '[{"name": "input", "type": "tensor", "tensor-spec": {"dtype": "float32",
    "shape": [-1, 3, 16, 16]}}]'
  params: null
"""


def test_the_onnx_flavor_names_the_network(folder: Path, names: Path, build: Build) -> None:
    # given a model that MLflow has logged, when it is built with a preset
    (folder / "MLmodel").write_text(ML_MODEL)
    network = small_convolution(folder / "model.onnx")
    built = build("--from", folder, "--labels", names, "--preset", "torchvision-resnet50-v2")
    # then the network is found, and the preset applies, but for the size of the network's input
    assert built.preprocessing() == (16, 224 / 232, "crop", "bilinear")
    check_probabilities(
        built,
        network,
        lambda rgb: (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        softmax,
    )
    assert built.line("size") == ("16", "input [any, 3, 16, 16] of model.onnx")
    assert built.line("interpolation") == ("bilinear", "--preset torchvision-resnet50-v2")


def test_metadata_of_a_logged_network_are_read(folder: Path, build: Build) -> None:
    (folder / "MLmodel").write_text(ML_MODEL)
    network = ultralytics(folder / "model.onnx")
    built = build("--from", folder / "MLmodel")
    check_probabilities(built, network, lambda rgb: rgb / 255, same)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ML_MODEL.replace("  onnx:", "  sklearn:"), "has no ONNX flavor"),
        ("", "has no ONNX flavor"),
        (ML_MODEL, "names model.onnx, which is not there"),
    ],
)
def test_unusable_models_exit_2(text: str, message: str, folder: Path, refuse: Refuse) -> None:
    (folder / "MLmodel").write_text(text)
    assert message in refuse("--from", folder)
