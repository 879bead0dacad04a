"""The shipped model with a class activation map and without one, whether it has one or not."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import onnx

from classifier.artifact import CARD_FILE, CLASS_MAP, EXPLAIN, LABELS_FILE, MODEL_FILE
from local.models.card import explanation
from local.models.float_model import serialized
from local.models.graph.class_map import add_class_map
from local.models.photos import Preprocessing, read_pixels
from tests.support.paths import SAMPLE, SHIPPED_MODEL


def explaining_model(folder: Path) -> Path:
    """The folder of the shipped model if that has a map; else `folder`, with a copy that has."""
    card = _card()
    if "explanation" in card:
        return SHIPPED_MODEL
    parts = card["preprocessing"]
    preprocessing = Preprocessing(parts["size"], parts["crop_fraction"], parts["interpolation"])
    model = onnx.load(SHIPPED_MODEL / MODEL_FILE)
    mapped, class_map = add_class_map(model, read_pixels([SAMPLE], preprocessing))
    assert class_map
    return _saved(folder, mapped, {**card, "explanation": explanation(class_map)})


def unexplaining_model(folder: Path, *, promise: bool = False) -> Path:
    """`folder`, with a copy of the shipped model without a map. The card may promise one."""
    card = _card()
    model = onnx.load(SHIPPED_MODEL / MODEL_FILE)
    graph = model.graph
    for values in (graph.input, graph.output, graph.initializer):
        kept = [value for value in values if value.name not in (CLASS_MAP, EXPLAIN)]
        del values[:]
        values.extend(kept)
    for node in [node for node in graph.node if node.name == CLASS_MAP]:
        graph.node.remove(node)
    rest = {name: value for name, value in card.items() if name != "explanation"}
    return _saved(folder, model, rest | ({"explanation": {}} if promise else {}))


def _card() -> dict[str, Any]:
    card: dict[str, Any] = json.loads((SHIPPED_MODEL / CARD_FILE).read_bytes())
    return card


def _saved(folder: Path, model: onnx.ModelProto, card: dict[str, Any]) -> Path:
    content = serialized(model)
    (folder / MODEL_FILE).write_bytes(content)
    shutil.copy(SHIPPED_MODEL / LABELS_FILE, folder)
    digest = hashlib.sha256(content).hexdigest()
    (folder / CARD_FILE).write_text(json.dumps({**card, "sha256": digest}))
    return folder
