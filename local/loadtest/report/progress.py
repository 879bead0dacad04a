"""A progress bar on a terminal. The load tests do not require tqdm."""

import sys
import time
from collections.abc import Sequence
from typing import Final, TextIO

from local.loadtest.result import ANSWERED, RequestResult

_WIDTH: Final = 30
_SECONDS: Final = 0.1


class Progress:
    """Counts finished requests; draws on `stream` if it is a terminal."""

    def __init__(self, total: int, stream: TextIO = sys.stderr) -> None:
        self._total = total
        self._stream = stream
        self._shown = stream.isatty()
        self._drawn = 0.0
        self._over = 0
        self._failed = 0
        if self._shown:
            self._draw()

    def add(self, results: Sequence[RequestResult]) -> None:
        self._over += len(results)
        self._failed += sum(result.failure != ANSWERED for result in results)
        if self._shown and (
            self._over == self._total or time.monotonic() >= self._drawn + _SECONDS
        ):
            self._draw()

    def clear(self) -> None:
        """Clear the line for other output."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        filled = _WIDTH * self._over // self._total
        failed = f"  {self._failed} failed" if self._failed else ""
        self._stream.write(
            f"\r\x1b[K[{'#' * filled}{' ' * (_WIDTH - filled)}] {self._over}/{self._total}{failed}"
        )
        self._stream.flush()
