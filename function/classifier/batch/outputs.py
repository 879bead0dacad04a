"""Where rows go: to a stream, or to a file that is continued if it has rows already."""

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from io import BufferedRandom, FileIO
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from classifier.batch.rows import ForeignRow, Format, Row, encode_text

_FOREIGN: Final = "is not an output of this command"
_REMEDY: Final = "Name another file, or delete this one."


class OutputError(Exception):
    """A file cannot be written or continued; the message is one line."""


class Output(Protocol):
    """A place for rows."""

    known: int
    """The number of rows that it had before"""
    known_problems: int
    """How many of them have a problem"""

    def has(self, path: str) -> bool:
        """Whether it has a row for the image"""

    def write(self, row: Row) -> None:
        """Raises `OutputError`, and `BrokenPipeError` if its pipe has no reader."""

    def close(self) -> None:
        """Let another run write to it."""


class Encoder(Protocol):
    """`Format` has more."""

    def encode(self, row: Row) -> bytes: ...


class SupportsWrite(Protocol):
    """A raw file: it may write less than it is given."""

    def write(self, data: bytes, /) -> int | None: ...


class Stream:
    """Standard output, or another file that cannot be read again."""

    known = known_problems = 0

    def __init__(self, stream: FileIO, encoder: Encoder, header: bytes = b"") -> None:
        self._stream = stream
        self._encoder = encoder
        self._write(header)

    def has(self, path: str) -> bool:
        return False

    def write(self, row: Row) -> None:
        self._write(self._encoder.encode(row))

    def _write(self, data: bytes) -> None:
        try:
            _write_all(self._stream, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"The output cannot be written: {error.strerror}.") from None

    def close(self) -> None:
        self._stream.close()


class File:
    """A file with the rows of this command. It has what is done at any moment: each row is written
    at once. A million rows take about 70 MB when it is continued."""

    def __init__(self, path: Path, file: BufferedRandom, form: Format) -> None:
        """Read the rows that the file has, and drop one that is cut off. Raises `OutputError`, and
        then the file is as before."""
        self._path = path
        self._file = file
        self._form = form
        self._paths: set[int] = set()
        self.known = self.known_problems = 0
        end = self._read() if self._begins() else 0
        file.seek(end)
        file.truncate()
        if not end:
            self._write(form.header)

    def has(self, path: str) -> bool:
        return hash(encode_text(path)) in self._paths

    def write(self, row: Row) -> None:
        self._write(self._form.encode(row))

    def close(self) -> None:
        """Let another run write to the file."""
        self._file.close()

    def _begins(self) -> bool:
        """Whether there is a header, or rows where there is none. Raises `OutputError` if there is
        anything else: the name may be that of a photo."""
        header, start = self._form.header, self._form.start
        found = self._file.read(len(header) or len(start))
        expected = header or start
        if found == expected:
            return True
        if expected.startswith(found):  # empty, or cut off
            return False
        reason = (
            "has other columns, those of another --top or an earlier version"
            if found.startswith(start)
            else _FOREIGN
        )
        raise OutputError(f"{str(self._path)!r} {reason}. {_REMEDY}")

    def _read(self) -> int:
        """Read the rows. Returns the end of the last that is whole, in bytes."""
        end = len(self._form.header)
        self._file.seek(end)
        for number, record in enumerate(_records(self._file, quoted=self._form.quoted), start=1):
            try:
                row = self._form.parse(record)
            except ForeignRow as error:
                raise OutputError(
                    f"Row {number} of {str(self._path)!r} {error}. {_REMEDY}"
                ) from None
            end += len(record)
            self._paths.add(hash(row.path))
            self.known += 1
            self.known_problems += row.has_problem
        return end

    def _write(self, data: bytes) -> None:
        try:
            _write_all(self._file.raw, data)
        except OSError as error:
            raise _unwritable(self._path, error) from None


def open_file(path: Path, form: Format) -> Output:
    """The file at `path`, new or continued. Raises `OutputError`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return Stream(FileIO(descriptor, "wb"), form, form.header)
    file = os.fdopen(descriptor, "rb+")
    try:
        _lock(path, file)
        return File(path, file, form)
    except OutputError:
        file.close()
        raise


def standard_output(encoder: Encoder, header: bytes = b"") -> Output:
    return Stream(FileIO(sys.stdout.fileno(), "wb", closefd=False), encoder, header)


def _lock(path: Path, file: BinaryIO) -> None:
    """Until it is closed, or this process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"Another run is writing to {str(path)!r}. Wait until it ends.") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):  # some network file systems
            raise _unwritable(path, error) from None


def _write_all(file: SupportsWrite, data: bytes) -> None:
    """Without a buffer, which would try again after an error."""
    while data:
        data = data[file.write(data) :]


def _records(file: BinaryIO, *, quoted: bool) -> Iterator[bytes]:
    """The whole rows from here on: up to a line end or, if `quoted`, one that is not in quotes."""
    record = b""
    for line in file:
        record += line
        if line.endswith(b"\n") and not (quoted and record.count(b'"') % 2):
            yield record
            record = b""


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{str(path)!r} cannot be written: {error.strerror}.")
