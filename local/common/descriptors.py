"""The number of files and connections that a process may have open."""

import resource

from local.common.cli import UsageError


def allow_descriptors(count: int) -> None:
    """Raise the soft limit of this process, and of processes that it starts, to `count` descriptors
    if it is lower. Raises `UsageError` if the hard limit is lower, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _is_enough(soft, count):
        return
    if not _is_enough(hard, count):
        raise UsageError(
            f"{count:,} open files are needed, and the limit is {hard:,}. Raise it (ulimit -Hn "
            f"{count}, as root), or use fewer connections."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def _is_enough(limit: int, count: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= count
