"""Waiting for what must happen, on machines of any speed."""

import time
from collections.abc import Callable
from typing import Final

HANG_SECONDS: Final = 120
"""Only a guard: what takes longer hangs. No test may depend on how much sooner it happens."""


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Raises `AssertionError`, naming `what`, if `condition` stays false for `HANG_SECONDS`."""
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition} did not happen in {HANG_SECONDS} s")
        time.sleep(0.01)
