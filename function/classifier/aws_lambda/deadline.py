"""The time of an invocation that has several photos."""

from time import perf_counter
from typing import Any, Final

from classifier.aws_lambda.event_errors import OutOfTime

_MARGIN_SECONDS: Final = 1.0
"""For the answer, and for a photo that takes longer than those before it"""


class Deadline:
    """Called before each photo. What is left undone is answered as such; a timeout would undo the
    photos before it, too."""

    def __init__(self, context: Any) -> None:
        """`context` is Lambda's; without one there is no limit."""
        self._left = getattr(context, "get_remaining_time_in_millis", None)
        self._longest = 0.0
        self._started: float | None = None

    def start(self) -> None:
        """Raises `OutOfTime` if a photo that takes twice as long as the longest would not be done.
        The first may always start: a later invocation has no more time."""
        now = perf_counter()
        if self._started is not None:
            self._longest = max(self._longest, now - self._started)
            needed = _MARGIN_SECONDS + 2 * self._longest
            if self._left and (left := self._left() / 1000) < needed:
                raise OutOfTime(
                    f"Not started: {left:.1f} s of the invocation are left, and a photo may take "
                    f"{needed:.1f} s."
                )
        self._started = now
