"""The kinds of results, by number: `Run.kinds`."""

from typing import Final

from local.loadtest.run import ANSWERED, IN_FLIGHT

_MOST: Final = 256
"""`failure` of a record is one byte."""

OTHER: Final = "other failures"
"""All kinds beyond the first 254."""


class Kinds:
    """The kinds so far: `ANSWERED`, `IN_FLIGHT`, then failures in the order in which they came."""

    def __init__(self) -> None:
        self.names = [ANSWERED, IN_FLIGHT]
        self._numbers = {kind: number for number, kind in enumerate(self.names)}

    def number(self, kind: str) -> int:
        """The number of `kind`, which may be new."""
        number = self._numbers.get(kind)
        if number is None:
            if len(self.names) == _MOST - 1 and kind != OTHER:
                return self.number(OTHER)
            if len(self.names) == _MOST:
                return self._numbers[OTHER]
            number = self._numbers[kind] = len(self.names)
            self.names.append(kind)
        return number
