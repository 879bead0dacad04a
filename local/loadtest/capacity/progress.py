"""The progress of a search: a line on a terminal. Elsewhere, the rows of the table show it."""

import time
from collections.abc import Sequence
from typing import Final, TextIO

from local.common.terminal import TerminalLine
from local.loadtest.report.progress import duration
from local.loadtest.run import Records

_DRAW_SECONDS: Final = 0.25


class Progress:
    """Writes to `stream` if that is a terminal."""

    def __init__(self, most_seconds: float, stream: TextIO | None = None) -> None:
        """most_seconds: how long the search takes at most."""
        self._line = TerminalLine(stream)
        self._end = time.monotonic() + most_seconds
        self._name = ""
        self._started = self._written = 0.0
        self._seconds = 0.0
        self._requests = self._ended = 0

    def start(self, name: str, requests: int, seconds: float) -> None:
        """A measurement of `seconds` starts; `name`: of its load."""
        self._name, self._requests, self._seconds = name, requests, seconds
        self._ended = 0
        self._started = time.monotonic()
        self._write()

    def add(self, records: Records, _: Sequence[str] = ()) -> None:
        """Count requests that have ended."""
        self._ended += len(records)
        if time.monotonic() >= self._written + _DRAW_SECONDS:
            self._write()

    def clear(self) -> None:
        """Clear the line for other output."""
        self._line.clear()

    def _write(self) -> None:
        self._written = now = time.monotonic()
        passed = now - self._started
        state = f"{passed:.0f} of {self._seconds:.0f} s"
        if passed > self._seconds:
            state = "waiting for the last responses"
        self._line.write(
            f"{self._name}: {self._ended}/{self._requests}, {state}; "
            f"at most {duration(max(0.0, self._end - now))} left"
        )
