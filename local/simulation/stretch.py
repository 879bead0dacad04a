"""A stretch of time in which every request finds an idle environment, computed with arrays.

Most of a long plan is such a stretch. The durations of its requests are known in advance, because
all are served by used environments. Sorting starts and ends therefore gives the number in flight,
and that number gives the idle environments: the one that became idle last is used first. The
results are those of `local.simulation.scaling`, request by request, to the microsecond.

Times are in microseconds, ascending, the first instant included: nothing ends at or before it.
"""

from typing import NamedTuple

import numpy as np

from local.simulation.durations import Microseconds

_NEVER = np.iinfo(np.int64).max


class Pool(NamedTuple):
    """Environments at an instant."""

    busy: Microseconds
    """when each becomes free"""
    idle: Microseconds
    """when each became idle"""


def in_flight(
    starts: Microseconds, arrivals: Microseconds, durations: Microseconds, busy: Microseconds
) -> Microseconds:
    """The requests in flight after the arrivals of each instant, if all are served. durations: of
    each request in order."""
    ends = np.sort(np.repeat(starts, arrivals) + durations)
    ended = np.searchsorted(busy, starts, "right") + np.searchsorted(ends, starts, "right")
    return len(busy) + np.cumsum(arrivals) - ended


def instants_with_idle(
    starts: Microseconds, level: Microseconds, pool: Pool, idle_limit: int
) -> int:
    """The number of instants before the first with a request that finds no idle environment, or
    only one that has expired. level: see `in_flight`. The instants must lie within `idle_limit`."""
    lowest = len(pool.busy) + len(pool.idle) - np.maximum.accumulate(level)
    deeper = np.diff(lowest, prepend=len(pool.idle)) < 0
    # Environments that become idle in the stretch do not expire in it. Of those that were idle
    # before, a lower one has been idle for longer, and is taken when the number falls to it.
    idle_since = pool.idle[np.maximum(lowest, 0)]
    return first(np.less(lowest, 0) | (deeper & (idle_since < starts - idle_limit)))


def pool_after(
    starts: Microseconds,
    arrivals: Microseconds,
    durations: Microseconds,
    level: Microseconds,
    pool: Pool,
) -> Pool:
    """The environments after the last instant, without those that have expired but for those
    that nothing took."""
    ends = np.sort(np.concatenate([pool.busy, np.repeat(starts, arrivals) + durations]))
    free = int(np.searchsorted(ends, starts[-1], "right"))
    freed = ends[:free]
    idle = len(pool.busy) + len(pool.idle) - level
    # One that became idle still is if the number of idle ones never fell below it again.
    begun = np.concatenate([[0], np.cumsum(arrivals)])
    instant = np.searchsorted(starts, freed, "left")
    height = len(pool.idle) + np.arange(1, free + 1) - begun[instant]
    fell_to = np.append(np.minimum.accumulate(idle[::-1])[::-1], _NEVER)
    untouched = pool.idle[: int(idle.min())]
    return Pool(ends[free:], np.concatenate([untouched, freed[height <= fell_to[instant]]]))


def first(condition: np.typing.NDArray[np.bool_]) -> int:
    """The index of the first true value, or the length without one."""
    return int(condition.argmax()) if condition.any() else len(condition)
