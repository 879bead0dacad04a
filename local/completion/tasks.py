"""Rows of a completion report (`Report_CSV_20180820`) and of a manifest.

AWS documents the columns "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode,
ResultMessage", and its own examples have the two codes the other way round (S3 User Guide,
"Examples: S3 Batch Operations completion reports"). So the code is the column without a number.
Keys are those of the manifest, URL-encoded.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote_plus

from local.common.cli import UsageError

_COLUMNS: Final = 7
_ENCODED: Final = re.compile(r"[!#-+\--~]*")
"""Printable ASCII without space, quote and comma"""

_PERMANENT: Final = "PermanentFailure"
_CRASH: Final = "Lambda returned function error"
"""How the message of an invocation begins that raised an exception, timed out or had too little
memory. S3 Batch Operations calls that a permanent failure as well."""

SKIPPED: Final = "skipped"
"""The member of the results of folders"""
NO_VERSION: Final = "null"
"""S3's name for the version of objects that were stored before the bucket had versions"""
_PREDICTION: Final = frozenset({"label", "probability"})
_VARIABLE: Final = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z ?"), ""),
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d+"), "N"),
)
"""What differs between failures of one kind: times, ids of requests, numbers"""
_KIND_LENGTH: Final = 100


class Task(NamedTuple):
    """One row; `raw_key` is the key as the manifest has it, URL-encoded."""

    bucket: str
    raw_key: str
    key: str
    version: str
    succeeded: bool
    code: str
    message: str

    @property
    def is_permanent(self) -> bool:
        """Whether the function itself said that the photo cannot be classified. All other failures
        are of the moment or of the settings: another run may succeed."""
        return self.code == _PERMANENT and not self.message.startswith(_CRASH)

    @property
    def kind(self) -> str:
        """What failures of the same sort have in common: the message without key, times, ids and
        numbers."""
        text = self.message or self.code or "no message"
        if text.startswith("{"):
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                text = str(json.loads(text)["detail"])
        for key in (self.key, self.raw_key):
            text = text.replace(key, "KEY") if key else text
        for pattern, name in _VARIABLE:
            text = pattern.sub(name, text)
        text = " ".join(text.split())
        return text if len(text) <= _KIND_LENGTH else f"{text[: _KIND_LENGTH - 1]}…"

    def result(self) -> dict[str, Any] | None:
        """The model and its predictions, most probable first, or why the object was skipped; None
        if the message has neither."""
        with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
            found: dict[str, Any] = json.loads(self.message)
            if SKIPPED in found:
                return found
            if found["predictions"] and all(set(p) >= _PREDICTION for p in found["predictions"]):
                return found
        return None


class Entry(NamedTuple):
    """One row of a manifest."""

    bucket: str
    raw_key: str
    key: str
    version: str


def parse_tasks(lines: Iterable[str], name: str) -> Iterator[Task]:
    """The rows of the report file `name`. Raises `UsageError`."""
    for number, row in _rows(lines, name):
        if len(row) != _COLUMNS or row[3] not in ("succeeded", "failed"):
            raise UsageError(
                f"{name}, row {number}: not a row of a completion report, which has {_COLUMNS} "
                "columns and in the fourth succeeded or failed."
            )
        bucket, key, version, status, first, second, message = row
        code = first if second.isdecimal() or not first.isdecimal() else second
        yield Task(bucket, key, _decoded(key), version, status == "succeeded", code, message)


def parse_entries(
    lines: Iterable[str], name: str, columns: Sequence[str] = ("Bucket", "Key", "VersionId")
) -> Iterator[Entry]:
    """The rows of the manifest `name`, whose columns may end earlier. Raises `UsageError`."""
    bucket, key = columns.index("Bucket"), columns.index("Key")
    version = columns.index("VersionId") if "VersionId" in columns else len(columns)
    for number, row in _rows(lines, name):
        if not max(bucket, key) < len(row) <= len(columns):
            raise UsageError(
                f"{name}, row {number}: not a row of a manifest: bucket,key or bucket,key,version. "
                "Of an inventory, name the manifest.json in S3."
            )
        raw_key = row[key]
        yield Entry(
            row[bucket], raw_key, _decoded(raw_key), row[version] if version < len(row) else ""
        )


def encoded(raw_key: str) -> str:
    """The key as a manifest needs it: unchanged if it is URL-encoded."""
    return raw_key if _ENCODED.fullmatch(raw_key) else quote(raw_key, safe="/")


def identity(task: Task | Entry) -> int:
    """A 64-bit number that is equal for equal objects, however their keys are encoded, and whether
    or not the version of those without one is called null, as in a `Manifest`."""
    version = "" if task.version == NO_VERSION else task.version
    return hash(f"{task.bucket}/{task.key}\0{version}")


def _decoded(raw_key: str) -> str:
    return unquote_plus(raw_key) if "%" in raw_key or "+" in raw_key else raw_key


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[str]]]:
    try:
        for number, row in enumerate(csv.reader(lines, strict=True), 1):
            if row:
                yield number, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{name} is not a CSV file as S3 writes it: {error}") from None
