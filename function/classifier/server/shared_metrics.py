"""The directory in which worker processes share their metrics."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

from classifier.settings import SettingsError

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Read by prometheus_client when it is imported"""

_FOLDERS: Final = ("/dev/shm", None)  # noqa: S108 - TemporaryDirectory finds an unused name
"""In memory: the service writes nothing to disk, and a read-only container has no other writable
directory. Else the system's directory for temporary files."""

_BYTES_PER_PROCESS: Final = 2**21
"""Four files of 64 KiB, of which the one of histograms grows to 512 KiB if clients try every method
at every route, and those of processes that were replaced"""


@contextmanager
def shared_metrics(processes: int) -> Iterator[None]:
    """Set the variable to a temporary directory, unless it is set. Raises `SettingsError` if no
    directory is writable."""
    if os.environ.get(VARIABLE):
        yield
        return
    with _temporary(processes * _BYTES_PER_PROCESS) as folder:
        os.environ[VARIABLE] = folder
        yield


def _temporary(size: int) -> "TemporaryDirectory[str]":
    for parent in _FOLDERS:
        try:
            folder = TemporaryDirectory(
                prefix="classifier-metrics-", dir=parent, ignore_cleanup_errors=True
            )
        except OSError:
            continue
        # A file that is mapped into memory must have room: the process would be killed.
        if shutil.disk_usage(folder.name).free >= size:
            return folder
        folder.cleanup()
    raise SettingsError(
        f"The metrics of worker processes need a writable directory with {size // 2**20} MiB free. "
        f"Set {VARIABLE} to one, or WEB_CONCURRENCY=1."
    )
