"""The files in `function/model` match its card."""

import hashlib
import json
from typing import Any

import onnx
import onnxruntime as ort
import pytest

from classifier.model import read_artifact
from local.models.graph.temperature import without_temperature
from tests.support.paths import ROOT

DIRECTORY = ROOT / "function" / "model"


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DIRECTORY / "model.json").read_bytes())
    return content


def test_card_has_hashes_and_size(card: dict[str, Any]) -> None:
    model = (DIRECTORY / "model.onnx").read_bytes()
    labels = (DIRECTORY / "labels.txt").read_bytes()
    assert card["sha256"] == hashlib.sha256(model).hexdigest()
    assert card["labels_sha256"] == hashlib.sha256(labels).hexdigest()
    assert card["bytes"] == len(model) <= 6_000_000


def test_model_input_and_output_match_the_card(card: dict[str, Any]) -> None:
    session = ort.InferenceSession(DIRECTORY / "model.onnx", providers=["CPUExecutionProvider"])
    (source,), (output, class_map) = session.get_inputs(), session.get_outputs()
    assert (source.name, source.type) == (card["input"]["name"], "tensor(uint8)")
    assert source.shape == card["input"]["shape"] == ["N", 224, 224, 3]
    assert (output.name, output.type) == (card["output"]["name"], "tensor(float)")
    assert output.shape == card["output"]["shape"] == ["N", 1000]
    assert class_map.name == card["explanation"]["output"]
    assert card["explanation"]["grid"] == [7, 7]


def test_pixels_are_the_quantized_input() -> None:
    # given the shipped graph without its temperature, then no float preprocessing and no float
    # convolution is in it
    graph = without_temperature(onnx.load(DIRECTORY / "model.onnx")).graph
    operators = {node.op_type for node in graph.node}
    assert graph.node[0].op_type == "Transpose"
    assert not operators & {"Cast", "Sub", "Mul", "Div", "Clip", "Relu"}


def test_labels_are_the_thousand_classes_in_order() -> None:
    labels = read_artifact(str(DIRECTORY)).labels
    assert len(labels) == len({label.name.casefold() for label in labels}) == 1000
    assert [label.wnid for label in labels] == sorted(label.wnid or "" for label in labels)
    names = {label.wnid: label.name for label in labels}
    assert names["n01440764"] == "tench"
    assert names["n01484850"] == "great white shark"
    assert names["n02012849"] == "crane (bird)"
    assert names["n03126707"] == "crane (machine)"
    assert names["n02113186"] == "Cardigan Welsh corgi"


def test_accuracy_is_close_to_the_float_model(card: dict[str, Any]) -> None:
    evaluation = card["evaluation"]
    assert evaluation["photos"] >= 250
    assert evaluation["split"] == "evaluation"
    assert card["calibration"]["split"] == "calibration"
    assert evaluation["int8"]["top1"] >= evaluation["fp32"]["top1"] - 0.005
    assert evaluation["agreement"] >= 0.985
