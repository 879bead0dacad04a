"""Memory of this process."""

import resource
import sys


def peak_mb() -> float:
    """The peak of its resident memory, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)  # bytes, or KB
