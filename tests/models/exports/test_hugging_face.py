"""Folders of Hugging Face's optimum have config.json and preprocessor_config.json."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.models.exports.building import (
    Build,
    Floats,
    Refuse,
    check_probabilities,
    sigmoid,
    softmax,
)
from tests.models.networks import SIZE, small_convolution

CONFIG: dict[str, Any] = {
    "architectures": ["ViTForImageClassification"],
    "id2label": {"0": "tench, Tinca tinca", "1": "owl", "2": "cat", "3": "dog", "4": "chien"},
    "image_size": SIZE,
    "label2id": {"tench, Tinca tinca": 0, "owl": 1, "cat": 2, "dog": 3, "chien": 4},
    "model_type": "vit",
    "num_channels": 3,
    "problem_type": "single_label_classification",
    "transformers_version": "5.24.0",
}

SQUARE = {"height": SIZE, "width": SIZE}

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}

VIT: dict[str, Any] = {
    "do_convert_rgb": None,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "ViTImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": SQUARE,
}

# Of models that feature extractors saved, before image processors.
OLD_VIT: dict[str, Any] = {
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "ViTFeatureExtractor",
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "size": SIZE,
}

CONVNEXT: dict[str, Any] = {
    **VIT,
    **IMAGENET,
    "crop_pct": 0.875,
    "image_processor_type": "ConvNextImageProcessor",
    "resample": 3,
    "size": {"shortest_edge": SIZE},
}

OLD_CONVNEXT: dict[str, Any] = {
    **OLD_VIT,
    **IMAGENET,
    "crop_pct": 0.95,
    "feature_extractor_type": "ConvNextFeatureExtractor",
    "resample": 3,
}

EFFICIENTNET: dict[str, Any] = {
    **VIT,
    "crop_size": {"height": 289, "width": 289},
    "do_center_crop": False,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "EfficientNetImageProcessor",
    "image_std": [0.47853944, 0.4732864, 0.47434163],
    "include_top": True,
    "resample": 0,
    "rescale_offset": False,
}

MOBILENET: dict[str, Any] = {
    **VIT,
    "crop_size": SQUARE,
    "do_center_crop": True,
    "image_processor_type": "MobileNetV2ImageProcessor",
    "size": {"shortest_edge": 20},
}

MOBILEVIT: dict[str, Any] = {
    "crop_size": SQUARE,
    "do_center_crop": True,
    "do_flip_channel_order": True,
    "do_rescale": True,
    "do_resize": True,
    "image_processor_type": "MobileViTImageProcessor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 18},
}

DEIT: dict[str, Any] = {
    **VIT,
    "crop_size": SQUARE,
    "do_center_crop": True,
    "image_processor_type": "DeiTImageProcessorFast",
    "resample": 3,
    "size": {"height": 20, "width": 20},
}

LEVIT: dict[str, Any] = {
    **MOBILENET,
    "image_processor_type": "LevitImageProcessor",
    "size": {"shortest_edge": SIZE},
}

POOLFORMER: dict[str, Any] = {
    **LEVIT,
    "crop_pct": 0.9,
    "image_processor_type": "PoolFormerImageProcessor",
}


def save(folder: Path, processor: dict[str, Any], **config: Any) -> Path:
    """The two files, and a network whose input has free axes, as optimum exports it."""
    given = {**CONFIG, **config}
    (folder / "config.json").write_text(json.dumps(given))
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    path = small_convolution(folder / "model.onnx", free_size=True)
    model = onnx.load(path)
    axes = ("batch_size", "num_channels", "height", "width")
    for dimension, axis in zip(model.graph.input[0].type.tensor_type.shape.dim, axes, strict=True):
        dimension.dim_param = axis
    onnx.save(model, path)
    return path


def imagenet(rgb: Floats) -> Floats:
    return (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


def half(rgb: Floats) -> Floats:
    return rgb / 127.5 - 1


def twice(rgb: Floats) -> Floats:
    """EfficientNet's processor divides by the deviation once more."""
    deviation = np.array([0.47853944, 0.4732864, 0.47434163])
    normalized: Floats = (rgb / 255 - [0.485, 0.456, 0.406]) / deviation / deviation
    return normalized


def blue_first(rgb: Floats) -> Floats:
    return rgb[..., ::-1] / 255


@pytest.mark.parametrize(
    ("processor", "preprocessing", "normalized"),
    [
        (VIT, (16, 1, "squash", "bilinear"), half),
        (OLD_VIT, (16, 1, "squash", "bilinear"), half),
        (CONVNEXT, (16, 16 / 18, "crop", "bicubic"), imagenet),
        (OLD_CONVNEXT, (16, 1, "crop", "bicubic"), imagenet),  # int(16 / 0.95) is 16
        ({**CONVNEXT, "size": {"shortest_edge": 384}}, (384, 1, "squash", "bicubic"), imagenet),
        (EFFICIENTNET, (16, 1, "squash", "nearest"), twice),
        ({**EFFICIENTNET, "rescale_factor": 1 / 127.5, "rescale_offset": True,
          "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}, (16, 1, "squash", "nearest"), half),
        (MOBILENET, (16, 16 / 20, "crop", "bilinear"), half),
        (MOBILEVIT, (16, 16 / 18, "crop", "bilinear"), blue_first),
        (DEIT, (16, 16 / 20, "squash", "bicubic"), half),
        (LEVIT, (16, 16 / 18, "crop", "bilinear"), half),
        (POOLFORMER, (16, 16 / 17, "crop", "bilinear"), half),
        ({**VIT, "do_normalize": False}, (16, 1, "squash", "bilinear"), lambda rgb: rgb / 255),
        ({**VIT, "do_rescale": False}, (16, 1, "squash", "bilinear"), lambda rgb: 2 * rgb - 1),
        ({**VIT, "image_mean": 0.5, "image_std": 0.5}, (16, 1, "squash", "bilinear"), half),
    ],
    ids=["vit", "old-vit", "convnext", "old-convnext", "convnext-384", "efficientnet", "offset",
         "mobilenet", "mobilevit", "deit", "levit", "poolformer", "unnormalized", "0-255",
         "scalar"],
)  # fmt: skip
def test_image_processors_state_the_preprocessing(
    processor: dict[str, Any],
    preprocessing: tuple[int, float, str, str],
    normalized: Any,
    folder: Path,
    build: Build,
) -> None:
    network = save(folder, processor)
    built = build("--from", folder)
    assert built.preprocessing() == preprocessing
    check_probabilities(built, network, normalized, softmax)


def test_each_value_is_printed_with_its_source(folder: Path, build: Build) -> None:
    save(folder, EFFICIENTNET)
    built = build("--from", folder)
    assert built.labels == list(CONFIG["id2label"].values())
    assert built.card["name"] == "export-int8"
    assert built.line("labels") == ("5 classes", "id2label in config.json")
    assert built.line("size") == ("16", "size in preprocessor_config.json")
    assert built.line("mean") == ("0.485,0.456,0.406", "image_mean in preprocessor_config.json")
    assert built.line("activation") == ("softmax", "problem_type in config.json")
    assert built.line("colour") == ("rgb", "default")


def test_multi_label_problems_get_a_sigmoid(folder: Path, build: Build) -> None:
    network = save(folder, VIT, problem_type="multi_label_classification")
    built = build("--from", folder)
    check_probabilities(built, network, half, sigmoid)
    assert built.card["output"]["activation"] == "sigmoid"


def test_a_network_in_the_folder_onnx_is_found(folder: Path, build: Build) -> None:
    # given a folder as on the Hub: a float network and its quantized forms
    (folder / "onnx").mkdir()
    save(folder, VIT).rename(folder / "onnx" / "model.onnx")
    (folder / "onnx" / "model_quantized.onnx").write_bytes(b"")
    assert build("--from", folder / "config.json").card["name"] == "export-int8"


def test_options_replace_what_the_service_cannot_do(folder: Path, build: Build) -> None:
    save(folder, {**VIT, "resample": 4, "do_pad": True})
    options = ["--size", "16", "--resize", "squash", "--interpolation", "hamming"]
    assert build("--from", folder, *options).preprocessing() == (16, 1, "squash", "hamming")


@pytest.mark.parametrize(
    ("processor", "config", "message"),
    [
        ({"resample": 4}, {}, "Choose the nearest with --interpolation"),
        ({"do_resize": False}, {}, "do_resize in preprocessor_config.json is false"),
        ({"do_pad": True}, {}, "without a border"),
        ({"size": {"height": 16, "width": 20}}, {}, "must be square"),
        ({"size": {"shortest_edge": 16}}, {}, "do_center_crop in preprocessor_config.json is"),
        ({"size": {"shortest_edge": 16, "longest_edge": 99}}, {}, "must be square"),
        ({"size": None}, {}, "size in preprocessor_config.json must be a number"),
        ({"do_center_crop": True, "crop_size": 20}, {}, "adds a border"),
        ({"do_center_crop": True}, {}, "crop_size in preprocessor_config.json must be"),
        ({"image_mean": [0.5]  * 4}, {}, "image_mean in preprocessor_config.json must be three"),
        ({"image_std": [0, 1, 1]}, {}, "must be more than 0"),
        ({"rescale_factor": [1, 2, 3]}, {}, "rescale_factor in preprocessor_config.json must be"),
        ({"do_normalize": "yes"}, {}, "must be true or false"),
        ({}, {"architectures": ["ViTModel"]}, "is a ViTModel, not a classifier"),
        ({}, {"problem_type": "regression"}, "is a regression"),
        ({}, {"id2label": {"0": "a"}}, "has 5 classes and id2label in config.json 1"),
        ({}, {"id2label": None}, "needs --labels"),
    ],
)  # fmt: skip
def test_unusable_files_exit_2(
    processor: dict[str, Any], config: dict[str, Any], message: str, folder: Path, refuse: Refuse
) -> None:
    save(folder, {**VIT, **processor}, **config)
    assert message in refuse("--from", folder)


def test_missing_and_broken_files_exit_2(folder: Path, refuse: Refuse) -> None:
    network = save(folder, VIT)
    (folder / "other.onnx").write_bytes(network.read_bytes())
    network.rename(folder / "net.onnx")
    assert "several ONNX files (net.onnx, other.onnx). Name one" in refuse("--from", folder)
    (folder / "other.onnx").unlink()
    (folder / "preprocessor_config.json").unlink()
    assert "has no preprocessor_config.json" in refuse("--from", folder)
    (folder / "net.onnx").unlink()
    assert "has no ONNX file" in refuse("--from", folder)
    (folder / "config.json").write_text("{")
    assert "config.json is not valid JSON" in refuse("--from", folder)
    (folder / "config.json").write_text("{}")
    assert "is not an export that the build knows" in refuse("--from", folder)
