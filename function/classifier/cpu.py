"""The CPU cores available to this process: its affinity and the quota of its control group."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from classifier.cgroup import GROUPS, MEMBERSHIP, control_groups, read_text


def usable_cores(membership: Path = MEMBERSHIP, groups: Path = GROUPS) -> int:
    """Cores this process can keep busy, 1 or more: a container with `--cpus 1.5` has 2.

    The affinity mask limits them, and the CPU quotas of the control group and its ancestors
    (Linux: Documentation/admin-guide/cgroup-v2.rst, `cpu.max`; cgroup-v1/, `cpu.cfs_quota_us`).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = (
        quota for group in control_groups("cpu", membership, groups) for quota in _quota(group)
    )
    return max(1, math.ceil(min(cores or 1, min(quotas, default=math.inf))))


def _quota(group: Path) -> Iterator[float]:
    """In cores, if the group has one."""
    limit = read_text(group / "cpu.max").split() or [
        read_text(group / "cpu.cfs_quota_us").strip(),
        read_text(group / "cpu.cfs_period_us").strip(),
    ]
    if all(each.isdecimal() for each in limit):  # "max" and -1 mean no limit
        quota, period = map(int, limit)
        yield quota / period
