"""The control groups of this process: a container's limits are in their files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

MEMBERSHIP: Final = Path("/proc/self/cgroup")
GROUPS: Final = Path("/sys/fs/cgroup")


def control_groups(controller: str, membership: Path, groups: Path) -> Iterator[Path]:
    """The directories of the group that limits `controller` ("cpu", "memory") and of its ancestors,
    in version 1 and 2 of control groups (Linux: Documentation/admin-guide/cgroup-v1/cgroups.rst,
    cgroup-v2.rst)."""
    for line in read_text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        hierarchy = groups / controllers  # version 2 has one hierarchy, without a name
        group = Path(path.lstrip("/"))
        # Inside a container the path may be the host's, of which only the root is visible.
        for each in (group, *group.parents):
            yield hierarchy / each


def read_text(path: Path) -> str:
    """The content of a file; empty if it does not exist or cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
