"""The baseline: decoding and inference in a loop, without HTTP."""

import contextlib
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.benchmark.servers.processes import ProcessTree, last_line, process_tree
from local.benchmark.servers.server import MeasurementError, process_environment
from local.common.paths import ROOT
from local.loadtest.percentiles import percentile


@dataclass(frozen=True)
class BaselineCost:
    """CPU milliseconds (user and system) per image, images per second of all processes, and time
    per image."""

    cpu_ms: float
    images_s: float
    p50_ms: float
    p99_ms: float


class Baseline:
    """Processes that run the loop at the same time."""

    def __init__(self, loops: list[tuple[ProcessTree, Path]]) -> None:
        self._loops = loops
        self.best: list[int] = self._all_started()
        """The most probable class of each image that the processes were started with."""

    def measure(self, images: Sequence[Path], seconds: float, processes: int = 1) -> BaselineCost:
        """Run the first `processes` of them on `images`, in turn. Raises `MeasurementError`."""
        order = json.dumps({"images": [str(path) for path in images], "seconds": seconds})
        chosen = self._loops[:processes]
        for tree, _ in chosen:
            assert tree.popen.stdin
            tree.popen.stdin.write(f"{order}\n")
            tree.popen.stdin.flush()
        done = [self._read(tree, log) for tree, log in chosen]
        took = sorted(itertools.chain.from_iterable(report["took_s"] for report in done))
        return BaselineCost(
            cpu_ms=1000 * sum(report["cpu_s"] for report in done) / len(took),
            images_s=sum(len(report["took_s"]) / report["wall_s"] for report in done),
            p50_ms=1000 * percentile(took, 50),
            p99_ms=1000 * percentile(took, 99),
        )

    def _all_started(self) -> list[int]:
        best: list[list[int]] = [self._read(tree, log) for tree, log in self._loops]
        return best[0]

    @staticmethod
    def _read(tree: ProcessTree, log: Path) -> Any:
        assert tree.popen.stdout
        line = tree.popen.stdout.readline()
        if not line:
            raise MeasurementError(f"the baseline process ended: {last_line(log)}")
        return json.loads(line)


@contextlib.contextmanager
def running_baseline(images: Sequence[Path], processes: int = 1) -> Iterator[Baseline]:
    """Start `processes` processes of the loop, warmed up. Raises `MeasurementError`."""
    command: list[str | Path] = [sys.executable, "-m", "local.benchmark.apps.baseline", *images]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        loops = []
        for number in range(processes):
            log = folder / f"{number}.log"
            variables = process_environment()
            tree = process_tree(command, log=log, folder=ROOT, environment=variables, piped=True)
            loops.append((stack.enter_context(tree), log))
        yield Baseline(loops)
