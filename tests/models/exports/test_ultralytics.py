"""ONNX files of Ultralytics carry their facts in the metadata."""

from pathlib import Path
from typing import Any

import pytest

from tests.models.exports.building import Build, Refuse, check_probabilities, same
from tests.models.exports.metadata import ultralytics
from tests.models.networks import SIZE


def test_the_metadata_state_classes_and_size(tmp_path: Path, build: Build) -> None:
    # given an export, when it is built with no option that describes it
    network = ultralytics(tmp_path / "yolo11n-cls.onnx")
    built = build("--from", network)
    # then the service resizes as Ultralytics does, and has the names
    assert built.labels == ["ant", "bee's nest", "cat", "dog", "Äffchen"]
    assert built.preprocessing() == (SIZE, 1, "crop", "bilinear")
    assert built.card["license"].startswith("AGPL-3.0")
    check_probabilities(built, network, lambda rgb: rgb / 255, same)
    # and each value is printed with its source
    assert built.line("size") == ("16", "imgsz in the metadata of yolo11n-cls.onnx")
    assert built.line("labels") == ("5 classes", "names in the metadata of yolo11n-cls.onnx")
    assert built.line("crop-fraction") == ("1", "classify_transforms of Ultralytics")
    assert built.line("activation") == ("softmax", "output of yolo11n-cls.onnx")
    assert built.line("layout") == ("nchw", "input [any, 3, 16, 16] of yolo11n-cls.onnx")


def test_older_exports_without_channels_are_read(tmp_path: Path, build: Build) -> None:
    network = ultralytics(tmp_path / "net.onnx", channels=None, head=None, imgsz=SIZE)
    assert build("--from", network).preprocessing() == (SIZE, 1, "crop", "bilinear")


def test_options_replace_what_the_metadata_state(tmp_path: Path, names: Path, build: Build) -> None:
    network = ultralytics(tmp_path / "net.onnx")
    options = ["--labels", names, "--crop-fraction", "0.9", "--mean", "0.5", "--license", "MIT"]
    built = build("--from", network, *options)
    assert built.labels == list("abcde")
    assert built.preprocessing() == (SIZE, 0.9, "crop", "bilinear")
    assert built.card["license"] == "MIT"
    check_probabilities(built, network, lambda rgb: rgb / 255 - 0.5, same)
    assert built.line("mean") == ("0.5,0.5,0.5", "--mean")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"task": "detect"}, "for the task 'detect'"),
        ({"channels": 1}, "images of 1 channels"),
        ({"imgsz": [224, 320]}, "Export it with one imgsz"),
        ({"imgsz": [224, 224]}, "says 224 pixels, and the input [any, 3, 16, 16] of net.onnx 16"),
        ({"imgsz": "large"}, "imgsz in the metadata of net.onnx is not readable"),
        ({"imgsz": []}, "is not a size"),
        ({"names": {0: "ant", 2: "bee"}}, "does not name the classes 0, 1, 2, ..."),
        ({"names": {0: "ant", 1: " "}}, "has a class without a name"),
        ({"names": {0: "ant", 1: "bee"}}, "has 5 classes and names in the metadata"),
        ({"task": None}, "does not state how it is used"),
    ],
)
def test_unusable_metadata_exit_2(
    facts: dict[str, Any], message: str, tmp_path: Path, refuse: Refuse
) -> None:
    line = refuse("--from", ultralytics(tmp_path / "net.onnx", **facts))
    assert message in line
