"""Runs the command as users do: in the folder `function`."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.paths import ROOT
from tests.support.scripts import finish, start
from tests.support.wait import wait_until

FUNCTION: Final = ROOT / "function"

MANY: Final = 40
"""Images, of which so many rows do not fit into a pipe"""
ENDLESS: Final = 300
"""Images, more than can have been sent to two workers before the row of the first was written"""

LONG_ROWS: Final = ("--top", 100)
"""9 kB for each row: a pipe of 64 kB holds seven."""


_PROGRESS: Final = re.compile(
    r"[\d,]+( of [\d,]+)? images, \d+/s(, [\d:]+ left)?(, [\d,]+ with a problem)?"
)
"""A line that a run of more than ten seconds prints"""


def without_progress(errors: str) -> list[str]:
    """The lines on stderr that are not progress."""
    return [line for line in errors.splitlines() if not _PROGRESS.fullmatch(line)]


def only_line(errors: str) -> str:
    """The one line on stderr that is not progress."""
    (line,) = without_progress(errors)
    return line


def classify(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return finish(begin(*arguments, **environment))


def begin(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    return start("-m", "classifier", *arguments, cwd=FUNCTION, environment=environment)


def copies(photo: bytes, folder: Path, count: int = MANY) -> Path:
    folder.mkdir()
    first = folder / "000.jpg"
    first.write_bytes(photo)
    for number in range(1, count):
        os.link(first, folder / f"{number:03}.jpg")
    return folder


@contextmanager
def held(folder: Path, table: Path, rows: int = 5) -> Iterator[subprocess.Popen[str]]:
    """A run that has written `rows` rows or more and cannot go on: it writes to a pipe, too, which
    is full."""
    process = begin(folder, "--csv", table, "--jsonl", "-", *LONG_ROWS, THREADS="2")
    try:
        wait_until(lambda: table.exists() and table.read_bytes().count(b"\n") > rows, "rows")
        yield process
    finally:
        process.kill()
        process.communicate()
