"""The model card, for machines: content, origin and accuracy of the model files."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import onnx

from classifier.artifact import CARD_FILE, CLASS_MAP, EXPLAIN, LABELS_FILE, MODEL_FILE
from local.common.cli import UsageError
from local.models.graph.class_map import ClassMap
from local.models.graph.service_io import PIXELS, PROBABILITIES, Activation, Normalization
from local.models.photos import Preprocessing, Split
from local.models.sources.source import sha256

_CONVENTION: Final = {
    "all": "all photos of the set",
    "calibration": "the photos of the set whose class index is divisible by 4",
    "evaluation": "the photos of the set whose class index is not divisible by 4",
}


class CardError(UsageError):
    """The card is missing or invalid; the message says why and what to do."""


def describe(  # noqa: PLR0913
    directory: Path,
    *,
    name: str,
    source: dict[str, str],
    licence: str | None,
    preprocessing: Preprocessing,
    normalization: Normalization,
    calibration: dict[str, Any],
    quantization: Mapping[str, Any],
    activation: Activation = "softmax",
    class_map: ClassMap | None = None,
) -> dict[str, Any]:
    """The card of the model and labels in `directory`, without an evaluation.

    activation: of its output. class_map: a description of its class activation map, if it has one.
    """
    content = (directory / MODEL_FILE).read_bytes()
    graph = onnx.load_from_string(content).graph
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_value or "N"
    size = preprocessing.size
    bgr = ", then to BGR" if normalization.colour == "bgr" else ""
    return {
        "name": name,
        "task": "image-classification",
        "source": source,
        "license": licence,
        "sha256": sha256(content),
        "bytes": len(content),
        "labels_sha256": sha256((directory / LABELS_FILE).read_bytes()),
        "input": {
            "name": PIXELS,
            "dtype": "uint8",
            "layout": "NHWC",
            "shape": [batch, size, size, 3],
            "colour": "RGB",
        },
        "output": {
            "name": PROBABILITIES,
            "dtype": "float32",
            "shape": [batch, classes],
            "classes": classes,
            # cards without it are of models with a softmax
            **({} if activation == "softmax" else {"activation": activation}),
        },
        "preprocessing": {
            "size": size,
            "crop_fraction": preprocessing.crop_fraction,
            "interpolation": preprocessing.interpolation,
            # cards without it are of models that get a square of the photo
            **({} if preprocessing.resize == "crop" else {"resize": preprocessing.resize}),
            "mean": list(normalization.mean),
            "std": list(normalization.std),
            "normalization": "in the graph, of pixels of 0 to 255" + bgr,
        },
        **({"explanation": explanation(class_map)} if class_map else {}),
        "quantization": dict(quantization),
        "calibration": calibration,
        "versions": {package: version(package) for package in ("onnx", "onnxruntime", "numpy")},
        "evaluation": None,
    }


def explanation(class_map: ClassMap) -> dict[str, Any]:
    """The card's entry for a class activation map."""
    return {
        "method": "class activation map of the most probable class (Zhou et al. 2016): the mean of "
        "its cells plus the bias of the class is the logit",
        "input": EXPLAIN,
        "output": CLASS_MAP,
        "grid": [class_map.height, class_map.width],
        "tolerance": class_map.tolerance,
    }


def photo_set(photos: Sequence[Path], split: Split, description: str) -> dict[str, Any]:
    """The card's entry for a set of photos; contains no paths."""
    digests = sorted(sha256(photo.read_bytes()) for photo in photos)
    return {
        "set": description,
        "split": split,
        "selection": _CONVENTION[split],
        "photos": len(photos),
        "sha256": sha256("".join(digests).encode()),
    }


def preprocessing_of(card: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing that a card states."""
    parts = card["preprocessing"]
    return Preprocessing(
        parts["size"],
        parts["crop_fraction"],
        parts["interpolation"],
        parts.get("resize", "crop"),
    )


def write_card(directory: Path, card: dict[str, Any]) -> None:
    (directory / CARD_FILE).write_text(
        json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def read_card(directory: Path) -> dict[str, Any]:
    """The card in `directory`, verified against the model there. Raises `CardError`."""
    path = directory / CARD_FILE
    try:
        card: dict[str, Any] = json.loads(path.read_bytes())
        described, found = card["sha256"], sha256((directory / MODEL_FILE).read_bytes())
        _ = preprocessing_of(card), card["quantization"]["format"]
        _ = [card["calibration"][member] for member in ("set", "split", "sha256")]
    except OSError as error:
        raise CardError(f"{error.filename} cannot be read. Build the model first.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CardError(f"{path} is not a model card. Rebuild the model.") from error
    if described != found:
        raise CardError(f"{path} describes another {MODEL_FILE}. Rebuild the model.")
    return card
