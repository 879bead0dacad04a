"""Fuzz `read_image`: for any bytes, it returns pixels or raises an `ImageError` within a second.

    make fuzz

All options of libFuzzer work (`-max_total_time=300`, a folder for the corpus). `classifier` and
Pillow's plugins are instrumented for coverage; Pillow's decoders in C are not.
"""

import logging
import random
import sys
import time
import warnings

import atheris

sys.path.insert(0, "function")
with atheris.instrument_imports(include=["classifier", "PIL"]):
    from classifier.errors import ImageError
    from classifier.images import MemoryBudget, read_image
    from classifier.images.formats import bmp, gif, isobmff, jpeg, png, tiff, webp  # noqa: F401
from tests.hostile.corpus import ordinary

SIZE = 32
SECONDS = 1.0
_MEMORY = MemoryBudget(2**30)
_FILES = [data[:20_000] for data in ordinary().values()]


def test_one_input(data: bytes) -> None:
    start = time.process_time()
    try:
        pixels = read_image(data, SIZE, memory=_MEMORY)
    except ImageError:
        pass
    else:
        assert pixels.shape == (SIZE, SIZE, 3)
        assert pixels.dtype == "uint8"
    took = time.process_time() - start
    assert took < SECONDS, f"{took:.1f} s"


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Mutate as libFuzzer does, but sometimes start from an ordinary file."""
    chance = random.Random(seed)
    if chance.random() < 0.1 or len(data) < 8:
        data = chance.choice(_FILES)
    if chance.random() < 0.2:
        other = chance.choice(_FILES)
        data = data[: chance.randrange(len(data))] + other[chance.randrange(len(other)) :]
    mutated: bytes = atheris.Mutate(data[:max_size], max_size)
    return mutated


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    logging.disable()
    options = [option for option in sys.argv if option.startswith("-max_len")] or ["-max_len=20000"]
    atheris.Setup([*sys.argv, "-len_control=0", *options], test_one_input, custom_mutator=mutate)
    atheris.Fuzz()
