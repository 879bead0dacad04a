"""A classifier of the user's: its ONNX file, and options that describe it."""

import argparse

from local.common.cli import UsageError
from local.models.graph.service_io import Normalization, served_classes
from local.models.options import SOFTMAX_ACTIVATIONS
from local.models.sources.import_onnx import import_onnx
from local.models.sources.labels import read_labels
from local.models.sources.source import Source, sha256


def custom_model(options: argparse.Namespace) -> Source:
    """The classifier in the --onnx file. Raises `UsageError`."""
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
        name,
        network,
        labels,
        normalization,
        "bicubic",
        description,
        options.license,
        activation,
        options.onnx,
    )
