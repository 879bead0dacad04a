"""Photos that are held out of the calibration, to measure the quantized model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from local.models.photos import Split

EVERY: Final = 5
"""One photo in five is held out, if that gives enough."""

ENOUGH: Final = 20
"""Photos to hold out: with their mirror images, one of them is 2.5 % of the measurement."""

FEWEST: Final = 10
"""With fewer photos, the calibration needs all."""


class CalibrationPhotos(NamedTuple):
    """`calibration` fits the model and `measured` measures it; they are disjoint if `held_out`."""

    calibration: list[Path]
    measured: list[Path]
    held_out: bool


def hold_out(photos: Sequence[Path], split: Split) -> CalibrationPhotos:
    """Hold out every fifth photo; up to every second one, to have 20.

    Sorted by path, photos are held out from each folder, and so of each class. Fewer than 10 photos
    calibrate and measure. If `photos` are a split of a set, all of them calibrate: the other split
    is for `local.models.evaluate`.
    """
    if split != "all":
        return CalibrationPhotos(list(photos), [], held_out=False)
    if len(photos) < FEWEST:
        return CalibrationPhotos(list(photos), list(photos), held_out=False)
    step = max(2, min(EVERY, len(photos) // ENOUGH))
    calibration = [photo for place, photo in enumerate(photos, 1) if place % step]
    return CalibrationPhotos(calibration, list(photos[step - 1 :: step]), held_out=True)


def views(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photos [N, size, size, 3] and then their mirror images: [2 N, size, size, 3]."""
    return np.concatenate([pixels, pixels[:, :, ::-1]])
