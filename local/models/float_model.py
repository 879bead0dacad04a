"""Write a float model, EfficientNet-Lite0, 1 or 2 in FP32, from the package with its weights.

The benchmark's tutorial app runs it, and evaluate compares the INT8 model with it. Needs no
photos.

examples:
  python -m local.models.float_model
  python -m local.models.float_model --network efficientnet-lite2
  python -m local.models.float_model --wheels folder --fp32 fp32.onnx
"""

from collections.abc import Sequence
from pathlib import Path

import onnx

from local.common.cli import UsageError, check_folder
from local.models.graph.service_io import Activation, Normalization, add_service_io
from local.models.lite import NETWORKS
from local.models.options import float_model_parser, reporting_errors, set_default_paths


@reporting_errors
def main(arguments: Sequence[str] | None = None) -> None:
    options = float_model_parser(__doc__).parse_args(arguments)
    set_default_paths(options)
    check_float_model(options.fp32)
    network = NETWORKS[options.network]
    graph = network.network(network.fetch(options.wheels))
    write_float_model(graph, network.normalization, options.fp32)
    print(f"{options.fp32}: {options.fp32.stat().st_size:,} bytes")


def check_float_model(path: Path) -> None:
    """Check that the file can be written. Raises `UsageError`."""
    check_folder(path.parent)
    if path.is_dir():
        raise UsageError(f"--fp32 {path} is a folder. Name a file.")


def write_float_model(
    network: onnx.ModelProto,
    normalization: Normalization,
    path: Path,
    activation: Activation = "softmax",
) -> None:
    """Write `network` with the service's input (pixels) and output (probabilities)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(serialized(add_service_io(network, normalization, activation)))


def serialized(model: onnx.ModelProto) -> bytes:
    """Deterministic serialization."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


if __name__ == "__main__":
    main()
