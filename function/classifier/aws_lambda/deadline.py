"""The time of an invocation that has several photos."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

from classifier.aws_lambda.event_errors import OutOfTime

_MARGIN_SECONDS: Final = 1.0
"""For the response, and for a photo that takes longer than those before it"""


class Deadline:
    """Refuses to start photos that would not be done in time: a timeout would fail those that are
    done, too. May be used by several threads."""

    def __init__(self, context: Any) -> None:
        """`context` is Lambda's; without one there is no limit."""
        self._left = getattr(context, "get_remaining_time_in_millis", None)
        self._longest = 0.0
        self._started = False
        self._lock = threading.Lock()

    @contextmanager
    def photo(self) -> Iterator[None]:
        """Around the work for a photo. Raises `OutOfTime` if one that takes twice as long as the
        longest would not be done. The first may always start: no later invocation has more time."""
        with self._lock:
            is_first, self._started = not self._started, True
        if self._left and not is_first:
            left, needed = self._left() / 1000, _MARGIN_SECONDS + 2 * self._longest
            if left < needed:
                raise OutOfTime(
                    f"Not started: {left:.1f} s of the invocation are left, and a photo may take "
                    f"{needed:.1f} s."
                )
        start = perf_counter()
        try:
            yield
        finally:
            self._longest = max(self._longest, perf_counter() - start)
