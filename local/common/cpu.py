"""CPUs available to this process."""

import os


def cpu_count() -> int:
    """CPUs in the affinity mask of this process. Unlike `classifier.cpu`, ignores CPU quotas: a
    benchmark needs one process per CPU that can run at all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to_core(number: int, processes: int) -> None:
    """Keep this process to one core if there is one for each of `processes`. Two of them that wake
    at the same moment can otherwise share a core while another one is idle, for 3 ms (Linux)."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) == processes:
            os.sched_setaffinity(0, {cores[number]})
