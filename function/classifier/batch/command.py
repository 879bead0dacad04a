"""The command: find, classify, write, and say how it went."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from classifier.batch.arguments import STANDARD_OUTPUT, Options, UsageError, parse
from classifier.batch.find import Skipped, find_images
from classifier.batch.outputs import Output, OutputError, open_file, standard_output
from classifier.batch.progress import Progress
from classifier.batch.rows import PROBLEM, Csv, JsonLines, Row, Text
from classifier.batch.workers import WorkerCrash, WorkerError, Workers, default_processes
from classifier.outcome import DEFAULT_TOP_K
from classifier.settings import Settings, SettingsError

OK: Final = 0
PROBLEMS: Final = 1
INVALID: Final = 2


def main() -> None:
    """Run the command and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit status. Errors are one line on stderr."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed when the program was started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    try:
        options = parse(arguments)
        settings = Settings.from_environment()
        processes = settings.web_concurrency or default_processes(settings)
        with Workers(settings, processes, options.top_k or DEFAULT_TOP_K) as workers:
            return _classify(options, workers)
    except (UsageError, SettingsError, WorkerError, OutputError) as error:
        print(f"error: {error}", file=sys.stderr)
        return INVALID
    except BrokenPipeError:  # the reader of standard output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEMS
    except KeyboardInterrupt:  # before the work
        return 128 + signal.SIGINT


def _classify(options: Options, workers: Workers) -> int:
    model, classes = workers.start()
    outputs = _outputs(options, model, min(options.top_k or DEFAULT_TOP_K, classes))
    run = _Run(options, outputs)
    with _until_signal() as stop:
        try:
            for row in workers.classify(run.new_paths(), stop.requested):
                run.write(row)
        except (OutputError, WorkerCrash) as error:
            run.progress.end()
            print(f"error: {error}", file=sys.stderr)
            return PROBLEMS
    run.progress.end()
    print(run.summary(stopped=stop.requested()), file=sys.stderr)
    if stop.requested():
        return 128 + stop.number
    return PROBLEMS if run.problems else OK


def _outputs(options: Options, model: str, top_k: int) -> list[Output]:
    """Raises `OutputError`."""
    outputs: list[Output] = []
    if options.csv:
        to_stream = options.csv == STANDARD_OUTPUT
        table = Csv(model, top_k, mark=not to_stream)
        outputs.append(
            standard_output(table, table.header) if to_stream else open_file(options.csv, table)
        )
    if options.jsonl:
        lines = JsonLines(model, top_k)
        outputs.append(
            standard_output(lines)
            if options.jsonl == STANDARD_OUTPUT
            else open_file(options.jsonl, lines)
        )
    return outputs or [standard_output(Text(options.top_k or 1))]


class _Run:
    """The images of one run, their outputs, and the counts."""

    def __init__(self, options: Options, outputs: Sequence[Output]) -> None:
        self._options = options
        self._outputs = outputs
        self._skipped = Skipped()
        self.progress = Progress(sys.stderr, self._count, bar=_has_room_for_bar(options))

    @property
    def problems(self) -> int:
        """The number of rows with a problem, of this run and earlier ones"""
        return self.progress.problems + max(each.known_problems for each in self._outputs)

    def new_paths(self) -> Iterator[str]:
        """The images that lack a row in an output"""
        for path in find_images(self._options.paths, self._skipped):
            if all(output.has(path) for output in self._outputs):
                self.progress.known()
            else:
                yield path

    def write(self, row: Row) -> None:
        """Raises `OutputError` and `BrokenPipeError`."""
        for output in self._outputs:
            if not output.has(row["path"]):
                output.write(row)
        self.progress.finished(has_problem=PROBLEM in row)

    def summary(self, *, stopped: bool) -> str:
        """One line"""
        progress = self.progress
        counted = f"{progress.done:,} image{'' if progress.done == 1 else 's'}"
        parts = [f"{counted} in {progress.seconds:.1f} s"]
        if progress.skipped:
            parts.append(f"{progress.skipped:,} had a row already")
        if self.problems:
            parts.append(f"{self.problems:,} with a problem")
        if self._skipped.total:
            parts.append(
                f"left out: {self._skipped.other:,} other files, {self._skipped.hidden:,} hidden, "
                f"{self._skipped.linked:,} links to folders"
            )
        line = "; ".join(parts)
        if not stopped:
            return line
        files = [str(path) for path in (self._options.csv, self._options.jsonl) if path]
        remedy = " The same command continues." if files else ""
        return f"Stopped after {line}.{remedy}"

    def _count(self) -> int:
        return sum(1 for _ in find_images(self._options.paths, Skipped()))


def _has_room_for_bar(options: Options) -> bool:
    """Whether no rows go to the terminal of the bar."""
    files = (options.csv, options.jsonl)
    return not sys.stdout.isatty() or (any(files) and STANDARD_OUTPUT not in files)


@dataclass
class _Stop:
    """The signal that came, or 0"""

    number: int = 0

    def requested(self) -> bool:
        return self.number > 0


@contextmanager
def _until_signal() -> Iterator[_Stop]:
    """Ctrl-C and SIGTERM are noted, so that what is begun is finished. A second one ends the
    process at once."""
    stop = _Stop()

    def note(number: int, _: object) -> None:
        stop.number = number
        signal.signal(number, signal.SIG_DFL)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
