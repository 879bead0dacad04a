"""The memory that this process may use, and what is left of it for images and request bodies."""

import os
from pathlib import Path
from typing import Final

from classifier.cgroup import GROUPS, MEMBERSHIP, control_groups, read_text

_MIB: Final = 2**20

SERVICE_BYTES: Final = 48 * _MIB
"""Memory that the service needs beyond that at its start: connections, the log, the page cache of
its files, memory that the allocator keeps, and colour conversions (at most 4 MB, and 2 for the one
that is being built). Measured in a container of 512 MB under load."""

THREAD_BODY_BYTES: Final = 8 * _MIB
"""Memory of finished request bodies that is kept for the next ones, for each thread"""

THREAD_BYTES: Final = 16 * _MIB + THREAD_BODY_BYTES
"""Memory that each thread keeps: ONNX Runtime's intermediate results, its allocator's arena, and
the memory of a body"""

SUPERVISOR_BYTES: Final = 40 * _MIB
"""What uvicorn's supervisor of several processes takes, with multiprocessing's resource tracker.
Measured: 26 and 13 MB"""

_STATUS: Final = Path("/proc/self/status")


def available_memory(lambda_megabytes: int, threads: int, processes: int = 1) -> int:
    """Bytes for images and bodies: the memory that the process may use, less what it has taken and
    what `threads` will take.

    `lambda_megabytes` is a function's memory size; 0 elsewhere. Where only the machine limits
    the process, it may use half of it: other programs run there, too. The process is one of
    `processes` equal ones, and may use its share.
    """
    own = resident_memory() + SERVICE_BYTES + threads * THREAD_BYTES
    usable = lambda_megabytes * _MIB or usable_memory()
    if processes > 1:
        usable -= SUPERVISOR_BYTES
    return usable // processes - own


def usable_memory(membership: Path = MEMBERSHIP, groups: Path = GROUPS) -> int:
    """Bytes that this process may use: the smallest limit of its control group and the ancestors
    (Linux: Documentation/admin-guide/cgroup-v2.rst, `memory.max`; cgroup-v1/memory.rst,
    `memory.limit_in_bytes`), or half of the machine's memory where no group limits it further."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [
        int(text)
        for group in control_groups("memory", membership, groups)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (text := read_text(group / name).strip()).isdecimal()  # "max": no limit
    ]
    smallest = min(limits, default=machine)
    return smallest if smallest < machine else machine // 2


def resident_memory() -> int:
    """Bytes of this process that are in memory now; 0 where /proc does not tell."""
    for line in read_text(_STATUS).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
