"""Whether other settings classify photos of known classes clearly better.

The first class does not depend on the activation, so this checks mean, deviation, the order of the
channels and the crop.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import comb
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from local.models.parity.alternatives import Alternative, other_crops, other_normalizations
from local.models.parity.reference import Network, Settings
from local.models.photos import read_pixels

MOST_PHOTOS: Final = 200
"""Enough for a difference of 10 points; more would take longer than the build"""

LEAST_PHOTOS: Final = 20

CHANCE: Final = 1e-3
"""Probability that the sign test warns although no setting is better"""


class Labelled(NamedTuple):
    """Photos of known classes: their paths, and their classes [N]."""

    photos: list[Path]
    classes: NDArray[np.intp]


class _Result(NamedTuple):
    right: int
    other: Alternative


def balanced(photos: Sequence[Path], classes: Sequence[int | None]) -> Labelled | None:
    """As many photos of each class, at most `MOST_PHOTOS`; None if there are fewer than
    `LEAST_PHOTOS` or only one class. Otherwise a network that always predicts the most frequent
    class would seem better."""
    of_class: dict[int, list[Path]] = defaultdict(list)
    for photo, index in zip(photos, classes, strict=True):
        if index is not None:
            of_class[index].append(photo)
    each = min(map(len, of_class.values()), default=0)
    pairs = [(photo, index) for index, found in of_class.items() for photo in found[:each]]
    if len(of_class) < 2 or len(pairs) < LEAST_PHOTOS:
        return None
    step = max(1, -(-len(pairs) // MOST_PHOTOS))
    chosen = pairs[::step]
    return Labelled([photo for photo, _ in chosen], np.array([index for _, index in chosen]))


class SettingsResult(NamedTuple):
    """Sentences: the accuracy, and that other settings are clearly better."""

    accuracy: str
    warning: str | None


def check_settings(file: Path, stated: Settings, labelled: Labelled) -> SettingsResult:
    """The accuracy of `file` with the `stated` settings, and whether others are clearly better.
    Raises `PhotosError`."""
    trial = _Trial(Network(file), stated, labelled)
    right = trial.stated_right()
    accuracy = f"{right.mean():.0%} of {len(right)} photos of known classes are right."
    best = trial.clearly_better(right)
    if best is None:
        return SettingsResult(accuracy, None)
    warning = (
        f"with {best.other.options} {best.right / len(right):.0%} of {len(right)} photos are "
        f"right, with these settings {right.mean():.0%}. Check {best.other.names}."
    )
    return SettingsResult(accuracy, warning)


class _Trial:
    """One network and one set of photos, with several settings."""

    def __init__(self, network: Network, stated: Settings, labelled: Labelled) -> None:
        self._network = network
        self._stated = stated
        self._labelled = labelled
        self._pixels = read_pixels(labelled.photos, stated.preprocessing)

    def stated_right(self) -> NDArray[np.bool_]:
        """Whether the first class of each photo, [N], is its own with the stated settings."""
        return self._right(self._stated, self._pixels, np.arange(len(self._pixels)))

    def clearly_better(self, right: NDArray[np.bool_]) -> _Result | None:
        """The settings with which most photos are right, if a sign test excludes chance; of equal
        ones the smallest change. right: `stated_right`."""
        others = [*other_normalizations(self._stated), *other_crops(self._stated)]
        limit = CHANCE / len(others)
        if 0.5 ** int((~right).sum()) > limit:
            return None  # even if it had all photos right
        progress = tqdm(others, "Trying other settings", unit="setting", disable=None)
        results = [self._compared(other, right, limit) for other in progress]
        better = [result for result in results if result is not None]
        return max(better, key=lambda result: result.right, default=None)

    def _compared(
        self, other: Alternative, right: NDArray[np.bool_], limit: float
    ) -> _Result | None:
        """The number of right photos if a sign test excludes chance, else None."""
        pixels = self._pixels
        if other.settings.preprocessing != self._stated.preprocessing:
            pixels = read_pixels(self._labelled.photos, other.settings.preprocessing)
        gained = int(self._right(other.settings, pixels, np.flatnonzero(~right)).sum())
        if 0.5**gained > limit:
            return None  # without the photos that are right already, which take as long
        kept = int(self._right(other.settings, pixels, np.flatnonzero(right)).sum())
        lost = int(right.sum()) - kept
        return _Result(kept + gained, other) if sign_test(gained, lost) <= limit else None

    def _right(
        self, settings: Settings, pixels: NDArray[np.uint8], indices: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """Whether the first class of each of these photos is its own."""
        if not len(indices):
            return np.zeros(0, bool)
        answers = self._network.probabilities(pixels[indices], settings)
        return np.asarray(answers.argmax(1) == self._labelled.classes[indices])


def sign_test(gained: int, lost: int) -> float:
    """The probability of `gained` or more of both if either is as likely: the exact one-sided sign
    test of paired results."""
    pairs = gained + lost
    return float(sum(comb(pairs, count) for count in range(gained, pairs + 1)) / 2**pairs)
