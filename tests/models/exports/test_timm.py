"""timm's config.json states the preprocessing of the network beside it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.models.exports.building import Build, Floats, Refuse, check_probabilities, softmax
from tests.models.networks import SIZE, small_convolution

CFG: dict[str, Any] = {
    "tag": "a1_in1k",
    "custom_load": False,
    "input_size": [3, SIZE, SIZE],
    "test_input_size": [3, 288, 288],
    "fixed_input_size": False,
    "interpolation": "bicubic",
    "crop_pct": 0.95,
    "test_crop_pct": 1.0,
    "crop_mode": "center",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "num_classes": 5,
    "pool_size": [7, 7],
    "first_conv": "conv1",
    "classifier": "fc",
    "license": "apache-2.0",
}

CONFIG: dict[str, Any] = {
    "architecture": "resnet18",
    "num_classes": 5,
    "num_features": 512,
    "global_pool": "avg",
    "label_names": ["n01440764", "n01443537", "cat", "dog", "eel"],
    "label_descriptions": {"n01440764": "tench, Tinca tinca", "n01443537": "goldfish"},
}


def save(folder: Path, cfg: dict[str, Any], **config: Any) -> Path:
    content = {**CONFIG, **config, "pretrained_cfg": {**CFG, **cfg}}
    (folder / "config.json").write_text(json.dumps(content))
    return small_convolution(folder / "model.onnx")


def imagenet(rgb: Floats) -> Floats:
    return (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


def half(rgb: Floats) -> Floats:
    return rgb / 127.5 - 1


@pytest.mark.parametrize(
    ("cfg", "preprocessing", "normalized"),
    [
        ({}, (16, 1, "crop", "bicubic"), imagenet),  # floor(16 / 0.95) is 16
        ({"crop_pct": 0.8}, (16, 16 / 20, "crop", "bicubic"), imagenet),
        ({"crop_mode": "squash", "crop_pct": 1.0, "interpolation": "bilinear"},
         (16, 1, "squash", "bilinear"), imagenet),
        ({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}, (16, 1, "crop", "bicubic"), half),
        ({"crop_mode": None, "crop_pct": None, "mean": None, "std": None},
         (16, 16 / 18, "crop", "bicubic"), imagenet),
    ],
    ids=["center", "fraction", "squash", "half", "defaults"],
)  # fmt: skip
def test_pretrained_cfg_states_the_preprocessing(
    cfg: dict[str, Any],
    preprocessing: tuple[int, float, str, str],
    normalized: Any,
    folder: Path,
    build: Build,
) -> None:
    network = save(folder, cfg)
    built = build("--from", folder)
    assert built.preprocessing() == preprocessing
    check_probabilities(built, network, normalized, softmax)


def test_each_value_is_printed_with_its_source(folder: Path, build: Build) -> None:
    save(folder, {"crop_pct": None})
    built = build("--from", folder)
    assert built.labels[:3] == ["n01440764\ttench, Tinca tinca", "n01443537\tgoldfish", "cat"]
    assert built.card["license"] == "apache-2.0"
    assert built.line("size") == ("16", "pretrained_cfg.input_size in config.json")
    assert built.line("crop-fraction") == ("0.888889", "timm's default crop_pct")
    assert built.line("labels") == ("5 classes", "label_names in config.json")


def test_a_pretrained_cfg_alone_is_read(
    folder: Path, tmp_path: Path, names: Path, build: Build
) -> None:
    # given only the dictionary of `model.pretrained_cfg`, and the network elsewhere
    (folder / "config.json").write_text(json.dumps({**CFG, "crop_mode": "squash"}))
    network = small_convolution(tmp_path / "net.onnx")
    built = build("--from", folder, "--onnx", network, "--labels", names)
    assert built.preprocessing() == (16, 1, "squash", "bicubic")
    assert built.card["name"] == "net-int8"
    assert built.line("size") == ("16", "input_size in config.json")


def test_options_replace_what_the_service_cannot_do(folder: Path, build: Build) -> None:
    save(folder, {"crop_mode": "border", "interpolation": "random"})
    options = ["--resize", "squash", "--interpolation", "bilinear"]
    assert build("--from", folder, *options).preprocessing() == (16, 1, "squash", "bilinear")


@pytest.mark.parametrize(
    ("cfg", "config", "message"),
    [
        ({"crop_mode": "border"}, {}, "crop_mode in config.json is border"),
        ({"crop_pct": 1.1}, {}, "Use --crop-fraction 1."),
        ({"interpolation": "random"}, {}, "interpolation in config.json is random"),
        ({"input_size": [3, 16, 20]}, {}, "square with three colours"),
        ({"input_size": [1, 16, 16]}, {}, "square with three colours"),
        ({"input_size": 16}, {}, "input_size in config.json must be [3, height, width]"),
        ({"input_size": [3, 288, 288]}, {}, "or use --size 16"),
        ({"mean": [0.5, 0.5]}, {}, "pretrained_cfg.mean in config.json must be three numbers"),
        ({"std": [0.5, 0, 0.5]}, {}, "pretrained_cfg.std in config.json must be more than 0"),
        ({"mean": float("nan")}, {}, "pretrained_cfg.mean in config.json must be three numbers"),
        ({"crop_pct": float("inf")}, {}, "crop_pct in config.json must be a number"),
        ({"crop_pct": "0.9"}, {}, "crop_pct in config.json must be a number"),
        ({}, {"label_names": None}, "needs --labels"),
        ({}, {"label_names": "names.txt"}, "label_names in config.json is not a list"),
    ],
)
def test_unusable_configs_exit_2(
    cfg: dict[str, Any], config: dict[str, Any], message: str, folder: Path, refuse: Refuse
) -> None:
    save(folder, cfg, **config)
    assert message in refuse("--from", folder)
