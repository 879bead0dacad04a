"""A classifier of the user's: its ONNX file, and options that describe it.

The value of an option is that of the command line, else of --preset, else of the export (--from),
else of the ONNX file's input, else the default. A fixed size and the layout of the ONNX file's
input precede those of a preset, because the network takes no others.
"""

import argparse
from pathlib import Path
from typing import Any, Final

from classifier.artifact import Label
from local.common.cli import UsageError
from local.models.exports.export import Stated
from local.models.exports.kinds import read_export
from local.models.exports.merge import check_size, merged, report
from local.models.exports.onnx_file import input_values, read_header
from local.models.exports.presets import preset_values
from local.models.graph.service_io import Normalization, served_classes
from local.models.options import CROP_FRACTIONS, SOFTMAX_ACTIVATIONS
from local.models.sources.imagenet import fetch_imagenet_labels
from local.models.sources.import_onnx import import_onnx
from local.models.sources.labels import read_labels
from local.models.sources.source import Source, sha256

IMAGENET: Final = "imagenet"
"""The value of --labels for the classes of ImageNet-1k"""

_OPTIONS: Final = (
    "labels", "size", "mean", "std", "pixel_range", "layout", "colour", "activation", "resize",
    "crop_fraction", "interpolation", "name", "license",
)  # fmt: skip
"""In the order of the report"""

_DEFAULTS: Final[dict[str, Any]] = {
    "size": 224,
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
    "pixel_range": 1,
    "layout": "nchw",
    "colour": "rgb",
    "activation": "auto",
    "resize": "crop",
    "interpolation": "bicubic",
}


def is_custom(options: argparse.Namespace) -> bool:
    """Whether the options name a classifier of the user's. Raises `UsageError`."""
    if options.onnx or options.export:
        return True
    if options.preset or options.labels:
        raise UsageError("--preset and --labels need a network: add --onnx or --from.")
    return False


def custom_model(options: argparse.Namespace) -> Source:
    """The classifier of --onnx or --from. Raises `UsageError`."""
    path, values = _path_and_values(options)
    value = {name: stated.value for name, stated in values.items()}
    normalization = _normalization(value)
    labels, labels_source = _labels(values, options)
    network, activation = import_onnx(path, normalization, value["activation"])
    outputs = network.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    _check_classes(path, outputs, labels, labels_source)
    values["labels"] = Stated(labels, labels_source)
    if value["activation"] == "auto":
        values["activation"] = Stated(activation, f"output of {path.name}")
    return Source(
        value.get("name") or f"{_stem(path)}-int8",
        network,
        labels,
        normalization,
        value["interpolation"],
        {"file": path.name, "sha256": sha256(path.read_bytes())},
        value.get("license"),
        activation,
        crop_fraction=value["crop_fraction"],
        resize=value["resize"],
        report=tuple(report(values)),
        file=path,
    )


def _path_and_values(options: argparse.Namespace) -> tuple[Path, dict[str, Stated]]:
    """The ONNX file, and the values of the options. Raises `UsageError`."""
    export = read_export(options.export, options.onnx) if options.export else None
    path: Path = options.onnx or export.onnx if export else options.onnx
    given = _given(options)
    stated = dict(export.values) if export else {}
    graph = input_values(read_header(path), path.name)
    check_size(given, stated, graph)
    preset = preset_values(options.preset) if options.preset else {}
    preset = {name: value for name, value in preset.items() if name not in graph}
    defaults = {name: Stated(value, "default") for name, value in _DEFAULTS.items()}
    chosen = merged(given, preset, stated, graph, defaults)
    if "crop_fraction" not in chosen:
        fraction = CROP_FRACTIONS[chosen["resize"].value]
        chosen["crop_fraction"] = Stated(fraction, "default")
    return path, {name: chosen[name] for name in _OPTIONS if name in chosen}


def _given(options: argparse.Namespace) -> dict[str, Stated]:
    """The values of the command line."""
    given = {name: getattr(options, name) for name in _OPTIONS}
    stated = {
        name: Stated(value, f"--{name.replace('_', '-')}")
        for name, value in given.items()
        if value is not None
    }
    if options.softmax:
        stated["activation"] = Stated(SOFTMAX_ACTIVATIONS[options.softmax], "--softmax")
    return stated


def _normalization(value: dict[str, Any]) -> Normalization:
    factor = 255 if value["pixel_range"] == 1 else 1
    mean, std = ([factor * part for part in value[name]] for name in ("mean", "std"))
    if factor == 255 and max(*mean, *std) > 2 * 255:
        raise UsageError(
            "--mean and --std are too large for pixels of 0 to 1. For pixels of 0 to 255, add "
            "--pixel-range 255."
        )
    return Normalization(value["size"], tuple(mean), tuple(std), value["layout"], value["colour"])


def _labels(values: dict[str, Stated], options: argparse.Namespace) -> tuple[list[Label], str]:
    """The classes, and where they are from. Raises `UsageError`."""
    if "labels" not in values:
        raise UsageError(
            f"{options.export or '--onnx'} needs --labels: a file with one class name per line, "
            f"or {IMAGENET}."
        )
    labels, source = values["labels"]
    if isinstance(labels, list):
        return labels, source
    if str(labels) == IMAGENET and not labels.exists():
        return fetch_imagenet_labels(options.wheels), source
    return read_labels(labels), str(labels)


def _check_classes(path: Path, outputs: int, labels: list[Label], source: str) -> None:
    if outputs == 1 and len(labels) != 2:
        raise UsageError(
            f"{path} has one output, the probability of the second of two classes, and "
            f"{source} has {len(labels)} names. Write two lines: the negative class first."
        )
    if served_classes(outputs) != len(labels):
        raise UsageError(
            f"{path} has {outputs} classes and {source} {len(labels)}. "
            "Write one line per class, in the order of the model's output, and use --labels."
        )


def _stem(path: Path) -> str:
    """The name of the network: the file's, or the folder's if the file is called model.onnx."""
    if path.stem != "model":
        return path.stem
    folder = path.absolute().parent
    return (folder.parent if folder.name == "onnx" else folder).name or path.stem
