"""The time that an accepted request may take."""

import math
from typing import Final

WAIT_SECONDS: Final = 1.0
"""A request waits for room as long, before it is passed over."""

REFUSALS_PER_SECOND: Final = 25
"""The service refuses no more for each thread, unless requests would wait for a minute."""


def full_queue_seconds(queue: int, threads: int, rate: float) -> float:
    """The time that a full queue, and the images that are being classified, take at `rate` images
    per second, after the wait for room."""
    return (queue + threads) / rate + WAIT_SECONDS if rate else math.inf
