"""A line on a terminal that is written again and again."""

import sys
from typing import Final, TextIO

_ERASE: Final = "\r\x1b[K"


class TerminalLine:
    """The last line of `stream` (default: stderr), if that is a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.is_shown = self._stream.isatty()
        """Whether the stream is a terminal; else nothing is written."""

    def write(self, text: str) -> None:
        """Replace the line by `text`."""
        if self.is_shown:
            self._stream.write(f"{_ERASE}{text}")
            self._stream.flush()

    def clear(self) -> None:
        """Clear the line for other output."""
        self.write("")
