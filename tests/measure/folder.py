"""Speed of `python -m classifier` beside bare loops: python -m tests.measure.folder

The loops decode and classify images that are in memory, one process for each core. The command's
parts find the same images as files, read, classify and write them, with as many worker processes.
Both take turns of a second or two, warmed up; the figure is the median of the turns' quotients.

Other programs on the machine would decide about rates. The time for which a worker is ready to run
and has no core (`/proc/PID/schedstat`) is therefore left out; the time for which it waits for the
parent counts, and so does the parent's CPU time.

examples:
  python -m tests.measure.folder
  python -m tests.measure.folder --quick --gross     the short form of continuous integration

exit status: 0 the target is met, 1 it is missed, 2 invalid command
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

sys.path.insert(0, "function")

from classifier.batch.find import Skipped, find_images
from classifier.batch.outputs import open_file
from classifier.batch.rows import JsonLines
from classifier.batch.workers import Workers
from classifier.cpu import usable_cores
from classifier.settings import Settings
from local.benchmark.baseline import Baseline, running_baseline
from local.benchmark.images import typical_jpegs
from local.common.cli import OneLineParser, main
from local.common.verdict import Figures, Threshold, add_verdict_options, judge

RATE: Final = "rate / rate of bare loops"

TARGETS: Final = (Threshold(RATE, 0.95, at_least=True),)

TURNS: Final = 15
QUICK_TURNS: Final = 5
SECONDS: Final = 1.0
IMAGES_PER_CORE: Final = 140
"""In a turn of the command: almost two seconds on the machine of the published figures"""
EDGE: Final = 20
"""Rows for each core at the beginning and the end of a turn that do not count: there some workers
have no work, which in a long run makes no difference."""
TOP_K: Final = 5


class Command:
    """The parts of the command on one folder."""

    def __init__(self, folder: Path, workers: Workers, output: Path, model: str) -> None:
        self._folder = folder
        self._workers = workers
        self._output = output
        self._form = JsonLines(model, TOP_K)

    def turn(self) -> float:
        """Classify all images of the folder into a new file. Returns the milliseconds of a core
        that an image takes."""
        self._output.unlink(missing_ok=True)
        output = open_file(self._output, self._form)
        workers = [
            child
            for child in psutil.Process().children()
            if "classifier.batch.worker" in child.cmdline()[-1]
        ]
        edge = EDGE * max(1, len(workers))
        occupied: list[float] = []
        for row in self._workers.classify(find_images([str(self._folder)], Skipped())):
            output.write(row)
            occupied.append(_occupied_seconds(workers) if len(occupied) % edge == 0 else 0.0)
        output.close()
        last = (len(occupied) - edge) // edge * edge
        return 1000 * (occupied[last] - occupied[edge]) / (last - edge)


def _occupied_seconds(workers: Sequence[psutil.Process]) -> float:
    """Time for which cores were taken by `workers`, or would have been free because they had no
    work, and CPU time of this process; from any fixed moment on."""
    now = time.perf_counter()
    return time.process_time() + sum(now - _delay_seconds(worker.pid) for worker in workers)


def _delay_seconds(pid: int) -> float:
    """Time for which a process was ready to run, and had no core"""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:  # not Linux, or not counted: other programs count as well
        return 0.0


@contextmanager
def both(cores: int) -> Iterator[tuple[Baseline, list[Path], Command]]:
    """The loops with their images, and the command on a folder of the same images."""
    settings = Settings.from_environment({"THREADS": str(cores)})
    with tempfile.TemporaryDirectory() as name:
        images = []
        for number, jpeg in enumerate(typical_jpegs()):
            images.append(Path(name) / f"{number}.jpg")
            images[-1].write_bytes(jpeg)
        folder = Path(name) / "photos"
        folder.mkdir()
        for number in range(cores * IMAGES_PER_CORE):
            os.link(images[number % len(images)], folder / f"{number:05}.jpg")
        with running_baseline(images, cores) as loops, Workers(settings, cores, TOP_K) as workers:
            command = Command(folder, workers, Path(name) / "out.jsonl", workers.start().model)
            command.turn()  # starts the other workers
            yield loops, images, command


def measure(turns: int) -> Figures:
    cores = usable_cores()
    rates = []
    with both(cores) as (loops, images, command):
        for number in range(turns):
            # Each is the first in every other turn, so that a trend favours neither.
            if number % 2:
                found = command.turn()
                bare = loops.measure(images, SECONDS, cores).cpu_ms
            else:
                bare = loops.measure(images, SECONDS, cores).cpu_ms
                found = command.turn()
            rates.append(bare / found)
    return {RATE: statistics.median(rates)}


def command(arguments: Sequence[str] | None = None) -> int:
    parser = OneLineParser(
        prog="python -m tests.measure.folder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_verdict_options(parser)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_TURNS} turns instead of {TURNS}"
    )
    options = parser.parse_args(arguments)
    turns = QUICK_TURNS if options.quick else TURNS
    return judge(lambda: measure(turns), TARGETS, repeat=options.repeat, gross=options.gross)


if __name__ == "__main__":
    main(command)
