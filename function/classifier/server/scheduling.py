"""How Linux schedules the threads that compute (sched(7), sched_setattr(2))."""

import ctypes
import os
import struct
import sys
from contextlib import suppress
from typing import Final

SLICE_NANOSECONDS: Final = 20_000_000
"""The time for which a thread computes before another compute thread may run: longer than most
images take. Linux uses the slice from 6.12 on; before, it is ignored."""

_SYSCALL_NUMBERS: Final = {"x86_64": 314, "aarch64": 274}
"""Of sched_setattr, for which the C library has a function only from glibc 2.41 on"""

_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period"""


def mark_compute_thread(machine: str = "") -> bool:
    """Mark this thread as compute-bound: the event loop, or a client on the same machine, then
    runs as soon as it has something to do, and the thread does not preempt them.

    Returns whether Linux took the slice. `machine` is that of `os.uname`. Measured on an idle
    machine with 2 connections: p99 falls from 1.72 to 1.54 of p50. Beside a process that keeps a
    core busy, p50 falls by a tenth, and p99 rises by four tenths.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return False
    with suppress(OSError):  # a sandbox may forbid it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    number = _SYSCALL_NUMBERS.get(machine or os.uname().machine)
    if number is None or sys.maxsize < 2**32:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)  # of this thread: `nice` remains in force
    attributes = _ATTRIBUTES.pack(
        _ATTRIBUTES.size, os.SCHED_BATCH, 0, niceness, 0, SLICE_NANOSECONDS, 0, 0
    )
    return bool(ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0)
