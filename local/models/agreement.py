"""How often two models decide the same, without knowing the true classes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SUM_TOLERANCE: Final = 1e-2
"""Of the sum of a photo's probabilities; an INT8 softmax is far below it."""

_DECISION: Final = 0.5
"""The probability from which a class of a multi-label model is present."""


def agreement(reference: Floats, other: Floats) -> float:
    """The share of equal decisions of two models for the same photos, 0 to 1.

    reference, other: probabilities [N, classes] of the same classes, N of 1 or more.

    If each photo has one class (the probabilities of the reference sum to 1), a decision is the
    most probable class. Else the model is multi-label and a decision is whether a class reaches
    0.5; the result is then the mean of the shares among the classes that the reference finds, and
    among those that it does not find. The plain share would be near 1 for a model that finds
    nothing, because most classes are absent from most photos.
    """
    if not np.isfinite(other).all():
        return 0.0
    if not is_multi_label(reference):
        return float((reference.argmax(1) == other.argmax(1)).mean())
    present = reference >= _DECISION
    same = present == (other >= _DECISION)
    return float(np.mean([same[which].mean() for which in (present, ~present) if which.any()]))


def is_multi_label(probabilities: Floats) -> bool:
    """Whether several classes can be present: the probabilities [N, classes] do not sum to 1."""
    return bool(np.abs(probabilities.sum(1) - 1).max() > _SUM_TOLERANCE)
