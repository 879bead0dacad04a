"""What the commands of local/ have in common: errors of one line, exit status, output files."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


class UsageError(Exception):
    """A request that makes no sense or cannot be met; the message is one line and says why."""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see --help)")


def check_outputs(*paths: Path | None) -> None:
    """Complain before the run rather than lose its report. Raises `UsageError`."""
    for path in paths:
        if path is None:
            continue
        folder = path.parent
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(
                f"{str(path)!r} cannot be written. Name a file in a folder that you may write to."
            )


def main(command: Callable[[], int]) -> None:
    """Run `command` and exit with its status; what the user cannot have is one line and 2."""
    try:
        status = command()
        sys.stdout.flush()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except BrokenPipeError:  # the reader of a pipe had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except KeyboardInterrupt:  # before or after a run
        status = 128 + signal.SIGINT
    sys.exit(status)
