"""Memory of this process and of the machine."""

import resource
import sys


def peak_mb() -> float:
    """The peak of its resident memory, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)  # bytes, or KB


def available_bytes() -> int:
    """The memory that programs can take without swapping."""
    import psutil  # type: ignore[import-untyped,unused-ignore]

    return int(psutil.virtual_memory().available)
