"""Whether the service's model gives the results of the user's file.

Two comparisons. On the same pixels the two compute the same, apart from rounding: this shows an
error in the imported network, the normalization or the activation. With the file's own
preprocessing in front of it, pixels differ: `read_image` crops at fractions of a pixel, decodes
large JPEGs at a smaller scale and converts colour profiles.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from local.common.cli import UsageError
from local.models.graph.sessions import session
from local.models.parity.alternatives import (
    Alternative,
    other_activations,
    other_crops,
    other_normalizations,
)
from local.models.parity.reference import Network, Settings, own_pixels, readable

SAME_PIXELS: Final = 1e-3
"""Largest difference in probability on the same pixels; float32 networks differ by about 1e-6"""

SAME_PIXELS_HALF: Final = 0.03
"""The same for a file that computes in float16, whose numbers have 11 bits"""

LEAST_AGREEMENT: Final = 0.9
"""Part of the photos with the same first class"""

MEAN_DIFFERENCE: Final = 0.1
"""Of the probability that differs most, over the photos. Of EfficientNet-Lite0 on 125 photos, the
mean is 0.02 to 0.03 and agreement 0.976 or more with the right settings; 0.15 and 0.89 if one side
squashes, 0.13 and 0.896 with another mean and deviation, 0.17 and 0.83 with BGR. Both must miss
their limits: a network with classes that are almost equal has little agreement and little
difference, and untrained networks of 96 pixels have up to 0.08 and 0.70, since they are sensitive
to shifts by half a pixel."""


SHIFTS: Final = 2
"""Times the mean difference that a shift of all pixels by one causes in the file's own results. The
service's crop may be half a pixel away from the file's, and sizes are rounded. A network that
reacts strongly to such a shift may differ by more than MEAN_DIFFERENCE without an error."""


class ParityError(UsageError):
    """The service's model gives other results; the message has the figures and a likely cause."""


class Comparison(NamedTuple):
    """Agreement is the part of the photos with the same first class; the differences are in
    probability, of the class that differs most in each photo."""

    agreement: float
    mean: float
    largest: float

    @property
    def holds(self) -> bool:
        return self.agreement >= LEAST_AGREEMENT or self.mean <= MEAN_DIFFERENCE


def compare(left: NDArray[Any], right: NDArray[Any]) -> Comparison:
    """Probabilities [N, classes] of the same photos. A NaN counts as a difference of 1."""
    differences = np.nan_to_num(np.abs(left - right).max(1), nan=1.0)
    same = left.argmax(1) == right.argmax(1)
    return Comparison(float(same.mean()), float(differences.mean()), float(differences.max()))


def check_parity(
    file: Path,
    stated: Settings,
    served: onnx.ModelProto,
    photos: Sequence[Path],
    pixels: NDArray[np.uint8],
) -> str:
    """Compare the service's float model with `file` and its `stated` settings; a report of a
    few lines.

    served: the imported network with the service's input and output; pixels: of `photos`, as the
    service reads them, [N, size, size, 3]. Raises `ParityError`.
    """
    network = Network(file)
    answers = _run(served, pixels)
    largest = compare(answers, network.probabilities(pixels, stated)).largest
    if largest > _tolerance(network):
        cause = _same_answers(network, pixels, answers, stated)
        raise ParityError(
            f"The service's model differs from {file.name} by up to {largest:.2g} in probability "
            f"on the same pixels. {_likely(cause)}"
        )
    lines = [f"On the same pixels, the largest difference to {file.name} is {largest:.1g}."]
    known = readable(photos)
    if known:
        chosen = [photos[index] for index in known]
        own = np.stack([own_pixels(photo, stated.preprocessing) for photo in chosen])
        expected = network.probabilities(own, stated)
        found = compare(answers[known], expected)
        text = (
            f"the first class agrees on {found.agreement:.1%} of {len(known)} photos; the "
            f"probability differs by {found.mean:.3f} on average and {found.largest:.3f} at most"
        )
        lines.append(f"With its own preprocessing, {text}.")
        if not found.holds:
            crop = _same_crop(network, chosen, answers[known], stated)
            shifted = compare(network.probabilities(_shifted(own), stated), expected).mean
            if crop or found.mean > SHIFTS * shifted:
                raise ParityError(
                    f"With its own preprocessing, {file.name} gives other results than the "
                    f"service: {text}. {_likely(crop)}"
                )
            lines.append(
                f"A shift by one pixel changes its probabilities by {shifted:.3f} on average, "
                "so the difference shows no error. The network may be untrained, or trained on "
                "other kinds of photos."
            )
    return "\n".join(lines)


def _shifted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels [N, size, size, 3], one to the right and one down."""
    return np.pad(pixels, ((0, 0), (1, 0), (1, 0), (0, 0)), "edge")[:, :-1, :-1]


def _tolerance(network: Network) -> float:
    return SAME_PIXELS_HALF if network.half else SAME_PIXELS


def _run(served: onnx.ModelProto, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    model = session(served)
    name = model.get_inputs()[0].name
    return np.concatenate([model.run(None, {name: photo[np.newaxis]})[0] for photo in pixels])


def _same_answers(
    network: Network, pixels: NDArray[np.uint8], answers: NDArray[np.float32], stated: Settings
) -> Alternative | None:
    """The settings that make the file's probabilities those of the service."""
    others = [*other_normalizations(stated), *other_activations(stated)]
    differences = [
        compare(answers, network.probabilities(pixels, other.settings)).largest for other in others
    ]
    least = int(np.argmin(differences))
    return others[least] if differences[least] <= _tolerance(network) else None


def _same_crop(
    network: Network, photos: Sequence[Path], answers: NDArray[np.float32], stated: Settings
) -> Alternative | None:
    def compared(others: Iterable[Alternative]) -> Iterable[tuple[Comparison, Alternative]]:
        for other in others:
            own = np.stack([own_pixels(photo, other.settings.preprocessing) for photo in photos])
            yield compare(answers, network.probabilities(own, other.settings)), other

    found = [
        (result.mean, other) for result, other in compared(other_crops(stated)) if result.holds
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _likely(cause: Alternative | None) -> str:
    if cause is None:
        return "No other setting explains this. Use --parity 0 to build the model all the same."
    return f"It agrees with {cause.options}: check {cause.names}."
