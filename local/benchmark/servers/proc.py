"""CPU time and peak memory of a process, from Linux's /proc.

It imports nothing of the project: its source also runs inside a container, where the process is
number 1.
"""

import json
import os
import sys
from pathlib import Path

_GROUP_PEAKS = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
"""Of a container, seen from inside (Linux: cgroup-v2.rst; cgroup-v1/memory.rst)"""


def take(pid: int) -> dict[str, float]:
    """CPU seconds of process `pid` so far, its peak memory in bytes since the last call, its memory
    now, and the peak of the container since its start (0 if there is none)."""
    folder = Path("/proc") / str(pid)
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    # The name of the program, in parentheses, may contain spaces. proc(5): utime is field 14.
    user, system = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
    taken = {
        "cpu_seconds": (int(user) + int(system)) / os.sysconf("SC_CLK_TCK"),
        "peak_bytes": 1024.0 * int(status["VmHWM"].split()[0]),
        "bytes": 1024.0 * int(status["VmRSS"].split()[0]),
        "group_peak_bytes": _group_peak(),
    }
    (folder / "clear_refs").write_text("5")  # the next peak starts here
    return taken


def _group_peak() -> float:
    for path in map(Path, _GROUP_PEAKS):
        if path.exists():
            return float(path.read_text())
    return 0.0


if __name__ == "__main__":
    print(json.dumps(take(int(sys.argv[1]))))
