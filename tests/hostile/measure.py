"""Decode every file of one maker of the corpus, and print what each cost, as JSON.

python -m tests.hostile.measure png_bombs
"""

import contextlib
import gc
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, "function")

from classifier.images import ImageError, read_image
from tests.hostile import corpus
from tests.support.pictures import encode, photo


def resident(key: str) -> int:
    """Bytes: VmRSS, what is resident now; VmHWM, the most since the last reset (proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"no {key}")


def cost(data: bytes) -> tuple[float, int]:
    """Processor seconds and bytes of memory, beside the file, that reading an image takes."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before, start = resident("VmRSS"), time.process_time()
    with contextlib.suppress(ImageError):
        read_image(data, 224)
    return time.process_time() - start, resident("VmHWM") - before


if __name__ == "__main__":
    for kind, options in corpus.KINDS.items():
        cost(encode(photo(), kind, **options))
    costs = [
        (name, *cost(data))
        for make in corpus.MAKERS
        if make.__name__ in sys.argv[1:]
        for name, data in make()
    ]
    print(json.dumps(costs))
