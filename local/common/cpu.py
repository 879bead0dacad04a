"""How many CPU cores there are to use."""

import os


def cpu_count() -> int:
    """CPU cores that this process, and what it starts, may use (its affinity mask)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
