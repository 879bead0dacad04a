"""The CPU cores available to this process: its affinity and the quota of its control group."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_GROUPS: Final = Path("/sys/fs/cgroup")


def usable_cores(membership: Path = _MEMBERSHIP, groups: Path = _GROUPS) -> int:
    """Cores this process can keep busy, 1 or more: a container with `--cpus 1.5` has 2.

    The affinity mask limits them, and the CPU quotas of the control group and its ancestors
    (Linux: Documentation/admin-guide/cgroup-v2.rst, `cpu.max`; cgroup-v1/, `cpu.cfs_quota_us`).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = min(_quotas(membership, groups), default=math.inf)
    return max(1, math.ceil(min(cores or 1, quota)))


def _quotas(membership: Path, groups: Path) -> Iterator[float]:
    """In cores, of each group with a quota."""
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        hierarchy = groups / controllers  # version 2 has one hierarchy, without a name
        group = Path(path.lstrip("/"))
        # Inside a container the path may be the host's, of which only the root is visible.
        for each in (group, *group.parents):
            yield from _quota(hierarchy / each)


def _quota(group: Path) -> Iterator[float]:
    limit = _text(group / "cpu.max").split() or [
        _text(group / "cpu.cfs_quota_us").strip(),
        _text(group / "cpu.cfs_period_us").strip(),
    ]
    if all(each.isdecimal() for each in limit):  # "max" and -1 mean no limit
        quota, period = map(int, limit)
        yield quota / period


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
