"""Presets name the preprocessing of torchvision's weights and of Keras's applications."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from local.models.exports.presets import PRESETS
from tests.models.exports.building import (
    Build,
    Floats,
    Refuse,
    check_probabilities,
    pixels,
    softmax,
)
from tests.models.networks import small_convolution


def caffe(rgb: Floats) -> Floats:
    return rgb[..., ::-1] - [103.939, 116.779, 123.68]


def torch(rgb: Floats) -> Floats:
    return (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


@pytest.mark.parametrize(
    ("preset", "normalized"),
    [
        ("keras-caffe", caffe),
        ("keras-tf", lambda rgb: rgb / 127.5 - 1),
        ("keras-torch", torch),
        ("keras-none", lambda rgb: rgb),
    ],
)
def test_keras_presets_prepare_pixels_as_its_modes(
    preset: str, normalized: Any, tmp_path: Path, names: Path, build: Build
) -> None:
    # given a network with an input as TensorFlow's, whose size is free
    network = small_convolution(tmp_path / "net.onnx", layout="nhwc", free_size=True)
    built = build("--onnx", network, "--labels", names, "--preset", preset, "--size", "16")
    assert built.preprocessing() == (16, 1, "squash", "bilinear")
    check_probabilities(built, network, normalized, softmax, nhwc=True)
    assert built.line("layout") == ("nhwc", "input [any, any, any, 3] of net.onnx")


@pytest.mark.parametrize(
    ("name", "size", "resized", "interpolation"),
    [
        ("resnet50-v1", 224, 256, "bilinear"),
        ("resnet50-v2", 224, 232, "bilinear"),
        ("mobilenet-v3-large-v2", 224, 232, "bilinear"),
        ("efficientnet-b0", 224, 256, "bicubic"),
        ("efficientnet-b1-v2", 240, 255, "bilinear"),
        ("vit-b-16", 224, 256, "bilinear"),
        ("convnext-tiny", 224, 236, "bilinear"),
        ("swin-t", 224, 232, "bicubic"),
        ("inception-v3", 299, 342, "bilinear"),
    ],
)
def test_torchvision_presets_resize_as_its_weights(
    name: str, size: int, resized: int, interpolation: str
) -> None:
    preset = PRESETS[f"torchvision-{name}"]
    assert preset["size"] == size
    assert round(preset["size"] / preset["crop_fraction"], 6) == resized
    assert preset["interpolation"] == interpolation
    assert preset["mean"] == (0.485, 0.456, 0.406)


def test_only_one_preset_of_torchvision_has_another_mean() -> None:
    others = [
        name
        for name, values in PRESETS.items()
        if name.startswith("torchvision-") and values["mean"] != (0.485, 0.456, 0.406)
    ]
    assert others == ["torchvision-efficientnet-v2-l"]
    assert len(PRESETS) == 114 + len(["caffe", "tf", "torch", "none"])


def test_options_replace_a_preset(tmp_path: Path, names: Path, build: Build) -> None:
    network = small_convolution(tmp_path / "net.onnx")
    options = ["--labels", names, "--preset", "torchvision-swin-t", "--interpolation", "lanczos"]
    built = build("--onnx", network, *options)
    assert built.preprocessing() == (16, 224 / 232, "crop", "lanczos")
    check_probabilities(built, network, torch, softmax)


def test_imagenet_names_its_thousand_classes(tmp_path: Path, build: Build) -> None:
    # given a wheel with the classes' names
    synsets = [f"n{index:08}" for index in range(1000)]
    with zipfile.ZipFile(tmp_path / "timm-1.0.31-py3-none-any.whl", "w") as wheel:
        folder = "timm/data/_info"
        wheel.writestr(f"{folder}/imagenet_synsets.txt", "\n".join(synsets))
        lemmas = "".join(f"{wnid}\tname {wnid}, other\n" for wnid in synsets)
        wheel.writestr(f"{folder}/imagenet_synset_to_lemma.txt", lemmas)
    network = small_convolution(tmp_path / "net.onnx", outputs=1000)
    # when, then
    options = ["--labels", "imagenet", "--wheels", tmp_path, "--preset", "torchvision-resnet18"]
    built = build("--onnx", network, *options)
    assert built.labels[999] == "n00000999\tname n00000999"
    assert built.line("labels") == ("1000 classes", "--labels")


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        (
            "torchvision-resnet50",
            "similar names are torchvision-resnet50-v2, torchvision-resnet50-v1",
        ),
        ("yolo", "similar names are torchvision-resnet50-v2, keras-caffe"),
    ],
)
def test_unknown_presets_exit_2(preset: str, message: str, refuse: Refuse) -> None:
    assert message in refuse("--onnx", "net.onnx", "--preset", preset)


def test_presets_and_labels_need_a_network(refuse: Refuse) -> None:
    assert "add --onnx or --from" in refuse("--preset", "keras-tf")
    assert "add --onnx or --from" in refuse("--labels", "imagenet")


def test_inputs_that_are_not_square_exit_2(tmp_path: Path, names: Path, refuse: Refuse) -> None:
    network = small_convolution(tmp_path / "net.onnx", free_size=True)
    model = onnx.load(network)
    height, width = model.graph.input[0].type.tensor_type.shape.dim[2:]
    height.dim_value, width.dim_value = 20, 24
    onnx.save(model, network)
    line = refuse("--onnx", network, "--labels", names)
    assert "net.onnx is 24 x 20 pixels" in line


def test_noise_differs_between_colours() -> None:
    """The tests of the order of colours would pass with grey noise."""
    noise = pixels(16)
    assert np.abs(noise[..., 0].astype(int) - noise[..., 2]).mean() > 50
