"""What the command writes for an image: as JSON, as CSV, or as a line to read.

All are UTF-8. Other bytes of a file name become an escape, such as `\\udcff`. JSON has the same
escape, so `os.fsencode` gives the name back.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from classifier.outcome import to_json

Row = dict[str, Any]
"""`path`, and the members of the service's result or problem"""

PROBLEM: Final = "type"
"""The member that rows with a problem have"""

_MARK: Final = "\ufeff"
"""At the beginning of CSV in a file. Without it, Excel expects the system's old
encoding; pandas and others skip the mark."""

_OF_EACH: Final = ("label", "index", "probability")
"""Columns of each prediction"""

_CONFIDENT: Final = "confident"
"""The member and the column"""

_QUOTED: Final = frozenset(";\t\r")
"""Characters that the csv module leaves without quotes: spreadsheets of some countries separate
cells at semicolons, and older versions of Python write a CR that they do not read."""

_BOOLEAN: Final = {None: "", True: "true", False: "false"}
"""As in JSON; pandas reads it as booleans"""


class ForeignRow(ValueError):
    """A row that is not of this command, or of another model or --top; the message says which."""


class Known(NamedTuple):
    """A row that is in an output already."""

    path: bytes
    has_problem: bool


class Format(Protocol):
    """How rows are written to a file, and read again to continue it."""

    header: bytes
    """The first line, if there is one"""
    start: bytes
    """How every file that this command has written begins"""
    quoted: bool
    """Whether a row may have line ends between quotes"""

    def encode(self, row: Row) -> bytes:
        """The row with its line end"""

    def parse(self, record: bytes) -> Known:
        """The reverse. Raises `ForeignRow`."""


def encode_text(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


class JsonLines:
    """The service's result or problem in each line, after the path."""

    header = b""
    start = b'{"path":"'
    quoted = False

    def __init__(self, model: str, top_k: int) -> None:
        self._model = model
        self._top_k = top_k

    def encode(self, row: Row) -> bytes:
        return encode_text(to_json(row)) + b"\n"

    def parse(self, record: bytes) -> Known:
        try:
            row = json.loads(record)
            path = encode_text(row["path"])
            if PROBLEM in row:
                return Known(path, has_problem=True)
            model, count = row["model"], len(row["predictions"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ForeignRow("is not a row of this command") from None
        _check(model, self._model, count, self._top_k)
        return Known(path, has_problem=False)


class Csv:
    """A header and one line for each image: the best prediction, whether it reaches the model's
    threshold (empty without one), the problem, further predictions, and the model. `mark` is for
    files that are opened in a spreadsheet."""

    start = f"{_MARK}path,label,".encode()
    quoted = True

    def __init__(self, model: str, top_k: int, *, mark: bool = True) -> None:
        self._model = model
        self._top_k = top_k
        further = (f"{name}{rank}" for rank in range(2, top_k + 1) for name in _OF_EACH)
        self._columns = (
            *("path", *_OF_EACH, _CONFIDENT, "problem", "detail"),
            *(*further, "model"),
        )
        self.header = encode_text(_MARK * mark + _line(self._columns))

    def encode(self, row: Row) -> bytes:
        cells = [each[name] for each in row.get("predictions", ()) for name in _OF_EACH]
        cells += [""] * (self._top_k * len(_OF_EACH) - len(cells))
        best, further = cells[: len(_OF_EACH)], cells[len(_OF_EACH) :]
        problem = (row.get(PROBLEM, ""), row.get("detail", ""))
        confident = _BOOLEAN[row.get(_CONFIDENT)]
        return encode_text(_line((row["path"], *best, confident, *problem, *further, self._model)))

    def parse(self, record: bytes) -> Known:
        try:
            (cells,) = csv.reader(io.StringIO(record.decode(), newline=""), strict=True)
            row = dict(zip(self._columns, cells, strict=True))
        except (ValueError, csv.Error):
            raise ForeignRow("is not a row of this command") from None
        _check(row["model"], self._model)
        return Known(encode_text(row["path"]), bool(row["problem"]))


class Text:
    """For people: the name, and the labels with their probabilities. Characters that a terminal
    would interpret are escaped."""

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k

    def encode(self, row: Row) -> bytes:
        found = row.get("predictions", ())[: self._top_k]
        labels = ", ".join(f"{each['label']} {each['probability']:.1%}" for each in found)
        said = labels or f"{row['title']}: {row['detail']}"
        return encode_text(f"{printable(row['path'])}: {said}\n")


def printable(text: str) -> str:
    """The text without characters that a terminal would interpret"""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _line(cells: Sequence[object]) -> str:
    """The first cell may be any text."""
    buffer = io.StringIO(newline="")
    if _QUOTED.isdisjoint(str(cells[0])):
        csv.writer(buffer, lineterminator="\n").writerow(cells)
    else:
        csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    return buffer.getvalue()


def _check(model: object, expected: str, count: int = 0, expected_count: int = 0) -> None:
    if model != expected:
        raise ForeignRow(f"is of the model {model}, and the model is now {expected}")
    if count != expected_count:
        raise ForeignRow(f"has {count} predictions, and --top is now {expected_count}")
