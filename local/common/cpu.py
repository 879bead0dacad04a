"""CPUs available to this process."""

import os


def cpu_count() -> int:
    """CPUs in the affinity mask of this process. Unlike `classifier.cpu`, ignores CPU quotas: a
    benchmark needs one process per CPU that can run at all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
