"""Waiting for conditions, on machines of any speed."""

import time
from collections.abc import Callable
from typing import Final

HANG_SECONDS: Final = 120
"""A test that waits longer hangs. No test may depend on the duration of a shorter wait."""


def wait_until(condition: Callable[[], object], event: str = "") -> None:
    """Raises `AssertionError` with `event` if `condition` is false for `HANG_SECONDS`."""
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{event or condition} did not happen in {HANG_SECONDS} s")
        time.sleep(0.01)
