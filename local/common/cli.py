"""Command-line conventions: one-line errors, exit status, option types, output files."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

_MOST_DIGITS: Final = 100
"""`int` raises an error of a different kind for numbers with thousands of digits."""


class UsageError(Exception):
    """An invalid request. The message is one line that says what is wrong and what to do."""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see --help)")


def whole_number(least: int = 1, most: int | None = None) -> Callable[[str], int]:
    """An option type: whole numbers from `least` to `most`."""
    bounds = f"of {least} or more" if most is None else f"from {least:,} to {most:,}"

    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else -1
        if number >= least and (most is None or number <= most):
            return number
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {bounds}")

    return parse


def check_outputs(*paths: Path | None) -> None:
    """Check that reports can be written, before the run. Raises `UsageError`."""
    for path in paths:
        if path is None:
            continue
        folder = path.parent
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(
                f"{str(path)!r} cannot be written. Name a file in an existing, writable folder."
            )


def check_folder(path: Path) -> None:
    """Check that files can be written to the folder, which need not exist. Raises `UsageError`."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UsageError(f"{str(path)!r} cannot be written. Name a writable or a new folder.")


def unwritable(error: OSError) -> UsageError:
    """For a report that cannot be written. Unlike `open`, a failed `write` does not name the
    file."""
    return UsageError(f"{error.filename or 'A report'} cannot be written: {error.strerror}.")


def exit_on_sigterm() -> None:
    """Have SIGTERM raise `SystemExit`, so that servers and temporary files do not outlive it."""
    signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def print_progress(line: str) -> None:
    """Print progress on a terminal."""
    if sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def main(command: Callable[[], int]) -> None:
    """Run `command` and exit with its status; a `UsageError` is one line on stderr and status 2."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed when the program was started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of `interrupts`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = command()
        sys.stdout.flush()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except BrokenPipeError:  # the reader closed the pipe
        _drop_output()
        status = 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"error: The output cannot be written: {error.strerror}.", file=sys.stderr)
        _drop_output()
        status = 2
    except KeyboardInterrupt:  # before or after a run
        status = 128 + signal.SIGINT
    sys.exit(status)


def _drop_output() -> None:
    """Python writes what is left at its exit, where a failure is a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
