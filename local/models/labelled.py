"""Photos of known classes, for the commands that measure a built model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import Label
from local.common.cli import UsageError
from local.models.photos import Split, class_of, find_photos, in_split


def other_split(card: dict[str, Any]) -> Split:
    """The photos that the model was not calibrated on, if it was built with a split."""
    return "evaluation" if card["calibration"]["split"] == "calibration" else "all"


def labelled_photos(
    folder: Path, split: Split, labels: Sequence[Label]
) -> tuple[list[Path], NDArray[np.intp]]:
    """The photos of a split with a known class, and their classes, [N]. Raises `UsageError` if
    there are none."""
    photos, classes = [], []
    for photo in find_photos(folder):
        index = class_of(photo, folder, labels)
        if index is not None and in_split(index, split):
            photos.append(photo)
            classes.append(index)
    if not photos:
        raise UsageError(
            f"No photo in {folder} has a known class in the split {split!r}. Name the photos "
            "INDEX_WNID_name.jpg, or put them in folders named by index, WordNet id or label."
        )
    return photos, np.array(classes, np.intp)
