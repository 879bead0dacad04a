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


class Results:
    """A header, and for each photo its key and its `top` classes; cells are empty if the result has
    fewer."""

    def __init__(self, file: TextIO, top: int) -> None:
        self._write = csv.writer(file, lineterminator="\n").writerow
        self._top = top
        self._columns = 1 + top * len(_OF_EACH)
        further = (f"{name}{rank}" for rank in range(2, top + 1) for name in _OF_EACH)
        self._write(("key", *_OF_EACH, *further))

    def add(self, task: Task, result: dict[str, Any]) -> None:
        row = [task.key]
        for prediction in result["predictions"][: self._top]:
            row += (prediction["label"], prediction["probability"])
        self._write(row + [""] * (self._columns - len(row)))


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
