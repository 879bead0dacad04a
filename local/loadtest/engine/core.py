"""A separate core for each of several processes that wake at the same moment."""

import os


class OwnCore:
    """Two processes that wake at the same moment can share a core for 3 ms while another one is
    idle. Holding a core prevents that; releasing it lets the process run wherever a core is free,
    which is better at all other times: the server may be busy on this one.

    Does nothing unless there is exactly one core for each process (and the system is Linux).
    """

    def __init__(self, number: int, processes: int) -> None:
        self._all: set[int] = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self._one = {sorted(self._all)[number]} if len(self._all) == processes else self._all
        self._held = False

    def hold(self) -> None:
        if not self._held and self._one != self._all:
            os.sched_setaffinity(0, self._one)
            self._held = True

    def release(self) -> None:
        if self._held:
            os.sched_setaffinity(0, self._all)
            self._held = False
