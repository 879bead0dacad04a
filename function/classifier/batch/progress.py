"""How far the run is, on stderr: a bar on a terminal, a line now and then elsewhere."""

import shutil
import threading
import time
from collections.abc import Callable
from typing import Final, TextIO

_TERMINAL_SECONDS: Final = 0.1
_LOG_SECONDS: Final = 10.0

_BAR_CELLS: Final = 24
_ERASE: Final = "\r\x1b[K"


class Progress:
    """Counts images and prints the count from time to time."""

    def __init__(
        self,
        stream: TextIO,
        count_images: Callable[[], int],
        *,
        bar: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`count_images` runs in its own thread, because a large folder takes long; until it
        has ended, the total is unknown. Without `bar`, a terminal gets nothing. `clock` is in
        seconds."""
        self.done = self.problems = self.skipped = 0
        self._stream = stream
        self._terminal = stream.isatty()
        self._silent = self._terminal and not bar
        self._clock = clock
        self._start = self._printed = clock()
        self._total = 0
        self._drawn = False
        self._counting = threading.Thread(target=self._count, args=(count_images,), daemon=True)
        self._counting.start()

    @property
    def seconds(self) -> float:
        """Since the start"""
        return self._clock() - self._start

    def join(self) -> None:
        """Wait until the total is known."""
        self._counting.join()

    def known(self) -> None:
        """An image has a row already."""
        self.skipped += 1
        self._print()

    def finished(self, *, has_problem: bool) -> None:
        """An image has got its row."""
        self.done += 1
        self.problems += has_problem
        self._print()

    def end(self) -> None:
        """Take the bar away."""
        if self._drawn:
            self._stream.write(_ERASE)
            self._stream.flush()

    def line(self) -> str:
        """The state in one line."""
        passed = self.done + self.skipped
        rate = self.done / max(self.seconds, 1e-9)
        total = f" of {self._total:,}" if self._total else ""
        parts = [f"{passed:,}{total} images"]
        parts.append(f"{rate:.0f}/s")
        if self._total and rate:
            parts.append(f"{_duration(max(0, self._total - passed) / rate)} left")
        if self.problems:
            parts.append(f"{self.problems:,} with a problem")
        return ", ".join(parts)

    def _count(self, count_images: Callable[[], int]) -> None:
        self._total = count_images()

    def _print(self) -> None:
        now = self._clock()
        if self._silent or now - self._printed < (
            _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        ):
            return
        self._printed = now
        if self._terminal:
            width = shutil.get_terminal_size().columns
            self._stream.write(f"{_ERASE}{f'{self._bar()}{self.line()}'[: width - 1]}")
            self._drawn = True
        else:
            self._stream.write(f"{self.line()}\n")
        self._stream.flush()

    def _bar(self) -> str:
        if not self._total:
            return ""
        cells = min(_BAR_CELLS, _BAR_CELLS * (self.done + self.skipped) // self._total)
        return f"[{'#' * cells}{'.' * (_BAR_CELLS - cells)}] "


def _duration(seconds: float) -> str:
    """As hours, minutes and seconds"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
