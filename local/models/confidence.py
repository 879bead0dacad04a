"""Probabilities that mean something: a temperature, its error, and a threshold for the first class.

Guo et al., On Calibration of Modern Neural Networks (ICML 2017): one temperature T divides the
logits of every photo, so that classes keep their order. It minimizes the negative log likelihood of
the photos' classes. The expected calibration error (ECE) is the difference between the probability
of the first class and the share that is right, averaged over 15 equal-width bins of the former.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BINS: Final = 15
FOLDS: Final = 10
REPEATS: Final = 10
PRECISION: Final = 0.95
"""Share of the first classes with the threshold or more that must be right."""

MIN_ABOVE: Final = 20
"""Photos with the threshold or more: of fewer, all may be right by chance at a precision of 95 %
(the probability of that is 0.95 ** 20 = 36 %)."""

MIN_TEMPERATURE: Final = 0.05
MAX_TEMPERATURE: Final = 20.0
_STEPS: Final = 60


class LabelledLogits(NamedTuple):
    """Logits [N, classes] and true classes [N]; `sigmoid`: each class has its own."""

    logits: Floats
    classes: NDArray[np.intp]
    sigmoid: bool = False

    def of(self, photos: NDArray[np.intp]) -> Self:
        """Those of some photos, by number."""
        return self._replace(logits=self.logits[photos], classes=self.classes[photos])

    @property
    def right(self) -> Flags:
        """Whether the first class is the true one, [N]."""
        return np.asarray(self.logits.argmax(1) == self.classes)

    def top_probability(self, temperature: float) -> Floats:
        """The probability of the first class, [N]."""
        top = self.logits.max(1)
        if self.sigmoid:
            return np.asarray(_sigmoid(top / temperature))
        powers: Floats = np.exp((self.logits - top[:, None]) / temperature)
        sums: Floats = powers.sum(1)
        return np.asarray(1 / sums)


class Validation(NamedTuple):
    """Of each photo, by temperatures and thresholds that were fitted without it: the probability of
    the first class, and whether it reaches the threshold; both [REPEATS, N]."""

    top: Floats
    above: Flags


def weights(right: Flags, accuracy: float | None) -> Floats:
    """Weights [N], 1 on average, with which this share of the first classes is right; 1 without
    `accuracy`. There must be right and wrong ones."""
    if accuracy is None:
        return np.ones(len(right))
    share = right.mean()
    return np.asarray(np.where(right, accuracy / share, (1 - accuracy) / (1 - share)))


def fit_temperature(photos: LabelledLogits, weight: Floats) -> float:
    """The temperature with the smallest weighted negative log likelihood.

    With a sigmoid for each class, the likelihood of all: a photo shows its class and no other. The
    likelihood is concave in 1 / T, so Newton's method finds its maximum; steps that leave the
    interval around it are replaced by bisection. At most `MAX_TEMPERATURE`, at least
    `MIN_TEMPERATURE`, which is the result if all photos are right.
    """
    low, high = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    inverse = 1.0
    for _ in range(_STEPS):
        slope, curvature = _derivatives(photos, weight, inverse)
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        step = inverse - slope / curvature if curvature > 0 else low
        step = step if low < step < high else (low + high) / 2
        if abs(step - inverse) < 1e-9 * inverse:
            break
        inverse = step
    return float(1 / inverse)


def _derivatives(photos: LabelledLogits, weight: Floats, inverse: float) -> tuple[float, float]:
    """The first and the second derivative of the loss by 1 / T."""
    logits, classes, sigmoid = photos
    rows = np.arange(len(classes))
    if sigmoid:
        p = _sigmoid(inverse * logits)
        slopes = (p * logits).sum(1) - logits[rows, classes]
        curvatures = (p * (1 - p) * logits**2).sum(1)
    else:
        shifted = logits - logits.max(1, keepdims=True)
        p = np.exp(inverse * shifted)
        p /= p.sum(1, keepdims=True)
        mean = (p * shifted).sum(1)
        slopes = mean - shifted[rows, classes]
        curvatures = (p * shifted**2).sum(1) - mean**2
    return float(weight @ slopes), float(weight @ curvatures)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def reliability(top: Floats, right: Flags, weight: Floats) -> list[dict[str, float]]:
    """Of each bin that is not empty: mean probability of the first class, the share that is right,
    and the bin's share of all photos."""
    bins = np.minimum((top * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        inside = bins == number
        if total := weight[inside].sum():
            probability, correct = (weight[inside] @ values[inside] for values in (top, right))
            found.append(
                {
                    "probability": float(probability / total),
                    "right": float(correct / total),
                    "share": float(total / weight.sum()),
                }
            )
    return found


def calibration_error(top: Floats, right: Flags, weight: Floats) -> float:
    """ECE: 0 to 1."""
    bins = reliability(top, right, weight)
    return sum(each["share"] * abs(each["probability"] - each["right"]) for each in bins)


def error_of_exact(top: Floats, weight: Floats) -> float:
    """The mean ECE on as many photos if these probabilities were exact: chance alone makes it more
    than 0."""
    random = np.random.default_rng(0)
    ones = np.ones(len(top))
    errors = []
    for _ in range(200):
        drawn = random.choice(top, len(top), p=weight / weight.sum())
        errors.append(calibration_error(drawn, random.random(len(top)) < drawn, ones))
    return float(np.mean(errors))


def find_threshold(top: Floats, right: Flags, weight: Floats) -> float | None:
    """The lowest hundredth from which on `PRECISION` of the first classes are right, or None if
    none is, or if fewer than `MIN_ABOVE` photos reach it."""
    for hundredths in range(101):
        above = top >= hundredths / 100
        if above.sum() < MIN_ABOVE:
            return None
        if precision(above, right, weight) >= PRECISION:
            return hundredths / 100
    return None


def precision(above: Flags, right: Flags, weight: Floats) -> float:
    """The weighted share of `above` that is right. Not for an empty set."""
    return float(weight[above] @ right[above] / weight[above].sum())


def cross_validate(photos: LabelledLogits, accuracy: float | None) -> Validation:
    """Fit temperature and threshold without each fold of the photos, `REPEATS` times with other
    folds; without a threshold no photo of the fold is above it."""
    top = np.empty((REPEATS, len(photos.classes)))
    above = np.zeros(top.shape, bool)
    right = photos.right
    rounds = tqdm(list(_folds(len(photos.classes))), "Validating", unit="fold", disable=None)
    for repeat, fold in rounds:
        rest = np.setdiff1d(np.arange(top.shape[1]), fold)
        weight = weights(right[rest], accuracy)
        temperature = fit_temperature(photos.of(rest), weight)
        threshold = find_threshold(
            photos.of(rest).top_probability(temperature), right[rest], weight
        )
        top[repeat, fold] = photos.of(fold).top_probability(temperature)
        above[repeat, fold] = threshold is not None and top[repeat, fold] >= threshold
    return Validation(top, above)


def _folds(count: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """The number of the repetition, and the photos of one of its folds."""
    for repeat in range(REPEATS):
        order = np.random.default_rng(repeat).permutation(count)
        for fold in np.array_split(order, FOLDS):
            yield repeat, fold
