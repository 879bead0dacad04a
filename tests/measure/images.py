"""Time and memory for reading malformed images: python -m tests.measure.images --quick

For each maker of tests/hostile/corpus, a separate process reads all files as the service does.
The targets limit the CPU time of the slowest file, as a multiple of that of an ordinary PNG of 12
megapixels in the same process, and the most memory beyond the file itself and the reservation.
"""

import argparse
import gc
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Final

from tqdm import tqdm

from local.common.verdict import Figures, Threshold, add_verdict_options, judge
from tests.hostile import corpus
from tests.measure.peaks import CLEAR_REFS, Cost, be_quiet, cost
from tests.support.pictures import encode, photo

TIME: Final = 2.5
"""Multiple of the time of the ordinary PNG, which is about 0.4 s"""

MEMORY: Final = 2.0
"""MiB beyond what the service reserves: a file that it refuses takes so much, and has no
reservation. `tests.measure.estimates` compares the reservations themselves."""

MIB: Final = 2**20
ORDINARY_SIZE: Final = (4000, 3000)

MAKERS: Final = {make.__name__: make for make in corpus.MAKERS}


def costs(
    maker: str, small: list[bytes], ordinary: bytes, *, quick: bool
) -> tuple[float, list[Cost]]:
    """CPU seconds of the ordinary image, and the cost of each file of `maker`; `small` files load
    the code of each decoder before."""
    be_quiet()
    for data in small:
        cost("small", data)
    gc.freeze()  # the collections before each file skip the objects of the imports
    unit = cost("ordinary", ordinary).seconds
    make = MAKERS[maker]
    files = corpus.quick_files(make) if quick else make()
    return unit, [cost(name, data) for name, data in files]


def measure(makers: list[str], ordinary: bytes, *, quick: bool) -> Figures:
    """Both figures of each maker. Prints the slowest and the largest file."""
    figures = {}
    width = max(map(len, makers))
    # Not in the processes that measure: encoders keep memory, too.
    small = [encode(photo(), kind, **options) for kind, options in corpus.KINDS.items()]
    for maker in tqdm(makers, unit="maker", disable=None):  # on terminals only
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as own:
            unit, found = own.submit(costs, maker, small, ordinary, quick=quick).result()
        slowest = max(found, key=lambda cost: cost.seconds)
        largest = max(found, key=lambda cost: cost.excess)
        figures[f"{maker}: time"] = slowest.seconds / unit
        figures[f"{maker}: memory"] = largest.excess / MIB
        tqdm.write(
            f"{maker:{width}}  {len(found):4} files, slowest {slowest.name} ({slowest.seconds:.2f} "
            f"s), most beyond its estimate {largest.name} ({largest.excess / MIB:.1f} MiB)"
        )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="skip files that are slow to make")
    parser.add_argument(
        "--maker", action="append", choices=MAKERS, help="only this maker; repeatable"
    )
    add_verdict_options(parser)
    arguments = parser.parse_args()
    if not CLEAR_REFS.exists():
        parser.error("peak memory is read from /proc, which only Linux has")
    makers: list[str] = arguments.maker or list(MAKERS)
    ordinary = encode(photo().resize(ORDINARY_SIZE), "PNG")
    targets = [
        target
        for maker in makers
        for target in (
            Threshold(f"{maker}: time", TIME, "ordinary PNGs"),
            Threshold(f"{maker}: memory", MEMORY, "MiB"),
        )
    ]
    return judge(
        partial(measure, makers, ordinary, quick=arguments.quick),
        targets,
        repeat=arguments.repeat,
        gross=arguments.gross,
    )


if __name__ == "__main__":
    sys.exit(main())
