"""Which of many numbers occurred before, in 8 bytes each."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Seen:
    """A growing set of 64-bit numbers: sorted runs, each at least twice as long as the next.

    Declined: a set of Python's integers, which takes ten times the memory. A million random numbers
    have two alike with a probability of 3e-8.
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def contains(self, numbers: Sequence[int]) -> NDArray[np.bool_]:
        """For each number, whether it was added."""
        return self._contains(np.array(numbers, np.int64))

    def add(self, numbers: Sequence[int]) -> NDArray[np.bool_]:
        """Add the numbers. Returns, for each, whether it is here for the first time."""
        values, first = np.unique(np.array(numbers, np.int64), return_index=True)
        unknown = ~self._contains(values)
        is_new = np.zeros(len(numbers), bool)
        is_new[first[unknown]] = True
        self._append(values[unknown])
        return is_new

    def update(self, other: "Seen") -> None:
        """Add all numbers of `other`."""
        for run in other._runs:
            self._append(run[~self._contains(run)])

    def _contains(self, values: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = np.zeros(len(values), bool)
        for run in self._runs:
            places = run.searchsorted(values)
            places[places == len(run)] = 0
            found |= run[places] == values
        return found

    def _append(self, run: NDArray[np.int64]) -> None:
        if len(run):
            self._runs.append(run)
            self._runs.sort(key=len, reverse=True)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            self._runs.append(np.sort(np.concatenate([self._runs.pop(), self._runs.pop()])))
