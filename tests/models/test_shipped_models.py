"""Every model of the repository: valid, safe on every CPU, and close to its float model."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from classifier.classifier import Classifier
from classifier.model import load_model
from classifier.telemetry.metrics import Metrics
from local.common.paths import NETWORKS, shipped_model
from local.models.quantization.qdq_layers import find_layers, unsafe_layers
from local.models.sources.packages import WEIGHTS
from tests.support.paths import SAMPLE, SHIPPED_MODELS
from tests.support.pictures import SAMPLE_LABEL

SIZES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
LAYERS = {"efficientnet-lite0": 50, "efficientnet-lite1": 65, "efficientnet-lite2": 65}

each_model = pytest.mark.parametrize("folder", SHIPPED_MODELS, ids=lambda folder: folder.name)


def card_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "model.json").read_bytes())
    return content


def network_of(folder: Path) -> str:
    return str(card_of(folder)["name"]).removesuffix("-int8")


@each_model
def test_folder_has_the_model_of_its_name(folder: Path) -> None:
    network = network_of(folder)
    card = card_of(folder)
    assert folder == shipped_model(network)
    assert network in NETWORKS
    assert card["source"]["package"] == WEIGHTS[network][0][0]
    assert card["preprocessing"]["size"] == SIZES[network]
    assert card["bytes"] <= 7_500_000


@each_model
def test_it_names_the_cat_in_the_sample_photo(folder: Path) -> None:
    # the load compares model and labels with the card
    model = load_model(str(folder))
    outcome = Classifier(model, Metrics(), max_pixels=64_000_000).classify(SAMPLE.read_bytes(), 1)
    assert outcome.predictions[0]["label"] in (SAMPLE_LABEL, "tabby cat", "Egyptian cat")


@each_model
def test_no_layer_can_saturate(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx")
    assert len(list(find_layers(model.graph))) == LAYERS[network_of(folder)]
    assert unsafe_layers(model.graph) == []


@each_model
def test_labels_are_those_of_the_default(folder: Path) -> None:
    assert (folder / "labels.txt").read_bytes() == (SHIPPED_MODELS[0] / "labels.txt").read_bytes()


@each_model
def test_accuracy_is_close_to_that_of_the_float_model(folder: Path) -> None:
    evaluation = card_of(folder)["evaluation"]
    assert evaluation["photos"] >= 250
    assert evaluation["split"] == "evaluation"
    assert evaluation["int8"]["top1"] >= evaluation["fp32"]["top1"] - 0.005
    assert evaluation["agreement"] >= 0.985
