"""Peak memory of reading an image, beside what the service reserves for it. Linux only."""

import ctypes
import gc
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, "function")

from classifier.errors import ImageError
from classifier.images import MemoryBudget, read_image
from tests.support.pictures import SIZE

CLEAR_REFS: Final = Path("/proc/self/clear_refs")

INSPECTION_BYTES: Final = 16 << 20
"""The offsets of hundreds of thousands of tiles, which are read before anything is reserved"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds for reading `name`, bytes of memory that this took beside the file itself, and
    bytes that the service reserved for it: 0 if it was refused before. `error` is the refusal."""

    name: str
    seconds: float
    memory: int
    reserved: int
    error: str = ""

    @property
    def excess(self) -> int:
        """Bytes beyond the reservation; of a file that is refused before, beyond
        `INSPECTION_BYTES`."""
        return self.memory - (self.reserved or INSPECTION_BYTES)


class RecordingBudget(MemoryBudget):
    """A budget without a limit; `reserved` is the size of the last reservation."""

    def __init__(self) -> None:
        super().__init__(sys.maxsize)
        self.reserved = 0

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        self.reserved = size
        with super().reserve(size):
            yield


def resident(key: str) -> int:
    """Bytes of VmRSS (resident now) or VmHWM (the peak since the last reset; proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"no {key}")


def cost(name: str, data: bytes) -> Cost:
    """Read an image as the service does."""
    budget, error = RecordingBudget(), ""
    gc.collect()
    # Otherwise decoders could reuse memory that is already resident.
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR_REFS.write_text("5")
    before, start = resident("VmRSS"), time.process_time()
    try:
        read_image(data, SIZE, memory=budget)
    except ImageError as raised:
        error = f"{raised.status.value}: {raised.message}"
    seconds = time.process_time() - start
    return Cost(name, seconds, resident("VmHWM") - before, budget.reserved, error)


def be_quiet() -> None:
    """Decoders warn about each malformed file, some on stderr."""
    warnings.simplefilter("ignore")
    logging.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
