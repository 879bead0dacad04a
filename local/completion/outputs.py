"""Files that are made of a completion report: results as CSV, and a manifest for another job."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from local.common.cli import UsageError
from local.completion.tasks import NO_VERSION, Entry, Task, encoded

STDOUT: Final = Path("-")
_MARK: Final = "\ufeff"
"""A byte order mark, without which Excel expects the system's old encoding"""

_OF_EACH: Final = ("label", "probability")

_TEXT: Final = "'"
"""In front of a cell, it makes a spreadsheet take the cell for text."""

_FORMULA: Final = tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")
"""A spreadsheet takes a cell that begins with one of them for a formula (OWASP, "CSV Injection";
ASVS 5.0, 1.2.10). The last four are =+-@ of full width, for spreadsheets in Japanese."""

_SEPARATORS: Final = frozenset(";\t\r")
"""Must be quoted, too: where the comma is the decimal separator, a spreadsheet separates the cells
of a CSV file at semicolons. Older versions of Python leave a CR without quotes."""


class Results:
    """A header, and for each photo its key and its `top` classes; cells are empty if the result has
    fewer. No key is a formula: photos may come from strangers."""

    def __init__(self, file: TextIO, top: int) -> None:
        self._write = csv.writer(file, lineterminator="\n").writerow
        self._write_quoted = csv.writer(
            file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
        ).writerow
        self._top = top
        self._columns = 1 + top * len(_OF_EACH)
        further = (f"{name}{rank}" for rank in range(2, top + 1) for name in _OF_EACH)
        self._write(("key", *_OF_EACH, *further))

    def add(self, task: Task, result: dict[str, Any]) -> None:
        row = [_cell(task.key)]
        for prediction in result["predictions"][: self._top]:
            row += (prediction["label"], prediction["probability"])
        write = self._write if _SEPARATORS.isdisjoint(task.key) else self._write_quoted
        write(row + [""] * (self._columns - len(row)))


def _cell(key: str) -> str:
    """The key as text for a spreadsheet. One that begins with the mark gets another, so that
    removing one mark from a cell always returns the key."""
    return _TEXT + key if key.startswith((_TEXT, *_FORMULA)) else key


class Manifest:
    """Rows as S3 Batch Operations takes them: `S3BatchOperations_CSV_20180820`. All have a version,
    or none has: the first row decides."""

    def __init__(self, file: TextIO) -> None:
        self._write = csv.writer(file, lineterminator="\n").writerow
        self._versions: bool | None = None

    def add(self, row: Task | Entry) -> None:
        """Raises `UsageError` for a version after rows that have none."""
        if self._versions is None:
            self._versions = bool(row.version)
        if row.version and not self._versions:
            raise UsageError(
                "Some rows name a version of the object and others do not, which no manifest may "
                "mix. Read the reports of one job at a time."
            )
        cells = [row.bucket, encoded(row.raw_key)]
        self._write([*cells, row.version or NO_VERSION] if self._versions else cells)

    @property
    def fields(self) -> list[str]:
        """As CreateJob's `Manifest.Spec.Fields` names them"""
        return ["Bucket", "Key", *(["VersionId"] if self._versions else [])]


@contextmanager
def opened(path: Path, *, mark: bool = False) -> Iterator[TextIO]:
    """A new text file, or standard output for `-`. Raises `UsageError`."""
    if path == STDOUT:
        yield sys.stdout
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(_MARK * mark)
            yield file
    except BrokenPipeError:  # of standard output
        raise
    except OSError as error:
        raise UsageError(f"Cannot write {str(path)!r}: {error.strerror}") from None
